//! The page as a text: what it shows, what it asks for, and that no text of a target becomes more than text.

use super::*;
use crate::report::sample;

/// What follows the style sheet and the script, which are not worth a snapshot.
fn body(page: &str) -> &str {
    page.split_once("</head>").map_or(page, |(_, body)| body)
}

#[test]
fn a_run_with_one_of_everything() {
    insta::assert_snapshot!(body(&render(&sample::failing())));
}

#[test]
fn a_run_that_passes_is_calm() {
    insta::assert_snapshot!(body(&render(&sample::passing())));
}

#[test]
fn asks_for_nothing_from_anywhere() {
    let page = render(&sample::failing());
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
        assert!(!page.contains(resource), "{resource} in the page");
    }
    for (at, _) in page.match_indices("href=\"") {
        assert!(
            page.get(at + 6..).is_some_and(|link| link.starts_with('#')),
            "a link leaves the page"
        );
    }
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    assert!(page.contains(&policy));
    // Known by `openssl dgst -sha256 -binary </dev/null | base64`.
    assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

#[test]
fn a_check_shows_grpc_against_rest_in_short() {
    let page = render(&sample::with_load());
    let (_, section) = page.split_once("<section id=\"load\"").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    insta::assert_snapshot!(section);
    // Its colours are in the style sheet, and the policy names that one.
    let style = STYLE.to_owned() + load::html::STYLE;
    assert!(page.contains(&style) && page.contains(&hash(&style)));
    assert!(!render(&sample::passing()).contains("id=\"load\""));
}

#[test]
fn every_link_arrives() {
    for record in [
        sample::failing(),
        sample::passing(),
        sample::hostile(),
        sample::with_load(),
    ] {
        let page = render(&record);
        for (at, _) in page.match_indices("href=\"#") {
            let anchor = page[at + 7..].split('"').next().unwrap_or_default();
            assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor} is nowhere");
        }
    }
}

#[test]
fn a_hostile_text_stays_text() {
    let page = render(&sample::hostile());
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<img") && !page.contains("alert(1)</script"));
    assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
    // No tag of the page is closed or opened by the text: the same elements as for a harmless one.
    let tags = |page: &str, tag: &str| page.matches(tag).count();
    for tag in ["<pre", "<details", "<section", "<table", "<svg", "<td", "<dd"] {
        let close = tag.replace('<', "</");
        assert_eq!(tags(&page, tag), tags(&page, &close), "{tag}");
    }
}

/// The lightness of a colour (WCAG 2.2, relative luminance).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
        let part = f64::from(value) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn text_stands_out_in_both_themes() {
    // `--name: light-dark(#rrggbb, #rrggbb);`
    let colour = |name: &str, theme: usize| {
        let start = STYLE.find(&format!("--{name}: light-dark(")).unwrap();
        let pair = STYLE[start..].split_once('(').unwrap().1.split_once(')').unwrap().0;
        pair.split(", ").nth(theme).unwrap()
    };
    for theme in 0..2 {
        let contrast = |text: &str, behind: &str| {
            let (a, b) = (luminance(colour(text, theme)), luminance(colour(behind, theme)));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for text in ["ink", "soft", "link", "good", "bad", "doubt", "known", "open"] {
            for behind in ["page", "card", "inset"] {
                // WCAG 2.2, 1.4.3.
                assert!(
                    contrast(text, behind) >= 4.5,
                    "{text} on {behind}, theme {theme}: {}",
                    contrast(text, behind)
                );
            }
        }
        for tone in ["good", "bad", "doubt", "known", "open"] {
            let behind = format!("{tone}-bg");
            assert!(contrast(tone, &behind) >= 4.5, "{tone} on its own, theme {theme}");
            assert!(contrast("ink", &behind) >= 4.5, "ink on {behind}, theme {theme}");
            // What is drawn: WCAG 2.2, 1.4.11; grey is for what is not there.
            let fill = format!("{tone}-fill");
            assert!(
                tone == "open" || contrast(&fill, "card") >= 3.0,
                "{fill}, theme {theme}: {}",
                contrast(&fill, "card")
            );
        }
    }
}

#[test]
fn what_was_judged_beside_the_cases_has_a_section() {
    let page = render(&sample::with_checks());
    let from = page.find("<section id=\"checks\">").unwrap_or_default();
    let section = page
        .get(from..)
        .and_then(|rest| rest.split("</section>").next())
        .unwrap_or_default();
    insta::assert_snapshot!(section);
    assert!(page.contains("<a href=\"#checks\">"));
    assert!(!render(&sample::passing()).contains("#checks"));
}
