//! The page in Chromium while something under it changes or goes wrong: a damaged run, hasty hands, a run that is
//! trained again, a server that stops.

use std::path::Path;

use serde_json::{Value, json};

use super::browser::go;
use super::served::Served;
use super::trained::wait;
use super::webdriver::Browser;
use crate::support::{ok, small_mnist, wait_until};

/// The sentence that says what went wrong; null without one.
const ALERT: &str = "(document.querySelector('#error [role=alert]')?.textContent ?? null)";

/// Waits until the page says this.
fn says(browser: &Browser, sentence: &str) {
    browser.wait(&format!("return ({ALERT} ?? '').includes({})", json!(sentence)));
}

/// Waits until it says nothing.
fn is_quiet(browser: &Browser) {
    browser.wait(&format!("return {ALERT} === null"));
}

/// Presses the button with this text.
fn press(browser: &Browser, text: &str) {
    let text = json!(text);
    browser.run(&format!(
        "[...document.querySelectorAll('main button')].find((b) => b.textContent === {text}).click()"
    ));
}

/// Types into the field with this label.
fn fill(browser: &Browser, label: &str, value: &str) {
    let (label, value) = (json!(label), json!(value));
    browser.run(&format!(
        "const label = [...document.querySelectorAll('label')].find((l) => l.textContent === {label}); \
         const field = document.getElementById(label.htmlFor); field.value = {value}; \
         for (const name of ['input', 'change']) field.dispatchEvent(new Event(name))"
    ));
}

#[test]
fn the_page_follows_what_changes_under_it() {
    let Some(browser) = Browser::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 2000, 100).display().to_string();
    train(dir.path(), "d", "2", &data);
    let translate = "translate train --data copy --max-iters 20 --eval-translations 4 --d-model 16 --d-ff 32 --n-head 2 \
                     --encoder-layers 1 --decoder-layers 1 --max-length 16 --run t";
    ok(dir.path(), &translate.split_whitespace().collect::<Vec<_>>());
    train(dir.path(), "damaged", "1", &data);
    for floor in ["0.1", "0.5"] {
        let schedule = format!("schedule = {{ kind = \"cosine\", warmup = 0.02, floor = {floor} }}\n");
        std::fs::write(dir.path().join("settings.toml"), schedule).unwrap();
        let run = format!("floor-{floor}");
        let train = "digits train --config settings.toml --epochs 1 --train-on-all";
        let more = ["--run", run.as_str(), "--data", data.as_str()];
        ok(dir.path(), &train.split(' ').chain(more).collect::<Vec<_>>());
    }
    let best = dir.path().join("runs/damaged/best.safetensors");
    let bytes = std::fs::read(&best).unwrap();
    std::fs::write(&best, &bytes[..bytes.len() / 2]).unwrap();
    let served = Served::start(dir.path(), &[]);
    browser.open(&served.address);
    browser.wait("return document.querySelector('#path a')");

    a_damaged_run_is_not_the_end(&browser);
    a_photo_is_read_with_another_model(&browser);
    every_click_is_a_step(&browser, &served);
    a_chapter_that_was_left_says_nothing(&browser);
    settings_that_differ_are_seen(&browser);
    numbers_and_axes_name_each_step(&browser);
    a_success_hides_no_later_failure(&browser);
    a_wrong_number_is_refused(&browser);
    a_live_picture_ends_when_it_is_closed(&browser);
    a_sentence_and_its_heads(&browser);
    the_language_is_that_of_the_page(&browser);
    a_training_is_seen_after_a_reload(&browser, &served, &data);
    a_run_that_is_trained_again_has_its_own_curve(&browser, dir.path(), &data);
    a_server_that_stops_is_missed(&browser, served, dir.path());
}

fn train(dir: &Path, run: &str, epochs: &str, data: &str) {
    ok(dir, &["digits", "train", "--epochs", epochs, "--run", run, "--data", data, "--train-on-all"]);
}

