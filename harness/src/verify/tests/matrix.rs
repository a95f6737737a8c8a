use super::{
    super::matrix::{KnownFailing, Selection, expand, parse_known_failing},
    *,
};

fn two() -> Vec<Arc<Scenario>> {
    let one = "rows:\n  - { name: low, n: 1 }\n  - { name: high, n: 2 }\ntags: [paging]";
    let step = "  - call: ListProducts\n    request: { page: \"${{ row.n }}\" }";
    let other = "version: 1\nid: other\nname: other\neffects: read-only\nservice: inventory.InventoryService\nsteps:\n  - call: ListProducts\n";
    vec![scenario(one, step), Arc::new(parsed(other))]
}

fn names(selection: &Selection) -> Result<Vec<String>, Vec<String>> {
    expand(&two(), &[Protocol::Grpc], selection).map(|cases| cases.iter().map(|case| case.name()).collect())
}

fn filter(patterns: &[&str]) -> Selection {
    Selection {
        filter: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        ..Selection::default()
    }
}

#[test]
fn one_case_for_each_row() {
    assert_eq!(
        names(&Selection::default()).unwrap(),
        ["one[low] (grpc)", "one[high] (grpc)", "other (grpc)"]
    );
}

#[test]
fn a_filter_names_id_row_or_the_whole_case() {
    for (patterns, expected) in [
        (&["one"][..], &["one[low] (grpc)", "one[high] (grpc)"][..]),
        (&["one[high]"], &["one[high] (grpc)"]),
        (&["*[h*] (grpc)", "other"], &["one[high] (grpc)", "other (grpc)"]),
    ] {
        assert_eq!(names(&filter(patterns)).unwrap(), expected);
    }
    let errors = names(&filter(&["one[middle]", "other"])).unwrap_err();
    assert_eq!(
        errors,
        ["the filter `one[middle]` matches no case; `--list` shows their names"]
    );
    let mut selection = filter(&["other"]);
    selection.tags = vec!["paging".to_owned()];
    assert_eq!(
        names(&selection).unwrap_err(),
        ["no case has both one of the tags and one of the filters"]
    );
    selection.tags = vec!["nothing".to_owned()];
    assert_eq!(
        names(&selection).unwrap_err(),
        ["no scenario has the tag `nothing`; there are: paging"]
    );
    assert_eq!(
        expand(&[], &[Protocol::Grpc], &Selection::default()).unwrap_err(),
        ["there is no scenario to run"]
    );
}

#[test]
fn known_failing_lines_have_a_reason_and_a_case() {
    let line = |pattern: &str, reason: &str, line| KnownFailing {
        pattern: pattern.to_owned(),
        reason: reason.to_owned(),
        line,
    };
    let text = "# comment\n\none[low] (grpc)  # see #45\n one[row #1] (grpc)# hash in a row\none[lo*  # half a row\n";
    assert_eq!(
        parse_known_failing("k", text).unwrap(),
        [
            line("one[low] (grpc)", "see #45", 3),
            line("one[row #1] (grpc)", "hash in a row", 4),
            line("one[lo*", "half a row", 5)
        ]
    );
    for text in ["one", "one #", "one #  "] {
        let error = parse_known_failing("k", text).unwrap_err();
        assert_eq!(
            error,
            format!("k:1: `{}` gives no reason: write `one  # why it fails`", text.trim())
        );
    }
    let mut selection = filter(&["other"]);
    // A line for a case that the filter leaves out is no mistake; one for no case at all is.
    selection.known_failing = Some(("k".to_owned(), vec![line("one[low]", "r", 1), line("other", "s", 2)]));
    let cases = expand(&two(), &[Protocol::Grpc], &selection).unwrap();
    assert_eq!(cases[0].known_failing.as_deref(), Some("s"));
    selection.known_failing = Some(("k".to_owned(), vec![line("two", "r", 7)]));
    assert_eq!(
        names(&selection).unwrap_err(),
        ["k:7: `two` matches no case; `--list` shows their names"]
    );
}
