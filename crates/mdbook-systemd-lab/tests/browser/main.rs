//! The built guide in a real browser, opened as files, as by a reader without a network.

mod axe;
mod book;
mod devtools;

use serde_json::Value;

use book::Book;
use devtools::{Browser, Page};

/// A small phone.
const PHONE: u32 = 400;
const DESKTOP: u32 = 1200;

/// 210 mm by 297 mm.
const A4_INCHES: (f64, f64) = (8.27, 11.69);

/// mdBook's default theme, and a dark one.
const THEMES: [&str; 2] = ["light", "navy"];

/// How many times Tab is pressed at most: there are fewer links and buttons before the choice.
const TABS: usize = 80;

const SAYS: &str = "document.querySelector('.try-it-says').textContent";
const FOCUSED: &str = "document.activeElement.name || document.activeElement.localName";

/// Shapes and words in the text's pictures that cannot be seen: they have no size, or the colour of their
/// background.
const INVISIBLE: &str = "(() => {
    const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const color = getComputedStyle(one).backgroundColor;
            if (!/, 0\\)$/.test(color)) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const invisible = [];
    let looked_at = 0;
    for (const svg of document.querySelectorAll('main svg')) {
        const box = svg.getBoundingClientRect();
        if (!(box.width > 0 && box.height > 0)) invisible.push('no size: ' + svg.outerHTML.slice(0, 100));
        for (const shape of svg.querySelectorAll('path, text, rect, circle, line')) {
            const { fill, stroke } = getComputedStyle(shape);
            const colors = [fill, stroke].filter((color) => color !== 'none');
            looked_at += 1;
            if (!colors.some((color) => color !== behind(svg))) invisible.push('no colour: ' + shape.outerHTML.slice(0, 100));
        }
    }
    return { looked_at, invisible };
})()";

#[test]
fn every_page_loads_whole_and_fits_a_phone() {
    let book = Book::build();
    assert!(book.pages.iter().any(|page| page == "print.html"));
    let mut browser = Browser::start();
    for name in &book.pages {
        for theme in THEMES {
            let mut page = browser.page();
            page.theme(theme);
            page.resize(PHONE);
            page.open(&book.address(name));
            page.settle();
            assert_eq!(page.complaints, [] as [&str; 0], "{name} in theme {theme}");
            let classes = page.text("document.documentElement.className");
            assert!(classes.split(' ').any(|class| class == theme), "{classes}");
            let width = page.value("document.documentElement.scrollWidth");
            assert!(
                width.as_u64() <= Some(PHONE.into()),
                "{name} is {width} pixels wide"
            );
            let seen = page.value(INVISIBLE);
            assert_eq!(
                seen["invisible"],
                Value::Array(Vec::new()),
                "{name} in theme {theme}"
            );
            if name == "try-it.html" {
                assert!(
                    seen["looked_at"].as_u64() > Some(0),
                    "no picture to look at"
                );
            }
        }
    }
}

