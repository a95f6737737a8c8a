//! The page as a text: what it shows, what it asks for, and that no text of a record becomes more than text.

use super::*;
use crate::report::load::sample;

/// What follows the style sheet and the script, which are not worth a snapshot.
fn body(page: &str) -> &str {
    page.split_once("</head>").map_or(page, |(_, body)| body)
}

/// The page without its pictures, of which the tests of the charts have one each.
fn words(page: &str) -> String {
    let mut words = String::new();
    let mut rest = body(page);
    while let Some((before, after)) = rest.split_once("<svg") {
        words.push_str(before);
        words.push_str("[svg]");
        // An inner picture may lie in the outer one.
        let mut depth = 1;
        rest = after;
        while depth > 0 {
            let close = rest.find("</svg>").unwrap();
            match rest.find("<svg") {
                Some(open) if open < close => (depth, rest) = (depth + 1, &rest[open + 4..]),
                _ => (depth, rest) = (depth - 1, &rest[close + 6..]),
            }
        }
    }
    words + rest
}

#[test]
fn a_run_with_a_void_side_and_an_objective_that_does_not_hold() {
    insta::assert_snapshot!(words(&render(&sample::failing())));
}

#[test]
fn an_old_target_against_a_new_one() {
    insta::assert_snapshot!(words(&render(&sample::against())));
}

#[test]
fn the_pictures_of_a_small_cell() {
    let mut record = sample::measured();
    let cell = &mut record.cells[0];
    for side in &mut cell.sides {
        side.series.truncate(3);
        side.rounds.truncate(2);
        side.all
            .as_mut()
            .unwrap()
            .response
            .percentiles
            .retain(|(q, _)| [0.5, 0.9, 0.99].contains(q));
        side.all
            .as_mut()
            .unwrap()
            .service
            .percentiles
            .retain(|(q, _)| [0.5, 0.9, 0.99].contains(q));
    }
    let page = render(&record);
    let (_, cell) = page.split_once("<figure").unwrap();
    insta::assert_snapshot!(
        cell.split("<details class=\"data part")
            .next()
            .unwrap()
            .replace("><", ">\n<")
    );
}

#[test]
fn asks_for_nothing_from_anywhere() {
    for record in [sample::measured(), sample::failing(), sample::hostile()] {
        let page = render(&record);
        for resource in [
            "src=",
            "srcset=",
            "url(",
            "@import",
            "<link",
            "<iframe",
            "<object",
            "style=\"",
            "http-equiv=\"refresh",
        ] {
            let shown = page.replace("src=http", "");
            assert!(!shown.contains(resource), "{resource} in the page");
        }
        for (at, _) in page.match_indices("href=\"") {
            assert!(page[at + 6..].starts_with('#'), "a link leaves the page");
        }
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'",
            html::hash(&(html::STYLE.to_owned() + STYLE)),
            html::hash(html::COMMON_SCRIPT)
        );
        assert!(page.contains(&policy));
    }
}

#[test]
fn every_link_arrives_and_every_picture_has_a_name() {
    let mut many = sample::failing();
    many.cells = (0..24)
        .map(|n| {
            let mut cell = many.cells[n % 2].clone();
            cell.id = format!("c{n}");
            cell
        })
        .collect();
    for record in [sample::failing(), sample::against(), sample::hostile(), many] {
        let page = render(&record);
        for attribute in ["href=\"#", "aria-labelledby=\""] {
            for (at, _) in page.match_indices(attribute) {
                let names = page[at + attribute.len()..].split('"').next().unwrap();
                for name in names.split(' ') {
                    assert!(page.contains(&format!("id=\"{name}\"")), "{name} is nowhere");
                }
            }
        }
        let mut ids: Vec<&str> = page
            .match_indices(" id=\"")
            .map(|(at, _)| page[at + 5..].split('"').next().unwrap())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id stands twice");
        let pictures = page.matches("role=\"img\"").count();
        assert!(pictures > 0);
        assert_eq!(pictures, page.matches("role=\"img\" aria-labelledby=\"").count());
    }
}

#[test]
fn a_hostile_text_stays_text() {
    let page = render(&sample::hostile());
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<img") && !page.contains("alert(1)</script"));
    assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
    for tag in [
        "<pre", "<details", "<section", "<table", "<svg", "<td", "<dd", "<figure", "<title",
    ] {
        let close = tag.replace('<', "</");
        assert_eq!(page.matches(tag).count(), page.matches(&close).count(), "{tag}");
    }
}

#[test]
fn what_is_void_has_no_number_anywhere() {
    let mut record = sample::measured();
    // A number that stands nowhere else.
    let side = &mut record.cells[0].sides[1];
    side.void = Some("late".into());
    side.rounds.iter_mut().for_each(|round| round.throughput = 77_123.0);
    side.all.as_mut().unwrap().response.max = Some(77_123_000_000);
    side.series.iter_mut().for_each(|point| point.scheduled = 77_123);
    record
        .comparisons
        .iter_mut()
        .for_each(|of| of.finding = crate::load::record::Finding::Void);
    record.verdict.sentence = "REST, HTTP/1.1 is void".into();
    let page = render(&record);
    assert!(!page.contains("77,1") && !page.contains("77.1"));
    assert!(!page.contains("1.35x (1.30"), "the ratio of a void side is shown");
}

#[test]
fn lines_stand_out_in_both_themes() {
    for leg in ["grpc", "rest-h1", "rest-h2", "rest-h1-close"] {
        let start = STYLE.find(&format!("--leg-{leg}: light-dark(")).unwrap();
        let pair = STYLE[start..].split_once('(').unwrap().1.split_once(')').unwrap().0;
        let (light, dark) = pair.split_once(", ").unwrap();
        // The cards of html/style.css; WCAG 2.2, 1.4.11.
        for (colour, behind) in [(light, "#ffffff"), (dark, "#151a21")] {
            assert!(contrast(colour, behind) >= 3.0, "{leg}: {}", contrast(colour, behind));
        }
    }
}

fn contrast(a: &str, b: &str) -> f64 {
    // WCAG 2.2, relative luminance.
    let luminance = |colour: &str| {
        let channel = |at: usize| {
            let part = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}
