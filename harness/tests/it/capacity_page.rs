//! The page of a capacity run in a browser: silent, within the screen, every picture with a name and a table.

use crate::support::{
    browser::{Browser, View},
    renders_to, root, tools,
};
use serde_json::json;
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use stocktake::{
    capacity::{
        prices::{Prices, Size},
        recommend::{Advice, Ask, Current, recommend, replica},
        record::{CapacityRecord, CapacityResult},
        scaler::{Deployment, Limits, Reading, simulate},
        traffic::{Profile, Spec},
    },
    report::{capacity::html, store},
};

/// A desktop and a phone, in pixels.
const WIDTHS: [u32; 2] = [1280, 390];

/// What a target or a file could say to get hold of the page or to tear it apart.
const HOSTILE: &str = "</text></svg></script><script>window.owned = 1</script><img src=x onerror='window.owned = 1'>\
                       \" onmouseover=\"window.owned = 1\" <style>* { display: none }</style>";

/// The run that the README tells of, as it was measured.
const SAMPLE: &str = "reports/sample/capacity";

#[test]
fn the_sample_is_what_its_record_renders_to() {
    let record = store::read_capacity(&root().join(SAMPLE)).unwrap();
    assert_eq!(record.verdict.result, CapacityResult::Found);
    assert!(record.advice.is_some() && record.verdict.complete);
    renders_to(SAMPLE, store::render_capacity(&record), "scripts/sample capacity");
}

/// A bracket, without what follows from it.
fn bare() -> CapacityRecord {
    let text = fs::read_to_string(root().join("harness/tests/cases/capacity/run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn crowd() -> Profile {
    match Spec::parse("flash:base=20,peak=600,ramp=30s,hold=5m").unwrap() {
        Spec::Flash(profile) => profile,
        Spec::File(file) => panic!("{file} is no flash crowd"),
    }
}

/// With what follows from it, each max by each reading.
fn advised() -> CapacityRecord {
    let mut record = bare();
    let measured = record.measured.clone().unwrap();
    let prices = Prices::embedded().unwrap();
    let ask = Ask {
        peak: 600.0,
        base: Some(20.0),
        size: Some(Size { cpu: 0.5, memory: 1.0 }),
        current: Some(Current {
            limits: Limits::new(1, 5, 10),
            size: None,
        }),
        ..Ask::default()
    };
    let recommendation = recommend(&measured, &ask, &prices).unwrap();
    let profile = crowd();
    let mut outcomes = Vec::new();
    for reading in Reading::ALL {
        for max in [5, 8, 12] {
            let deployment = Deployment {
                limits: Limits {
                    max,
                    ..recommendation.limits
                },
                reading,
                replica: replica(&measured, &ask),
                size: recommendation.size,
            };
            outcomes.push(simulate(&profile, &deployment, &prices));
        }
    }
    record.advice = Some(Advice {
        recommendation,
        traffic: Some(profile),
        outcomes,
    });
    record
}

/// Foreign texts that are hostile, and names as long as anyone likes.
fn hostile() -> CapacityRecord {
    let mut record = advised();
    let long = || format!("st-{}", "x".repeat(400));
    let target = record.target.as_mut().unwrap();
    (target.address, target.descriptors) = (long(), HOSTILE.into());
    let workload = record.workload.as_mut().unwrap();
    (workload.id, workload.name) = (long(), HOSTILE.into());
    let bracket = record.bracket.as_mut().unwrap();
    (bracket.limit, bracket.because) = (long(), HOSTILE.into());
    record.scalability.as_mut().unwrap().of = HOSTILE.into();
    let advice = record.advice.as_mut().unwrap();
    advice.traffic.as_mut().unwrap().name = long();
    for number in &mut advice.recommendation.numbers {
        number.from = vec![long(), HOSTILE.into()];
        number.binding = long();
    }
    let prices = &mut advice.recommendation.priced.as_mut().unwrap().prices;
    (prices.currency, prices.file, prices.source) = (HOSTILE.into(), long(), HOSTILE.into());
    record.options.push((long(), HOSTILE.into()));
    record.residue = vec![long(), HOSTILE.into()];
    record.next = vec![long(), HOSTILE.into()];
    record.verdict.sentence = format!("{HOSTILE} {}", long());
    record
}

/// A page in a file, which lives as long as the folder.
fn written(folder: &Path, name: &str, record: &CapacityRecord) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, html::render(record)).unwrap();
    file
}

#[test]
fn the_page_of_a_capacity_run_is_silent_and_fits_the_screen() {
    let Some(chromium) = tools::chromium("the_page_of_a_capacity_run_is_silent_and_fits_the_screen") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        ("capacity", written(folder.path(), "capacity.html", &advised())),
        ("capacity-bare", written(folder.path(), "bare.html", &bare())),
        ("capacity-hostile", written(folder.path(), "hostile.html", &hostile())),
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
            assert_eq!(outside, json!([]), "{name} at {view:?}: out of the screen");
            let cut = browser.evaluate(
                "[...document.querySelectorAll('main svg text')].filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect()).filter((box) => box.left < 0 || box.right > innerWidth + 1).length",
            );
            assert_eq!(cut, 0, "{name} at {view:?}: labels are cut");
            if let Some(pictures) = env::var_os("STOCKTAKE_TEST_PICTURES") {
                browser.evaluate("for (const one of document.querySelectorAll('details')) one.open = false");
                let theme = if dark { "dark" } else { "light" };
                let picture = Path::new(&pictures).join(format!("{name}-{width}-{theme}.png"));
                fs::write(picture, browser.picture()).unwrap();
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
fn every_picture_of_a_capacity_run_has_a_name_and_a_table() {
    let Some(chromium) = tools::chromium("every_picture_of_a_capacity_run_has_a_name_and_a_table") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = written(folder.path(), "capacity.html", &advised());
    let mut browser = Browser::start(&chromium);
    let screen = View {
        width: 1280,
        dark: false,
        script: true,
        media: "screen",
    };
    browser.open(&page, screen);
    let nameless = "[...document.querySelectorAll('svg')].filter((one) => !one.closest('[aria-hidden=true]')
        && (one.getAttribute('role') !== 'img' || one.getAttribute('aria-labelledby').split(' ').some((id) => !document.getElementById(id).textContent))).length";
    assert_eq!(browser.evaluate(nameless), 0);
    // The knee, the law, and each reading of the simulation.
    assert_eq!(browser.evaluate("document.querySelectorAll('figure.chart').length"), 4);
    let without = "[...document.querySelectorAll('figure.chart')].filter((one) => !one.querySelector('svg.plot path[d^=M]') || !one.querySelector('details table tbody tr')).length";
    assert_eq!(browser.evaluate(without), 0);
    // The style sheet knows every line and mark: none is drawn in no colour.
    let pale =
        "[...document.querySelectorAll('main .line')].filter((one) => getComputedStyle(one).stroke === 'none').length
        + [...document.querySelectorAll('main .mark')].filter((one) => getComputedStyle(one).fill === 'none').length";
    assert_eq!(browser.evaluate(pale), 0);
    // The bracket is drawn in both pictures of the knee.
    let bracket =
        "document.querySelectorAll('#chart-knee-latency .cap-bracket, #chart-knee-goodput .cap-bracket').length";
    assert_eq!(browser.evaluate(bracket), 4);
    assert_eq!(browser.complaints(), Vec::<&serde_json::Value>::new());
}
