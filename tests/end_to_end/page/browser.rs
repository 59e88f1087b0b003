//! The page in Chromium, without a window. One browser for all checks, since it takes seconds to start.

use serde_json::{Value, json};

use super::keyboard;
use super::served::Served;
use super::webdriver::Browser;
use crate::support::{ok, small_mnist, with_text};

/// The chapters of the page.
const CHAPTERS: [&str; 10] =
    ["neuron", "digits", "train", "tokens", "gpt", "what-if", "core", "runs", "translation", "notes"];

/// The environment variable with the path of axe.min.js, which checks how accessible a page is.
const AXE: &str = "M2G_AXE";
/// The folder for pictures of every chapter, to look at.
const PICTURES: &str = "M2G_PAGE_PICTURES";

/// The time that 95 of 100 take at most.
fn p95(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * 95).div_ceil(100) - 1]
}

/// Goes to a chapter, and waits until it is there.
pub(super) fn go(browser: &Browser, chapter: &str, more: &str) {
    browser.run(&format!(
        "const at = new URLSearchParams(location.hash.slice(1)); location.hash = 't=' + at.get('t') + '&c={chapter}{more}'"
    ));
    browser.wait(&format!("return document.querySelector('.chapter.{chapter}')?.childElementCount > 0"));
    // Nothing is loading any more.
    browser.wait("return new Promise((done) => setTimeout(() => done(!document.querySelector('[aria-busy=true]')), 150))");
}

/// Expects that nothing went wrong, and that nothing came from elsewhere. The browser's own pages are in the
/// browser: its start page is there before ours.
fn check_quiet(browser: &Browser, served: &Served, place: &str) {
    let failures =
        browser.run("return [...document.querySelectorAll('[role=alert]')].map((e) => e.textContent)");
    assert_eq!(failures, json!([]), "{place}");
    let logs = browser.logs();
    assert!(logs.is_empty(), "{place}: {logs:?}");
    let own = format!("http://127.0.0.1:{}/", served.port);
    let mine = |url: &&String| {
        !url.starts_with(&own)
            && !["data:", "blob:", "chrome:", "chrome-untrusted:"].iter().any(|s| url.starts_with(s))
    };
    let requested = browser.requested();
    let foreign: Vec<&String> = requested.iter().filter(mine).collect();
    assert!(foreign.is_empty(), "{place}: {foreign:?}");
}

/// What axe finds, if it is there.
fn check_accessible(browser: &Browser, place: &str) {
    let Some(axe) = std::env::var_os(AXE) else { return };
    browser.run(
        "document.querySelectorAll('main details:not(.live-part)').forEach((part) => { part.open = true; })",
    );
    browser.wait("return new Promise((done) => setTimeout(() => done(true), 500))");
    browser.run(&std::fs::read_to_string(axe).unwrap());
    let found = browser.run_async(
        "axe.run({resultTypes: ['violations']}).then((r) => done(r.violations.map((v) => [v.id, v.nodes.map((n) => n.html).slice(0, 3)])))",
    );
    assert_eq!(found, json!([]), "{place}");
}

fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os(PICTURES) {
        browser.screenshot(&std::path::Path::new(&folder).join(format!("{name}.png")));
    }
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let dir = with_text();
    let small = small_mnist(dir.path(), 3000, 200);
    let data = small.to_str().unwrap();
    ok(dir.path(), &["digits", "train", "--epochs", "5", "--run", "d", "--data", data, "--train-on-all"]);
    // It knows few letters, and reads few: the page begins with a text that suits it.
    let train = "gpt train --max-iters 40 --run g --data a.txt --n-layer 2 --n-head 2 --n-embd 16 --block-size 16 \
                 --batch-size 4 --positions sinusoidal --positions-base 100";
    ok(dir.path(), &train.split_whitespace().collect::<Vec<_>>());
    let translate = "translate train --data copy --max-iters 20 --eval-translations 4 --d-model 16 --d-ff 32 --n-head 2 \
                     --encoder-layers 1 --decoder-layers 1 --max-length 16 --run t";
    ok(dir.path(), &translate.split_whitespace().collect::<Vec<_>>());
    let served = Served::start(dir.path(), &["d", "g", "t"]);
    browser.open(&served.address);
    browser.wait("return document.querySelector('#path a') && document.querySelector('h1')");
    check_quiet(&browser, &served, "start");

    for chapter in CHAPTERS {
        go(&browser, chapter, "");
        check_quiet(&browser, &served, chapter);
        for scheme in ["light", "dark"] {
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            browser.devtools("Emulation.setEmulatedMedia", features);
            check_accessible(&browser, &format!("{chapter}, {scheme}"));
            picture(&browser, &format!("{chapter}-{scheme}"));
        }
        // On a phone, nothing is cut off.
        browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true}),
        );
        let width = browser.run("return document.documentElement.scrollWidth");
        assert!(width.as_u64() <= Some(360), "{chapter} is {width} wide on 360");
        picture(&browser, &format!("{chapter}-360"));
        browser.devtools("Emulation.clearDeviceMetricsOverride", json!({}));
        // Every picture has a name for those who do not see it.
        let unnamed = "return [...document.querySelectorAll('canvas, svg[role=img]')].filter((e) => !e.getAttribute('aria-label') && \
                       !e.getAttribute('aria-labelledby') && !e.closest('[aria-hidden=true]') && !e.querySelector?.('title')).length";
        assert_eq!(browser.run(unnamed), json!(0), "{chapter}");
    }

    go(&browser, "core", "");
    browser.wait("return document.querySelector('.chapter.core').textContent.includes('512 tokens')");
    the_formula_is_that_of_the_model(&browser);
    draws(&browser, &served);
    keyboard::walk(&browser, &served);
    browser.open(&served.address.replacen("/#", "/?lang=es#", 1));
    browser.wait("return document.querySelector('#path a')");
    assert_eq!(browser.run("return document.documentElement.lang"), "es");
    check_quiet(&browser, &served, "in Spanish");
}