fn a_damaged_run_is_not_the_end(browser: &Browser) {
    browser.run("location.hash += '&c=digits&m=damaged'");
    says(browser, "not a usable checkpoint");
    fill(browser, "Model", "d");
    browser.wait("return document.querySelector('#verdict .digit')");
    is_quiet(browser);
    // Of models that are chosen in haste, the last is the one that is seen.
    browser.run(
        "const choice = document.querySelector('main select'); \
         for (const name of ['digits', 'd', 'digits', 'd', 'digits']) { choice.value = name; choice.dispatchEvent(new Event('change')); }",
    );
    browser.wait("return document.getElementById('verdict').textContent.includes('not sure')");
    browser.wait("return new Promise((done) => setTimeout(() => done(true), 500))");
    let verdict = browser.run("return document.getElementById('verdict').textContent");
    assert!(verdict.as_str().unwrap().contains("not sure"), "untrained: {verdict}");
}

fn a_photo_is_read_with_another_model(browser: &Browser) {
    go(browser, "digits", "&m=d");
    browser.run(
        "const canvas = document.createElement('canvas'); canvas.width = canvas.height = 112; \
         const pen = canvas.getContext('2d'); pen.fillStyle = '#fff'; pen.fillRect(0, 0, 112, 112); \
         pen.fillStyle = '#000'; pen.fillRect(52, 20, 9, 70); \
         return new Promise((done) => canvas.toBlob((blob) => { \
             const data = new DataTransfer(); data.items.add(new File([blob], 'one.png', { type: 'image/png' })); \
             const input = document.getElementById('photo'); input.files = data.files; \
             input.dispatchEvent(new Event('change')); done(true); \
         }))",
    );
    let verdict = "document.getElementById('verdict').textContent";
    browser.wait(&format!("return {verdict}.includes('Digits found in the photo: 1.')"));
    browser.run(&format!("window.before = {verdict}"));
    fill(browser, "Model", "digits");
    browser.wait(&format!("return {verdict} !== window.before"));
    let verdict = browser.run(&format!("return {verdict}"));
    assert!(verdict.as_str().unwrap().contains("Digits found in the photo: 1."), "{verdict}");
}

/// Neither the requests of a chapter that was left nor those that waited for them write beside the next one.
fn a_chapter_that_was_left_says_nothing(browser: &Browser) {
    browser.devtools("Network.enable", json!({}));
    let latency = |ms: u32| {
        let slow = json!({"offline": false, "latency": ms, "downloadThroughput": -1, "uploadThroughput": -1});
        browser.devtools("Network.emulateNetworkConditions", slow);
    };
    go(browser, "neuron", "");
    latency(500);
    for _ in 0..3 {
        press(browser, "Steps: 1");
    }
    browser.run("location.hash = location.hash.replace('neuron', 'runs')");
    browser.wait("return new Promise((done) => setTimeout(() => done(true), 2500))");
    latency(0);
    browser.wait("return document.querySelector('.chapter.runs table')");
    let titles = "return [document.querySelector('h1').textContent, document.querySelector('#numbers h2').textContent]";
    assert_eq!(browser.run(titles), json!(["Runs", "Numbers"]));
    is_quiet(browser);
}

fn settings_that_differ_are_seen(browser: &Browser) {
    go(browser, "runs", "");
    press(browser, "Choose none");
    for floor in ["0.1", "0.5"] {
        browser.run(&format!("document.querySelector('[aria-label=\"Compare floor-{floor}\"]').click()"));
    }
    let schedule = "[...document.querySelectorAll('.chapter.runs table:not(.runs) tbody tr')].map((row) => row.textContent)";
    browser.wait(&format!(
        "return {schedule}.includes('schedulecosine (floor 0.1, warmup 0.02)cosine (floor 0.5, warmup 0.02)')"
    ));
}

