//! `reports/sample`, a real run, and its page in a browser: silent, within the screen, and the same without its script.

use crate::support::{
    browser::{Browser, View},
    renders_to, root, tools,
};
use std::{env, fs, path::Path};
use stocktake::{
    report::{html, store},
    verify::record::{RunRecord, VerdictResult},
};

/// A desktop and a phone, in pixels.
const WIDTHS: [u32; 2] = [1280, 390];

/// What a target could say to get hold of the page or to tear it apart.
const HOSTILE: &str = "</pre></details></script><script>window.owned = 1</script><img src=x onerror='window.owned = 1'>\
                       \" onmouseover=\"window.owned = 1\" <style>* { display: none }</style>";

fn sample() -> RunRecord {
    store::read(&root().join("reports/sample")).unwrap()
}

/// The sample with foreign texts that are hostile, and names as long as a target likes.
fn hostile() -> RunRecord {
    let mut record = sample();
    let long = || format!("st-{}", "x".repeat(400));
    for (index, case) in record.cases.iter_mut().enumerate() {
        case.title = if index % 2 == 0 { HOSTILE.to_owned() } else { long() };
        case.left = vec![HOSTILE.to_owned(), long()];
        for mismatch in &mut case.mismatches {
            mismatch.summary = HOSTILE.to_owned();
            mismatch.source = format!("{HOSTILE}{}", long());
            mismatch.details = vec![("got".to_owned(), long()), (HOSTILE.to_owned(), HOSTILE.to_owned())];
        }
        for entry in &mut case.timeline {
            entry.text = if index % 2 == 0 { HOSTILE.to_owned() } else { long() };
        }
    }
    for rule in &mut record.rules {
        rule.text = long();
    }
    for left in &mut record.residue {
        (left.what, left.why) = (long(), HOSTILE.to_owned());
    }
    for method in &mut record.coverage.methods {
        method.method = format!("{}/{}", long(), method.method);
        method.ends.push((long(), 1));
        method.request.iter_mut().for_each(|field| field.field += &long());
        method.response.iter_mut().for_each(|field| field.field += HOSTILE);
    }
    record.target.address = long();
    record.target.answered_by = vec![(HOSTILE.to_owned(), 1), (long(), 2)];
    record.verdict.sentence = format!("{HOSTILE} {}", long());
    record
}

/// A check: the sample with a comparison of gRPC and REST in it.
fn check() -> RunRecord {
    let mut record = sample();
    let load = store::read_load(&root().join("harness/tests/cases/load/run.json")).unwrap();
    record.command = "check".to_owned();
    record.load = Some(Box::new(load));
    record
}

/// A page in a file, which lives as long as the folder.
fn written(folder: &Path, name: &str, record: &RunRecord) -> std::path::PathBuf {
    let file = folder.join(name);
    fs::write(&file, html::render(record)).unwrap();
    file
}

#[test]
fn the_sample_is_what_its_record_renders_to() {
    let record = sample();
    assert_eq!(
        record.verdict.result,
        VerdictResult::Failed,
        "the sample shows a failure"
    );
    assert!(record.cases.iter().any(|case| !case.timeline.is_empty()));
    renders_to("reports/sample", store::render_all(&record), "scripts/sample");
}