fn the_formula_is_that_of_the_model(browser: &Browser) {
    go(browser, "gpt", "&m=g");
    let part = "[...document.querySelectorAll('main details')].find((part) => part.textContent.startsWith('The table of positions'))";
    browser.run(&format!("{part}.open = true"));
    let formula = browser.wait(&format!("return {part}.querySelector('.formula')?.textContent"));
    let formula = formula.as_str().unwrap();
    assert!(formula.contains("100") && !formula.contains("1000"), "{formula}");
}

/// Draws a one with the mouse, a hundred moves, and one with the keyboard.
fn draws(browser: &Browser, served: &Served) {
    go(browser, "digits", "&m=d");
    browser.run("document.getElementById('pad').scrollIntoView({block: 'center'})");
    let area = browser.run("const r = document.getElementById('pad').getBoundingClientRect(); return [r.left, r.top, r.width, r.height]");
    let area: Vec<f64> = area.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let at = |x: f64, y: f64| (area[0] + area[2] * x, area[1] + area[3] * y);
    let stroke: Vec<(f64, f64)> = (0..=100).map(|i| at(0.5, 0.15 + 0.7 * f64::from(i) / 100.0)).collect();
    browser.run("performance.clearMeasures('draw')");
    browser.draw(&stroke);
    browser.wait("return performance.getEntriesByName('draw').length > 5");
    let verdict = browser.wait("return document.getElementById('verdict').textContent");
    let digit = browser.run("return document.querySelector('#verdict .digit')?.textContent");
    assert_eq!(digit, "1", "{verdict}");
    let times = || -> Vec<f64> {
        let times = browser.run("return performance.getEntriesByName('draw').map((m) => m.duration)");
        times.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let idle = times();
    println!("pointer to picture: p95 {:.1} ms of {}", p95(idle.clone()), idle.len());
    // 33 ms is for a machine with nothing else to do; the tests share few cores.
    assert!(p95(idle) < 150.0);

    // While a training runs.
    let settings = json!({"epochs": 1000, "hidden": [100]});
    served.posted("/api/training/start", json!({"kind": "digits", "settings": settings}));
    browser.wait("return new Promise((done) => setTimeout(() => done(true), 500))");
    browser.run("performance.clearMeasures('draw')");
    browser.draw(&stroke);
    browser.wait("return performance.getEntriesByName('draw').length > 5");
    let busy = times();
    println!("while a training runs: p95 {:.1} ms of {}", p95(busy.clone()), busy.len());
    assert!(p95(busy) < 400.0);
    served.posted("/api/training/control", json!({"stop": true}));

    // A text that looks like markup stays text.
    let prompt = "%3Cscript%3Edocument.title%3D%27gone%27%3C%2Fscript%3E";
    go(browser, "gpt", &format!("&m=gpt&text={prompt}"));
    browser.wait("return document.querySelectorAll('.chips .chip').length > 5");
    let chips = browser
        .run("return [...document.querySelectorAll('.chips .chip')].map((c) => c.textContent).join('')");
    assert_eq!(chips, "<script>document.title='gone'</script>");
    assert_ne!(browser.run("return document.title"), Value::from("gone"));
    check_quiet(browser, served, "markup");
}
