use super::*;
use crate::report::{load, sample};

#[test]
fn points_at_the_line_of_the_scenario() {
    insta::assert_snapshot!(github::commands(&of_run(&sample::failing())));
}

#[test]
fn azure_gets_the_same_issues() {
    insta::assert_snapshot!(azure::commands(&of_run(&sample::failing())));
}

#[test]
fn says_nothing_of_a_run_that_passed() {
    assert_eq!(of_run(&sample::passing()), []);
    assert_eq!(of_load(&load::sample::measured()), []);
}

#[test]
fn a_load_run_that_failed_says_what_did_not_hold() {
    insta::assert_snapshot!(github::commands(&of_load(&load::sample::failing())));
    insta::assert_snapshot!(github::commands(&of_load(&load::sample::against())));
}

#[test]
fn outputs_are_a_line_each() {
    let path = "reports/a\nverdict=passed/index.html";
    assert_eq!(
        github::outputs(&outputs_of_run(&sample::failing(), path)),
        "verdict=failed\nfailed=2\nchecks_failed=0\nreport=reports/a\\nverdict=passed/index.html\n"
    );
    let load = outputs_of_load(&load::sample::failing(), "index.html");
    assert_eq!((load[0].0, load[0].1.as_str()), ("verdict", "failed"));
    assert!(
        load.iter()
            .any(|(name, value)| *name == "p99_ms" && value.parse::<f64>().is_ok()),
        "{load:?}"
    );
}

#[test]
fn no_more_than_ten_of_a_severity_and_the_last_names_the_rest() {
    let issue = |n: usize, severity| Issue {
        severity,
        place: Some(("x.yaml".into(), n, 1)),
        title: format!("case {n}"),
        message: "m".into(),
    };
    let mut many: Vec<Issue> = (1..=25).map(|n| issue(n, Severity::Error)).collect();
    many.extend((1..=10).map(|n| issue(n, Severity::Warning)));
    let commands = github::commands(&many);
    let of = |word: &str| commands.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((of("::error "), of("::warning ")), (10, 10));
    let last = commands.lines().nth(9).unwrap_or_default();
    assert!(last.starts_with("::error title=16 more::case 10%0Acase 11"), "{last}");
}

#[test]
fn a_hostile_text_stays_inside_its_command() {
    let issues = of_run(&sample::hostile());
    for line in github::commands(&issues).lines() {
        assert!(
            ["::error ", "::warning ", "::notice "]
                .iter()
                .any(|start| line.starts_with(start)),
            "{line}"
        );
        // Separators of its own, and none from the text in its properties.
        let (properties, _) = line.trim_start_matches("::").split_once("::").unwrap_or_default();
        let own = if properties.contains(" file=") { 3 } else { 0 };
        assert_eq!(properties.matches(',').count(), own, "{properties}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    let hostile = Issue {
        severity: Severity::Error,
        place: Some(("a];b##vso[task.complete result=Succeeded;]".into(), 1, 1)),
        title: "t]\n##vso[task.x]".into(),
        message: "100%\r\n##vso[task.complete result=Succeeded;]done".into(),
    };
    for line in azure::commands(&[hostile, issues[0].clone()]).lines() {
        let (head, rest) = line.split_once(']').unwrap_or_default();
        assert!(head.starts_with("##vso[task.logissue type="), "{line}");
        assert_eq!(
            head.matches("##vso[").count(),
            1 + head.matches("##vso[task.complete").count(),
            "{line}"
        );
        assert!(
            !rest.contains('\n') && !rest.contains('\r') && !line.chars().any(char::is_control),
            "{line}"
        );
    }
}

#[test]
fn a_summary_stays_below_what_github_takes() {
    let long = format!("## verdict\n\n**sentence**\n\n{}", "x".repeat(github::SUMMARY));
    let short = github::summary(&long, 0);
    assert!(
        short.starts_with("## verdict\n\n**sentence**\n\n") && short.len() < 300,
        "{}",
        short.len()
    );
    assert_eq!(github::summary("## v\n\nall", 10), "## v\n\nall\n");
    assert_eq!(github::summary(&long, github::SUMMARY - 10), "");
}

#[test]
fn what_was_judged_beside_the_cases_is_an_issue() {
    insta::assert_snapshot!(github::commands(&of_run(&sample::with_checks())));
}