fn numbers_and_axes_name_each_step(browser: &Browser) {
    go(browser, "neuron", "");
    let shown = browser.run(
        "return (async () => { \
             const { Chart, number, percent } = await import('/lib/page.js'); \
             const chart = new Chart('chart', 'Step', 'loss'); \
             const box = document.createElement('div'); box.style.width = '270px'; box.append(chart.node); \
             document.querySelector('main').append(box); \
             const labels = (points) => { \
                 chart.update([{ name: 'loss', points }]); \
                 const all = [...chart.art.querySelectorAll('text[text-anchor=middle]:not([transform])')]; \
                 const places = all.map((text) => text.getBoundingClientRect()); \
                 const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom; \
                 return [places.some((a, i) => places.slice(i + 1).some((b) => meet(a, b))), all.slice(0, -1).map((t) => t.textContent)]; \
             }; \
             const many = labels([[1000000, 1], [1009000, 2]]); \
             const one = labels([[5000, 0.9385]]); \
             box.remove(); \
             return [[number(1004000), number(1004000, 7), number(0.00012345, 3), percent(null)], many, one]; \
         })()",
    );
    assert_eq!(shown[0], json!(["1004000", "1004000", "0.000123", "–"]));
    assert_eq!((&shown[1][0], &shown[2]), (&json!(false), &json!([false, ["5000"]])), "{shown}");
    assert!(shown[1][1].as_array().unwrap().len() >= 2, "{shown}");
}

fn every_click_is_a_step(browser: &Browser, served: &Served) {
    go(browser, "neuron", "");
    browser.run(
        "const one = [...document.querySelectorAll('main button')].find((b) => b.textContent === 'Steps: 1'); \
         for (let i = 0; i < 7; i++) one.click();",
    );
    let start = json!({
        "x": [[1]], "w": [[2]], "b": [2], "y": [[0]], "activation": "sigmoid", "cost": "quadratic", "lr": 0.5,
        "steps": 7, "sweep": null,
    });
    let stepped = served.posted("/api/neuron", start);
    let w = stepped["path"].as_array().unwrap().last().unwrap()["w"].to_string();
    let w: f64 = w.trim_matches(['[', ']']).parse().unwrap();
    browser.wait(&format!(
        "return Math.abs(document.querySelector('.drag[aria-label=\"weight w\"]').ariaValueNow - {w}) < 1e-6"
    ));
    let points = "[...document.querySelectorAll('main .chart')].find((c) => c.ariaLabel === 'Cost after each step')\
                  .querySelector('polyline').getAttribute('points').split(' ').length";
    browser.wait(&format!("return {points} === 8"));
}

/// A browser has six connections for a server, and the picture of the runs holds one while it is open.
fn a_live_picture_ends_when_it_is_closed(browser: &Browser) {
    go(browser, "notes", "&note=09-what-if-ablation");
    browser.wait("return document.querySelector('details.live-part')");
    for _ in 0..8 {
        browser.run("document.querySelector('details.live-part').open = true");
        browser.wait("return document.querySelector('details.live-part .chapter.runs table')");
        browser.run("document.querySelector('details.live-part').open = false");
        browser.wait("return !document.querySelector('details.live-part .chapter')");
    }
    let status = browser.run(
        "return fetch('/lib/page.js', { cache: 'no-store', signal: AbortSignal.timeout(5000) }) \
             .then(({ status }) => status, () => 'no answer')",
    );
    assert_eq!(status, json!(200));
}

fn a_success_hides_no_later_failure(browser: &Browser) {
    let shown = browser.run(
        "return (async () => { \
             const { attempt, latest, ApiError } = await import('/lib/page.js'); \
             const slow = attempt(() => new Promise((done) => setTimeout(done, 100))); \
             await attempt(async () => { throw new ApiError('wrong'); }); \
             await slow; \
             await latest(async () => {})(); \
             const after = document.getElementById('error').textContent; \
             await attempt(async () => {}); \
             return [after, document.getElementById('error').textContent]; \
         })()",
    );
    assert_eq!(shown, json!(["wrong", ""]));
}

