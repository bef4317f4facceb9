//! The page at `/` in a real browser: it searches, shows a swap of plugins, draws figures and the world, and
//! everything can be done from the keyboard.

use std::time::Duration;

use serde_json::{Value, json};
use services::Browser;

use crate::support::browser::{END, ENTER, ESCAPE, HOME, LEFT, PAGE_DOWN, Page, RIGHT, TAB, UP};
use crate::support::client::wait_for;
use crate::support::server::Local;
use crate::support::tree::Tree;
use crate::support::{fixture, folder_of, put};

/// Waits until an element's text satisfies `fits`, and returns it.
async fn text(page: &Page, css: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    for _ in 0..600 {
        if let Some(found) = page.text(css).await {
            if fits(&found) {
                return found;
            }
            last = found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{css} shows {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_searches_sees_a_swap_and_looks_at_the_world() {
    let tree = Tree::of(&[
        ("a.txt", "the quick brown fox\n"),
        ("b.txt", "jumps over the lazy dog\n"),
        ("c.txt", "<script>document.title = 'taken'</script> and the fox runs away from the d\u{f8}g\n"),
    ]);
    let plugins = folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]);
    let server = Local::start(&tree, |settings| settings.server.plugin_folders = vec![plugins.path().to_owned()]).await;
    let browser = Browser::start();
    let page = Page::open(&browser, &server.url("/"), false).await;

    // The box has the focus: type and press Enter. The ranker that a folder brought is among those to pick.
    text(&page, "#ranker", |names| names.contains("versioned")).await;
    page.pick("#strategy", "hybrid").await;
    page.pick("#ranker", "versioned").await;
    page.press("#query", &format!("fox{ENTER}")).await;
    text(&page, "#answer", |answer| answer.contains("versioned 1.0.0")).await;
    // What the fixture computes: version x 1000 + 999 - place.
    text(&page, "#hits li:first-child .score", |score| score == "1999.0000").await;
    assert_eq!(text(&page, "#hits li:first-child mark", |mark| !mark.is_empty()).await, "fox");
    text(&page, "#hits li:first-child summary", |why| why.contains("1. of the strategy")).await;
    // A document's markup is text, and its title did not change the page's.
    text(&page, "#hits", |hits| hits.contains("<script>document.title")).await;
    assert_eq!(page.run("return document.title").await, "Corsac");

    // Hits are reached from the keyboard, and so are the sections.
    page.press("#query", ESCAPE).await;
    page.press("body", "j").await;
    assert_eq!(page.run("return document.activeElement.dataset.path").await, "a.txt");
    page.press("body", "2").await;
    let version = "[data-plugin='rank-versioned'] td:nth-child(2), [data-plugin='versioned'] td:nth-child(2)";
    assert_eq!(text(&page, version, |version| !version.is_empty()).await, "1.0.0");

    // A swap: the table follows by itself, leaves the focus where it is, and the next search shows the other version.
    page.run("document.querySelector(\"[data-plugin$='versioned'] button\").focus()").await;
    put(&fixture("versioned-ranker-v2"), &plugins.path().join("v.wasm"));
    text(&page, version, |version| version == "2.0.0").await;
    assert_eq!(page.run("return document.activeElement.matches(\"[data-plugin$='versioned'] button\")").await, true);
    page.press("body", "1").await;
    page.click("#search-form button").await;
    text(&page, "#answer", |answer| answer.contains("versioned 2.0.0")).await;
    text(&page, "#hits li:first-child .score", |score| score == "2999.0000").await;

    // Figures of what was just done, and a world.
    page.press("body", "3").await;
    text(&page, "#charts", |charts| charts.contains("Searches") && charts.contains("Cache")).await;
    text(&page, "#parts", |parts| parts.contains("index: up")).await;
    page.press("body", "4").await;
    page.click("#populate").await;
    text(&page, "#clock", |clock| clock.contains("50 agents")).await;
    let drawn = "return document.querySelector('#map').dataset.agents";
    wait_for("50 agents on the map", async || (page.run(drawn).await == "50").then_some(())).await;
    // One of each spirit; the first dozen is named, by the alphabet.
    text(&page, "#legend", |legend| legend.contains("alien 1")).await;

    assert_eq!(foreign(&page).await, Vec::<String>::new());
}

/// Who has no pointer reaches every agent on the map, and reads or hears who it is.
#[tokio::test(flavor = "multi_thread")]
async fn agents_on_the_map_are_chosen_from_the_keyboard() {
    let server = Local::start(&Tree::of(&[("a.txt", "the quick brown fox\n")]), |_| {}).await;
    let paused = server.post("/api/ecs/clock/pause", json!({})).await;
    assert_eq!(paused.status, 200, "{}", paused.text());
    let placed = [("middle", 0, 0), ("east", 40, 5), ("far-east", 80, 0), ("north", -5, 60), ("twin", 0, 0)];
    let agents = placed.map(|(id, x, y)| json!({"agent_id": id, "name": id, "x": x, "y": y}));
    let made = server.post("/api/ecs/agents/batch", json!({"agents": agents})).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let browser = Browser::start();
    let page = Page::open(&browser, &server.url("/#world"), false).await;
    let drawn = "return document.querySelector('#map').dataset.agents";
    wait_for("five agents on the map", async || (page.run(drawn).await == "5").then_some(())).await;

    // What a click shows, to compare. WebDriver clicks the middle of what is seen, so all of the map has to be.
    page.run("document.querySelector('#map').scrollIntoView({block: 'center'})").await;
    page.click("#map").await;
    let clicked = text(&page, "#agent", |told| told.starts_with("middle (middle), fox, generation")).await;
    page.press("#map", ESCAPE).await;
    let focus = "const keys = document.querySelector('#map-keys');
        return [document.activeElement.localName, getComputedStyle(keys).visibility]";
    assert_eq!(page.run(focus).await, json!(["body", "hidden"]));

    // Tab reaches the map, which shows that it has the focus, and its keys.
    page.press("#whole", TAB).await;
    assert_eq!(page.run(focus).await, json!(["canvas", "visible"]));
    assert_eq!(page.run("return getComputedStyle(document.activeElement).outlineStyle").await, "solid");

    // The mark has the colour of text, and dots have not.
    let marked = "const map = document.querySelector('#map');
        const parts = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;
        const dark = (alpha) => parts[alpha] > 200 && parts.subarray(alpha - 3, alpha).every((part) => part < 70);
        return parts.some((_, at) => at % 4 === 3 && dark(at))";
    assert_eq!(page.run(marked).await, false);
    for (key, who) in [
        (RIGHT, "middle, fox, at 0, 0 (1 of 5)"),
        (RIGHT, "east, fox, at 40, 5 (2 of 5)"),
        (RIGHT, "far-east, fox, at 80, 0 (3 of 5)"),
        (RIGHT, "far-east, fox, at 80, 0 (3 of 5); nobody is further right"),
        (LEFT, "east, fox, at 40, 5 (2 of 5)"),
        (LEFT, "middle, fox, at 0, 0 (1 of 5)"),
        (UP, "north, fox, at -5, 60 (4 of 5)"),
        // Stands where another does: no arrow tells them apart.
        (PAGE_DOWN, "twin, fox, at 0, 0 (5 of 5)"),
        (HOME, "middle, fox, at 0, 0 (1 of 5)"),
        (END, "twin, fox, at 0, 0 (5 of 5)"),
        (HOME, "middle, fox, at 0, 0 (1 of 5)"),
    ] {
        page.press("#map", key).await;
        text(&page, "#agent", |told| told == who).await;
    }
    assert_eq!(page.run(marked).await, true);
    page.press("#map", &ENTER.to_string()).await;
    text(&page, "#agent", |told| told == clicked).await;

    page.press("#map", ESCAPE).await;
    text(&page, "#agent", str::is_empty).await;
    assert_eq!(page.run(focus).await, json!(["body", "hidden"]));
    assert_eq!(page.run(marked).await, false);
}

/// Colours that the page really has, dark and light: text stands out against what is behind it, and so do the edges
/// of what one writes into or picks from.
#[tokio::test(flavor = "multi_thread")]
async fn text_can_be_read_in_light_and_dark() {
    let server = Local::start(&Tree::of(&[("a.txt", "the quick brown fox\n")]), |_| {}).await;
    let browser = Browser::start();
    let mut backs = Vec::new();
    for dark in [false, true] {
        let page = Page::open(&browser, &server.url("/?q=fox"), dark).await;
        text(&page, "#hits li:first-child mark", |mark| mark == "fox").await;
        let script = r##"
            const channel = (value) => { value /= 255; return value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4; };
            const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
            const luminance = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
            const behind = (element) => {
                for (; element; element = element.parentElement) {
                    const colour = numbers(getComputedStyle(element).backgroundColor);
                    if (colour.length < 4 || colour[3] > 0) return colour;
                }
            };
            const contrast = (css, property, least) => {
                const element = document.querySelector(css);
                const [one, two] = [luminance(numbers(getComputedStyle(element)[property])), luminance(behind(element))];
                return [css, (Math.max(one, two) + .05) / (Math.min(one, two) + .05), least];
            };
            const shown = ["body", "#answer", ".tag", ".score", "pre", "mark", "summary", "nav button[aria-current]", "footer p"];
            const texts = shown.map((css) => contrast(css, "color", 4.5));
            const edges = ["#query", "#strategy"].map((css) => contrast(css, "borderTopColor", 3));
            return { contrasts: [...texts, ...edges], back: getComputedStyle(document.body).backgroundColor };
        "##;
        let measured = page.run(script).await;
        for pair in measured["contrasts"].as_array().unwrap() {
            // WCAG 2.2: text 4.5 to 1 (1.4.3), edges 3 to 1 (1.4.11); the formula of relative luminance is theirs.
            assert!(pair[1].as_f64().unwrap() >= pair[2].as_f64().unwrap(), "dark {dark}: {pair}");
        }
        backs.push(measured["back"].clone());
    }
    assert_ne!(backs[0], backs[1]);
}

/// What the page fetched from anywhere but its own server.
async fn foreign(page: &Page) -> Vec<String> {
    let script = "return performance.getEntriesByType('resource').map((entry) => entry.name)
        .filter((url) => !url.startsWith(location.origin) && !url.startsWith('data:'))";
    let urls = page.run(script).await;
    urls.as_array().unwrap().iter().map(Value::to_string).collect()
}