#[test]
fn the_page_is_silent_and_fits_the_screen() {
    let Some(chromium) = tools::chromium("the_page_is_silent_and_fits_the_screen") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        ("sample", written(folder.path(), "sample.html", &sample())),
        ("hostile", written(folder.path(), "hostile.html", &hostile())),
        ("check", written(folder.path(), "check.html", &check())),
    ];
    let mut browser = Browser::start(&chromium);
    for (name, page) in &pages {
        let mut backgrounds = Vec::new();
        for (width, dark) in WIDTHS.into_iter().flat_map(|width| [(width, false), (width, true)]) {
            let view = View {
                width,
                dark,
                script: true,
                media: "screen",
            };
            browser.open(page, view);
            // Everything that can be opened is.
            browser.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
            let wide = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]");
            assert!(
                wide[0].as_u64() <= wide[1].as_u64(),
                "{name} at {view:?} scrolls sideways: {wide}"
            );
            let outside = browser.evaluate(
                "[...document.querySelectorAll('main *')].filter((one) => !one.closest('svg, .scroll, pre') && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 200))",
            );
            assert_eq!(outside, serde_json::json!([]), "{name} at {view:?}: out of the screen");
            backgrounds.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
            if let Some(pictures) = env::var_os("STOCKTAKE_TEST_PICTURES") {
                let theme = if dark { "dark" } else { "light" };
                let picture = Path::new(&pictures).join(format!("{name}-{width}-{theme}.png"));
                fs::write(picture, browser.picture()).unwrap();
            }
            let owned = browser.evaluate("[window.owned, document.scripts.length, document.images.length]");
            assert_eq!(owned, serde_json::json!([null, 1, 0]), "{name} at {view:?}");
            assert_eq!(
                browser.complaints(),
                Vec::<&serde_json::Value>::new(),
                "{name} at {view:?}"
            );
            assert_eq!(
                browser.requests(),
                [format!("file://{}", page.display())],
                "{name} at {view:?}"
            );
        }
        assert_ne!(backgrounds[0], backgrounds[1], "{name} is dark where the system is");
    }
}

#[test]
fn the_page_filters_and_follows_its_links() {
    let Some(chromium) = tools::chromium("the_page_filters_and_follows_its_links") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let record = sample();
    let page = written(folder.path(), "sample.html", &record);
    let mut browser = Browser::start(&chromium);
    let screen = View {
        width: 1280,
        dark: false,
        script: true,
        media: "screen",
    };
    browser.open(&page, screen);

    let shown = "[...document.querySelectorAll('#all-cases tbody tr')].filter((row) => !row.hidden).length";
    assert_eq!(browser.evaluate(shown), record.cases.len());
    browser.evaluate("document.getElementById('standing').value = 'failed'; document.getElementById('standing').dispatchEvent(new Event('input'))");
    assert_eq!(browser.evaluate(shown), record.verdict.counts.failed);
    browser.evaluate("document.getElementById('find').value = 'no such case'; document.getElementById('find').dispatchEvent(new Event('input'))");
    assert_eq!(browser.evaluate(shown), 0);
    browser.evaluate("document.getElementById('open-rules').click()");
    let rules = "[...document.querySelectorAll('.matrix tr[id]')].filter((row) => !row.hidden).length";
    let open = record
        .rules
        .iter()
        .filter(|rule| rule.verdict != stocktake::verify::record::RuleVerdict::Passed);
    assert_eq!(browser.evaluate(rules), open.count());

    // A link to a case opens the list that it stands in, whatever the filter hid.
    browser.evaluate(
        "new Promise((done) => { addEventListener('hashchange', () => setTimeout(done)); location.hash = 'c1'; })",
    );
    let visible = "document.getElementById('c1').checkVisibility() && document.getElementById('all-cases').open";
    assert_eq!(browser.evaluate(visible), true);

    let background = "getComputedStyle(document.body).backgroundColor";
    let light = browser.evaluate(background);
    browser.evaluate("document.getElementById('theme').click(); document.getElementById('theme').click()");
    assert_eq!(
        browser.evaluate("document.getElementById('theme').textContent"),
        "Theme: dark"
    );
    assert_ne!(browser.evaluate(background), light);

    // Without the script nothing is missing but the controls; on paper everything is open and light.
    browser.open(
        &page,
        View {
            script: false,
            ..screen
        },
    );
    let controls = "[...document.querySelectorAll('.control, button')].some((one) => one.checkVisibility())";
    assert_eq!(browser.evaluate(controls), false);
    assert_eq!(
        browser.evaluate("document.querySelectorAll('#all-cases tbody tr').length"),
        record.cases.len()
    );
    browser.open(
        &page,
        View {
            dark: true,
            media: "print",
            ..screen
        },
    );
    assert_eq!(browser.evaluate(controls), false);
    assert_eq!(browser.evaluate(background), "rgb(255, 255, 255)");
    assert_eq!(browser.complaints(), Vec::<&serde_json::Value>::new());
}