fn a_wrong_number_is_refused(browser: &Browser) {
    go(browser, "train", "");
    for (label, value, sentence) in [
        ("seed", "9007199254740993", "Seed must be a whole number, 0 or more, of at most 15 digits."),
        ("seed", "", "Seed must be a number."),
        ("hidden", "30, x", "hidden must be a whole number, 0 or more, of at most 15 digits."),
        ("epochs", "1.5", "epochs is 1.5: it must be a whole number, 0 or above"),
        ("Name of the run", "d", "exists: choose another name"),
    ] {
        fill(browser, "seed", "1");
        fill(browser, "hidden", "30");
        fill(browser, "epochs", "3");
        fill(browser, label, value);
        press(browser, "Start");
        says(browser, sentence);
    }
    // Of a rate, only that it is a number.
    fill(browser, "Name of the run", "");
    fill(browser, "learning_rate", "1e30");
    fill(browser, "seed", "");
    press(browser, "Start");
    says(browser, "Seed must be a number.");
}

fn a_sentence_and_its_heads(browser: &Browser) {
    go(browser, "translation", "&m=t");
    let translation = "return document.getElementById('translation')?.textContent ?? null";
    let before = browser.wait(translation);
    let last = "[...document.querySelectorAll('main select option')].at(-1)";
    browser.wait(&format!("return {last}?.textContent === 'Layer 0, head 1'"));
    fill(browser, "Sentence", "  ");
    press(browser, "Translate");
    says(browser, "the text is empty");
    assert_eq!(browser.run(translation), before);
    fill(browser, "Beam width", "2.5");
    press(browser, "Translate");
    says(browser, "Beam width must be a whole number");
}

fn the_language_is_that_of_the_page(browser: &Browser) {
    let choose = |language: &str| {
        browser.run(&format!(
            "const choice = document.querySelector('#top select'); choice.value = '{language}'; choice.dispatchEvent(new Event('change'))"
        ));
    };
    go(browser, "core", "");
    choose("es");
    browser.wait("return document.documentElement.lang === 'es' && document.querySelector('#top select')?.value === 'es'");
    browser.wait("return document.querySelector('.chapter.core .lane')?.textContent.includes('imágenes')");
    browser.run("history.back()");
    browser.wait(
        "return document.querySelector('#top select')?.value === document.documentElement.lang && !location.hash.includes('c=core')",
    );
    choose("en");
    browser.wait("return document.documentElement.lang === 'en' && document.querySelector('#path a')");
}

/// The numbers of points in both curves of a training.
const CURVES: &str = "[...document.querySelectorAll('.chapter.train .chart')].map((c) => \
                      c.querySelector('polyline')?.getAttribute('points').split(' ').length ?? 0)";

