//! Every chapter with the keyboard alone: Tab, Enter, Space, the arrow keys, letters. Wherever the focus goes, it is
//! seen.

use super::served::Served;
use super::webdriver::{Browser, key};

/// The most presses of Tab to reach anything.
const MOST_TABS: usize = 300;

/// Whether the element with the focus has an outline and is in the window; null if nothing has the focus.
const IS_SEEN: &str = "const e = document.activeElement; const s = getComputedStyle(e); const r = e.getBoundingClientRect(); \
     return e === document.body ? null \
     : (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.bottom > 0 && r.top < innerHeight) \
     || `outline ${s.outlineStyle} ${s.outlineWidth}, from ${r.top} to ${r.bottom} of ${innerHeight}: ${e.outerHTML.slice(0, 120)}`";

/// Presses Tab until the element is reached, and looks at each place where the focus stops.
fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..MOST_TABS {
        browser.press(key::TAB);
        let seen = browser.run(IS_SEEN);
        if seen.is_null() {
            continue;
        }
        assert_eq!(seen, true, "on the way to {selector}");
        if browser.run(&format!("return document.activeElement.matches({selector:?})")).as_bool()
            == Some(true)
        {
            return;
        }
    }
    panic!("Tab does not reach {selector}");
}

/// Goes to a chapter through the list of chapters.
fn enter(browser: &Browser, chapter: &str) {
    tab_to(browser, &format!("#path a[href*='c={chapter}']"));
    browser.press(key::ENTER);
    browser.wait(&format!("return document.querySelector('.chapter.{chapter}')?.childElementCount > 1"));
    assert_eq!(browser.run("return document.activeElement.id"), "main");
}

/// The text of an element.
fn text(browser: &Browser, selector: &str) -> String {
    let found = browser.run(&format!("return document.querySelector({selector:?})?.textContent"));
    found.as_str().unwrap_or_default().to_string()
}

/// Waits until an element has another text.
fn changes(browser: &Browser, selector: &str, before: &str) {
    browser.wait(&format!(
        "return (document.querySelector({selector:?})?.textContent ?? {before:?}) !== {before:?}"
    ));
}

/// Does something in every chapter.
pub fn walk(browser: &Browser, served: &Served) {
    browser.open("about:blank");
    browser.open(&served.address);
    browser.wait("return document.querySelector('.chapter.start')?.childElementCount > 0");
    tab_to(browser, "#skip");
    browser.press(key::ENTER);
    assert_eq!(browser.run("return document.activeElement.id"), "main");

    enter(browser, "neuron");
    tab_to(browser, ".drag[role=slider]");
    let value = "return document.activeElement.getAttribute('aria-valuenow')";
    let before = browser.run(value);
    browser.press(key::RIGHT);
    assert_ne!(browser.run(value), before);
    let before = text(browser, "#numbers");
    tab_to(browser, "button.main");
    browser.press(key::ENTER);
    changes(browser, "#numbers", &before);

    // A one: up without the pen, then down with it.
    enter(browser, "digits");
    tab_to(browser, "#pad");
    browser.press(&key::UP.repeat(8));
    browser.press(" ");
    browser.press(&key::DOWN.repeat(17));
    browser.wait("return document.querySelector('#verdict .digit')?.textContent === '1'");

    // Slowly, so that it does not end before it is stopped.
    enter(browser, "train");
    tab_to(browser, ".field:nth-child(3) > select");
    browser.press(key::DOWN);
    tab_to(browser, "#start");
    browser.press(key::ENTER);
    browser.wait("return /training/.test(document.getElementById('training-state').textContent)");
    tab_to(browser, "#training-state ~ .row button:last-child");
    browser.press(key::ENTER);
    browser.wait("return /stopped/.test(document.getElementById('training-state').textContent)");
    tab_to(browser, "#open-step");
    browser.press(key::ENTER);
    browser.wait("return document.querySelector('.stop.now')");
    tab_to(browser, "[type=range]");
    browser.press(&key::RIGHT.repeat(4));
    browser.wait("return document.querySelector('.stop.now')?.dataset.at === '4'");
    let shown = "return document.querySelector('.matrix canvas[aria-label^=\"layer2.a\"], .matrix canvas[aria-label^=\"a,\"]') !== null";
    browser.wait(shown);

    enter(browser, "tokens");
    tab_to(browser, ".chip");
    let before = text(browser, ".sides > :last-child");
    browser.press(key::RIGHT);
    changes(browser, ".sides > :last-child", &before);

    enter(browser, "gpt");
    tab_to(browser, "textarea");
    let before = text(browser, "#gpt-summary");
    browser.press("7");
    changes(browser, "#gpt-summary", &before);
    tab_to(browser, ".chip[aria-pressed=true]");
    let before = text(browser, ".says");
    browser.press(key::LEFT);
    changes(browser, ".says", &before);
    tab_to(browser, "[data-head='1 1']");
    browser.press(key::ENTER);
    browser
        .wait("return document.querySelector(\"[data-head='1 1']\").getAttribute('aria-pressed') === 'true'");
    // A token is added, and the focus stays among the next ones.
    tab_to(browser, ".bars button.chip");
    let before = text(browser, ".chips");
    browser.press(key::ENTER);
    changes(browser, ".chips", &before);
    browser.wait("return document.activeElement.closest('.bars') !== null");
    tab_to(browser, ".part.op > summary");
    browser.press(key::ENTER);
    browser.wait("return document.querySelector('.part.op[open] canvas')");

    enter(browser, "what-if");
    tab_to(browser, ".chapter > div:nth-of-type(2) > .field:nth-child(2) > select");
    let mask = ".sides > :last-child .hint";
    let before = text(browser, mask);
    browser.press(key::DOWN);
    changes(browser, mask, &before);

    enter(browser, "core");
    browser.wait("return document.querySelector('.fn') !== null");
    tab_to(browser, ".fn");
    browser.press(key::ENTER);
    browser.wait("return document.querySelector('dialog[open] .marked')");
    browser.press(key::ESCAPE);
    browser.wait("return !document.querySelector('dialog')");

    enter(browser, "runs");
    tab_to(browser, ".runs [type=checkbox]");
    let checked = "return document.activeElement.checked";
    let before = browser.run(checked);
    browser.press(" ");
    assert_ne!(browser.run(checked), before);

    enter(browser, "translation");
    tab_to(browser, "button.main");
    browser.press(key::ENTER);
    browser.wait("return document.querySelector('.tree')");

    enter(browser, "notes");
    tab_to(browser, "article a[href*='note=']");
    let before = text(browser, "article h2, article h1");
    browser.press(key::ENTER);
    changes(browser, "article h2, article h1", &before);
}