#[test]
fn no_page_breaks_a_rule_of_axe_core() {
    let book = Book::build();
    let axe = axe::script();
    let mut browser = Browser::start();
    let mut found = Vec::new();
    // The print page is all the others in one.
    for name in book.pages.iter().filter(|name| *name != "print.html") {
        for theme in THEMES {
            let mut page = browser.page();
            page.theme(theme);
            page.resize(DESKTOP);
            page.open(&book.address(name));
            page.settle();
            let violations = axe::violations(&mut page, &axe);
            found.extend(
                violations
                    .iter()
                    .map(|one| format!("{name}, {theme}: {one}")),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn axe_core_notices_what_is_wrong() {
    let mut browser = Browser::start();
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let path = directory.path().join("bad.html");
    let text = "<html lang=en><title>Bad</title><main><h1>Bad</h1><svg role=img width=9 height=9></svg><p style='color: #ccc'>pale</p></main>";
    std::fs::write(&path, text).expect("the page can be written");
    let mut page = browser.page();
    page.open(&format!("file://{}", path.display()));
    let found = axe::violations(&mut page, &axe::script()).join("\n");
    for rule in ["svg-img-alt", "color-contrast"] {
        assert!(found.contains(rule), "{rule} is not in: {found}");
    }
}

#[test]
fn each_directive_has_become_what_it_stands_for() {
    let book = Book::build();
    let mut seen = 0;
    for name in &book.pages {
        let Some(source) = book.source(name) else {
            continue;
        };
        let html = book.html(name);
        let pictures = source.matches("{{#timeline ").count();
        assert_eq!(
            html.matches("class=\"systemd-timeline\"").count(),
            pictures,
            "{name}"
        );
        assert!(!html.contains("{{#"), "{name}");
        seen += pictures;
    }
    assert!(seen > 0, "the guide has pictures");
}

#[test]
fn what_is_not_there_is_noticed() {
    let mut browser = Browser::start();
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let path = directory.path().join("bad.html");
    let text = "<main><img src=absent.png><script src='http://127.0.0.1:9/x.js'></script><script>absent()</script>\
                <div style='width: 900px'>wide</div><svg width=9 height=9><path fill=white d='M0 0h9v9z'/></svg></main>";
    std::fs::write(&path, text).expect("the page can be written");
    let mut page = browser.page();
    page.resize(PHONE);
    page.open(&format!("file://{}", path.display()));
    page.settle();
    let complaints = page.complaints.join("\n");
    for expected in [
        "failed request",
        "request to http://127.0.0.1:9/x.js",
        "absent is not defined",
    ] {
        assert!(
            complaints.contains(expected),
            "{expected} is not in: {complaints}"
        );
    }
    assert!(page.value("document.documentElement.scrollWidth").as_u64() > Some(PHONE.into()));
    let invisible = page.value(INVISIBLE)["invisible"].clone();
    assert_eq!(invisible.as_array().map(Vec::len), Some(1), "{invisible}");
}

#[test]
fn one_can_choose_with_the_keyboard_alone() {
    let book = Book::build();
    let mut browser = Browser::start();
    let mut page = browser.page();
    page.resize(DESKTOP);
    page.open(&book.address("try-it.html"));
    tab_to(&mut page, "cause");
    let first = page.text(SAYS);
    assert!(first.contains("start limit hit"), "{first}");

    page.press("ArrowDown");
    let hiccup = page.text(SAYS);
    assert!(hiccup.starts_with("It comes back twice"), "{hiccup}");
    // Elsewhere, these keys make mdBook turn the page.
    page.press("ArrowRight");
    page.press("ArrowLeft");
    assert_eq!(page.text(SAYS), hiccup);
    assert!(
        page.text("location.href")
            .contains("try-it.html#restart=on-failure&cause=hiccup&")
    );

    page.press("Tab");
    assert_eq!(page.text(FOCUSED), "restart");
    for _ in 0..2 {
        page.press("ArrowUp");
    }
    assert_eq!(page.text("document.activeElement.value"), "always");
    page.press("Tab");
    assert_eq!(page.text(FOCUSED), "delay");
    page.press("ArrowDown");
    let says = page.text(SAYS);
    assert!(says.starts_with("Not measured"), "{says}");
    assert_eq!(
        page.value("document.querySelectorAll('.try-it-timeline li').length"),
        0
    );

    tab_to(&mut page, "button");
    page.press("Enter");
    let says = page.text(SAYS);
    assert!(says.starts_with("It comes back twice, 5 s"), "{says}");
    let link = "#restart=on-failure&cause=hiccup&delay=5s&limit=5-in-10s";
    assert!(page.text("location.href").ends_with(link));
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn each_measured_choice_is_shown_and_each_link_leads_to_it() {
    let book = Book::build();
    let mut browser = Browser::start();
    let mut page = browser.page();
    page.open(&book.address("try-it.html"));
    let wrong = page.value(
        "(async () => {
            const data = JSON.parse(document.getElementById('try-it-measured').textContent);
            const wrong = [];
            for (const [key, index] of Object.entries(data.choices)) {
                const ids = key.split(' ');
                const changed = new Promise((done) => addEventListener('hashchange', done, { once: true }));
                location.hash = data.questions.map(({ id }, at) => `${id}=${ids[at]}`).join('&') + '&';
                await changed;
                const { says, rows } = data.outcomes[index];
                const checked = [...document.querySelectorAll('.try-it :checked')].map((input) => input.value);
                const shown = [...document.querySelectorAll('.try-it-timeline li:not(.is-wait) .words')].map((one) => one.textContent);
                const unit = document.querySelector('.try-it-unit pre').textContent;
                const good = document.querySelector('.try-it-says').textContent === says
                    && ids.every((id) => checked.includes(id))
                    && JSON.stringify(shown) === JSON.stringify(rows.map((row) => row[2]))
                    && unit.includes(`\\nRestart=${ids[0]}\\n`) && unit.includes(`\\nRestartSec=${ids[2]}\\n`);
                if (!good) wrong.push(key);
            }
            return { wrong, count: Object.keys(data.choices).length };
        })()",
    );
    assert_eq!(wrong["wrong"], Value::Array(Vec::new()));
    assert!(wrong["count"].as_u64() > Some(100), "{wrong}");
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn without_javascript_there_is_the_list() {
    let book = Book::build();
    let mut browser = Browser::start();
    let mut page = browser.page();
    page.call(
        "Emulation.setScriptExecutionDisabled",
        serde_json::json!({"value": true}),
    );
    page.open(&book.address("try-it.html"));
    let text = page.text("document.querySelector('main').innerText");
    assert!(text.contains("Choosing needs JavaScript"), "{text}");
    assert!(
        text.contains("comes back 4 times, then start limit hit"),
        "{text}"
    );
    assert!(!text.contains("Link to this choice"), "{text}");
}

#[test]
fn the_print_page_is_complete() {
    let book = Book::build();
    let mut browser = Browser::start();
    let mut headings = |name: &str| -> Vec<String> {
        let mut page = browser.page();
        page.open(&book.address(name));
        let text = page.text("[...document.querySelectorAll('main :is(h1, h2, h3)')].map((one) => one.textContent.trim()).join('\\n')");
        text.lines().map(str::to_owned).collect()
    };
    let printed = headings("print.html");
    // The first chapter is there twice.
    let chapters = book
        .pages
        .iter()
        .filter(|name| !["print.html", "index.html"].contains(&name.as_str()));
    for name in chapters {
        let expected = headings(name);
        assert!(!expected.is_empty(), "{name} has no heading");
        let is_there = printed.windows(expected.len()).any(|some| some == expected);
        assert!(
            is_there,
            "{name}: {expected:?} is not in print.html: {printed:?}"
        );
    }
}

/// The print page has a second sheet, so a surplus sheet would show.
#[test]
fn the_cheat_sheet_fits_one_sheet_of_a4() {
    let book = Book::build();
    let mut browser = Browser::start();
    let mut has_sheet = |name: &str, number: u32| {
        let mut page = browser.page();
        page.open(&book.address(name));
        page.prints(A4_INCHES, number)
    };
    assert!(has_sheet("cheat-sheet.html", 1));
    assert!(!has_sheet("cheat-sheet.html", 2));
    assert!(has_sheet("print.html", 2));
}

fn tab_to(page: &mut Page<'_>, name: &str) {
    for _ in 0..TABS {
        page.press("Tab");
        if page.text(FOCUSED) == name {
            return;
        }
    }
    panic!("{name} cannot be reached with Tab");
}