fn a_training_is_seen_after_a_reload(browser: &Browser, served: &Served, data: &str) {
    let settings = json!({"epochs": 4, "data": data, "train_on_all": true});
    served.posted("/api/training/start", json!({"kind": "digits", "settings": settings, "speed": "pause"}));
    wait(served, "paused");
    for _ in 0..3 {
        served.posted("/api/training/control", json!({"speed": "step"}));
    }
    wait_until(|| served.got("/api/training")["step"] == 3);
    wait(served, "paused");
    // The mini-batch of an opened step is that of the step, not the first.
    let batch = |body: Value| served.posted("/api/digits/step", body)["labels"].clone();
    let labels = batch(json!({"model": "training"}));
    assert_ne!(labels, batch(json!({"model": "training", "step": 0})));
    go(browser, "train", "");
    browser.wait("return document.querySelector('#training-state')?.textContent.includes('3 / 800')");
    press(browser, "Open a step");
    let digits: Vec<String> = labels.as_array().unwrap().iter().map(Value::to_string).collect();
    browser.wait(&format!(
        "return document.querySelector('.chapter.train').textContent.includes('examples of {},')",
        digits.join(" ")
    ));
    // As many neurons as examples: only rows that are examples are called so.
    let first_rows = browser.run_async(
        "const [box, found] = [document.querySelector('.chapter.train'), []];
         const slider = box.querySelector('[type=range]');
         const pause = () => new Promise((then) => setTimeout(then, 250));
         for (let i = 0; i <= Number(slider.max); i++) {
             slider.value = i;
             slider.dispatchEvent(new Event('input'));
             await pause();
             const picture = box.querySelector('.sides figure');
             if (!picture) continue;
             picture.querySelector('details').open = true;
             await pause();
             const row = picture.querySelector('.figures tbody tr') ?? picture.querySelectorAll('.figures tr')[1];
             found.push([picture.querySelector('canvas').getAttribute('aria-label'), row.firstElementChild.textContent]);
         }
         done(found);",
    );
    let first_rows = first_rows.as_array().unwrap();
    let of = |name: &str| {
        let lines = first_rows.iter().filter(|line| line[0].as_str().unwrap().starts_with(name));
        lines.map(|line| line[1].as_str().unwrap().starts_with("example 0")).collect::<Vec<_>>()
    };
    assert!(of("nabla_w, 10 ×").iter().chain(&of("w, 10 ×")).all(|is_example| !is_example), "{first_rows:?}");
    assert!(!of("nabla_w, 10 ×").is_empty() && !of("z, 10 ×").is_empty(), "{first_rows:?}");
    assert!(of("z, 10 ×").iter().all(|is_example| *is_example), "{first_rows:?}");

    served.posted("/api/training/control", json!({"speed": "full"}));
    wait(served, "finished");
    browser.wait("return document.querySelector('#training-state').textContent.includes('finished')");
    browser.run("location.reload()");
    browser.wait(&format!("const [losses, marks] = {CURVES}; return losses > 300 && marks === 4"));
}

fn a_run_that_is_trained_again_has_its_own_curve(browser: &Browser, dir: &Path, data: &str) {
    train(dir, "again", "5", data);
    go(browser, "runs", "");
    press(browser, "Choose none");
    browser.run("document.querySelector('[aria-label=\"Compare again\"]').click()");
    let points =
        "(document.querySelector('.chapter.runs polyline')?.getAttribute('points').split(' ').length ?? 0)";
    browser.wait(&format!("return {points} === 5"));
    ok(dir, &["runs", "delete", "again", "--yes"]);
    browser.wait(&format!("return {points} === 0"));
    train(dir, "again", "3", data);
    browser.wait("return document.querySelector('[aria-label=\"Compare again\"]')");
    browser.run("document.querySelector('[aria-label=\"Compare again\"]').click()");
    browser.wait(&format!("return {points} === 3"));
    // In one go, and while the curve is shown.
    ok(
        dir,
        &[
            "digits",
            "train",
            "--epochs",
            "2",
            "--run",
            "again",
            "--data",
            data,
            "--train-on-all",
            "--overwrite",
        ],
    );
    browser.wait(&format!("return {points} === 2"));
}

fn a_server_that_stops_is_missed(browser: &Browser, served: Served, dir: &Path) {
    let port = served.port.to_string();
    is_quiet(browser);
    drop(served);
    says(browser, "The server does not answer.");
    // A chapter that was not opened before cannot be loaded.
    let path =
        "const at = new URLSearchParams(location.hash.slice(1)); location.hash = 't=' + at.get('t') + '&c=";
    browser.run(&format!("{path}notes'"));
    browser.wait("return document.querySelector('.chapter.notes')?.textContent.includes('The server does not answer.')");
    browser.run(&format!("{path}runs'"));
    browser.wait(
        "return document.querySelector('.chapter.runs')?.textContent.includes('The server does not answer.')",
    );

    // Another server at the same address does not know the token, and is not asked again and again.
    let other = Served::start(dir, &["--port", &port]);
    browser.open(&other.address);
    browser.wait("return document.querySelector('#path a')");
    go(browser, "runs", "");
    drop(other);
    says(browser, "The server does not answer.");
    let _third = Served::start(dir, &["--port", &port]);
    says(browser, "the token is missing or wrong");
    browser.requested();
    browser.wait("return new Promise((done) => setTimeout(() => done(true), 3000))");
    assert_eq!(browser.requested(), Vec::<String>::new());
}
