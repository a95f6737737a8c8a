//! The page of a load run in a browser: silent, within the screen, every picture with a name.

use crate::support::{
    browser::{Browser, View},
    renders_to, root, tools,
};
use serde_json::json;
use std::{env, fs, path::Path};
use stocktake::{
    load::record::LoadRecord,
    report::{load::html, store},
};

/// A desktop and a phone, in pixels.
const WIDTHS: [u32; 2] = [1280, 390];

/// What a target or a file could say to get hold of the page or to tear it apart.
const HOSTILE: &str = "</text></svg></script><script>window.owned = 1</script><img src=x onerror='window.owned = 1'>\
                       \" onmouseover=\"window.owned = 1\" <style>* { display: none }</style>";

fn sample() -> LoadRecord {
    store::read_load(&root().join("harness/tests/cases/load/run.json")).unwrap()
}

/// The study that the README tells of, as it was measured.
const STUDY: &str = "reports/sample/grpc-vs-rest";

#[test]
fn the_study_is_what_its_record_renders_to() {
    let record = store::read_load(&root().join(STUDY)).unwrap();
    assert!(record.verdict.complete && record.workload.claim.is_some());
    renders_to(STUDY, store::render_load(&record), "scripts/sample study");
}

/// As many cells as a study of three factors has.
fn many() -> LoadRecord {
    let mut record = sample();
    let (cells, comparisons) = (record.cells.clone(), record.comparisons.clone());
    record.cells.clear();
    record.comparisons.clear();
    for n in 0..24 {
        let mut cell = cells[n % 2].clone();
        let id = format!("c{}", n + 1);
        record
            .comparisons
            .extend(comparisons.iter().filter(|of| of.cell == cell.id).map(|of| {
                let mut of = of.clone();
                of.cell = id.clone();
                of
            }));
        cell.factors = vec![
            ("products".into(), format!("{}", n * 10)),
            ("calls".into(), format!("{}", n % 3)),
        ];
        cell.id = id;
        record.cells.push(cell);
    }
    record
}

/// Foreign texts that are hostile, and names as long as anyone likes.
fn hostile() -> LoadRecord {
    let mut record = sample();
    let long = || format!("st-{}", "x".repeat(400));
    for target in &mut record.targets {
        (target.name, target.address, target.descriptors) = (HOSTILE.into(), long(), HOSTILE.into());
    }
    (record.workload.id, record.workload.name) = (long(), HOSTILE.into());
    for operation in &mut record.workload.operations {
        (operation.id, operation.method) = (long(), HOSTILE.into());
    }
    if let Some(claim) = &mut record.workload.claim {
        claim.text = long();
    }
    for (n, cell) in record.cells.iter_mut().enumerate() {
        cell.factors = vec![(long(), HOSTILE.into()), (HOSTILE.into(), long())];
        if n == 1 {
            cell.void = Some(long());
        }
        for side in &mut cell.sides {
            side.rounds[0].void = Some(long());
            for operation in &mut side.operations {
                operation.id = long();
                operation.outcomes.push((HOSTILE.into(), 3));
                operation.hlog = Some(long());
            }
        }
    }
    record.options.push((long(), HOSTILE.into()));
    record.residue = vec![long(), HOSTILE.into()];
    record.verdict.sentence = format!("{HOSTILE} {}", long());
    record
}

/// A page in a file, which lives as long as the folder.
fn written(folder: &Path, name: &str, record: &LoadRecord) -> std::path::PathBuf {
    let file = folder.join(name);
    fs::write(&file, html::render(record)).unwrap();
    file
}

#[test]
fn the_page_of_a_load_run_is_silent_and_fits_the_screen() {
    let Some(chromium) = tools::chromium("the_page_of_a_load_run_is_silent_and_fits_the_screen") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        ("load", written(folder.path(), "load.html", &sample())),
        ("load-many", written(folder.path(), "many.html", &many())),
        ("load-hostile", written(folder.path(), "hostile.html", &hostile())),
        ("load-study", root().join(STUDY).join("index.html")),
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
            let pictures = env::var_os("STOCKTAKE_TEST_PICTURES");
            let take = |browser: &mut Browser, what: &str| {
                if let Some(pictures) = &pictures {
                    let theme = if dark { "dark" } else { "light" };
                    let picture = Path::new(pictures).join(format!("{name}-{what}-{width}-{theme}.png"));
                    fs::write(picture, browser.picture()).unwrap();
                }
            };
            take(&mut browser, "closed");
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
            assert_eq!(outside, json!([]), "{name} at {view:?}: out of the screen");
            // Labels of axes lie in the margin of their picture, never beyond the screen.
            let cut = browser.evaluate(
                "[...document.querySelectorAll('main svg text')].filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect()).filter((box) => box.left < 0 || box.right > innerWidth + 1).length",
            );
            assert_eq!(cut, 0, "{name} at {view:?}: labels are cut");
            if *name != "load-many" {
                take(&mut browser, "open");
            }
            backgrounds.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
            let owned = browser.evaluate("[window.owned ?? null, document.scripts.length, document.images.length]");
            assert_eq!(owned, json!([null, 1, 0]), "{name} at {view:?}");
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
fn every_picture_has_a_name_and_a_table() {
    let Some(chromium) = tools::chromium("every_picture_has_a_name_and_a_table") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let record = sample();
    let page = written(folder.path(), "load.html", &record);
    let mut browser = Browser::start(&chromium);
    let screen = View {
        width: 1280,
        dark: false,
        script: true,
        media: "screen",
    };
    browser.open(&page, screen);
    // What is drawn is either named or hidden from those who do not see it.
    let nameless = "[...document.querySelectorAll('svg')].filter((one) => !one.closest('[aria-hidden=true]')
        && (one.getAttribute('role') !== 'img' || one.getAttribute('aria-labelledby').split(' ').some((id) => !document.getElementById(id).textContent))).length";
    assert_eq!(browser.evaluate(nameless), 0);
    // Curves of each cell, and each side over time but the one that is void.
    let sides: usize = record.cells.iter().map(|cell| cell.sides.len()).sum();
    let figures = record.cells.len() + sides - 1;
    assert_eq!(
        browser.evaluate("document.querySelectorAll('figure.chart').length"),
        figures
    );
    let without = "[...document.querySelectorAll('figure.chart')].filter((one) => !one.querySelector('svg.plot path[d^=M]') || !one.querySelector('details table tbody tr')).length";
    assert_eq!(browser.evaluate(without), 0);
    let ratios = "document.querySelectorAll('svg.ratio[role=img]').length";
    assert_eq!(browser.evaluate(ratios), record.comparisons.len());

    // The style sheet knows every side: no line is drawn in no colour.
    let pale =
        "[...document.querySelectorAll('main .line')].filter((one) => getComputedStyle(one).stroke === 'none').length";
    assert_eq!(browser.evaluate(pale), 0);

    // A cell is found by its link, though it is closed. On paper everything is open.
    let open = "[...document.querySelectorAll('details.cell')].filter((one) => one.open).length";
    assert_eq!(browser.evaluate(open), 0);
    browser.evaluate(
        "new Promise((done) => { addEventListener('hashchange', () => setTimeout(done)); location.hash = 'cell-2'; })",
    );
    assert_eq!(browser.evaluate("document.getElementById('cell-2').open"), true);
    browser.evaluate("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(browser.evaluate(open), record.cells.len());
    assert_eq!(browser.complaints(), Vec::<&serde_json::Value>::new());
}
