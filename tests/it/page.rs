//! The page at `/` in a real browser: it searches, shows a swap of plugins, draws figures and the world, and
//! everything can be done from the keyboard.

use std::path::Path;
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client as Browsing, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use services::Browser;

use crate::support::server::Local;
use crate::support::tree::Tree;
use crate::support::{fixture, folder_of};

/// As an author should: under another name, then renamed.
fn put(from: &Path, to: &Path) {
    let partial = to.with_extension("partial");
    std::fs::copy(from, &partial).unwrap();
    std::fs::rename(&partial, to).unwrap();
}

async fn browse(browser: &Browser, dark: bool) -> Browsing {
    let mut arguments = browser.arguments();
    arguments.extend(dark.then(|| "--force-dark-mode".to_owned()));
    let capabilities = json!({
        "goog:chromeOptions": {"args": arguments},
        // Whatever the page writes to its console.
        "goog:loggingPrefs": {"browser": "ALL"},
    });
    let serde_json::Value::Object(capabilities) = capabilities else { unreachable!() };
    let mut builder = ClientBuilder::<HttpConnector>::new(HttpConnector::new());
    builder.capabilities(capabilities).connect(&browser.url()).await.unwrap()
}

/// Waits until an element's text satisfies `fits`, and returns it.
async fn text(page: &Browsing, css: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    for _ in 0..300 {
        // Lists are drawn anew all the time: an element may be gone between finding and reading it.
        if let Ok(element) = page.find(Locator::Css(css)).await
            && let Ok(found) = element.text().await
        {
            if fits(&found) {
                return found;
            }
            last = found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{css} shows {last:?}");
}

async fn keys(page: &Browsing, keys: &str) {
    page.find(Locator::Css("body")).await.unwrap().send_keys(keys).await.unwrap();
}

async fn picked(page: &Browsing, picker: &str, value: &str) {
    let picker = page.wait().for_element(Locator::Css(picker)).await.unwrap();
    picker.select_by_value(value).await.unwrap();
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
    let page = browse(&browser, false).await;
    page.goto(&server.url("/")).await.unwrap();

    // The box has the focus: type and press Enter. The ranker that a folder brought is among those to pick.
    text(&page, "#ranker", |names| names.contains("versioned")).await;
    picked(&page, "#strategy", "hybrid").await;
    picked(&page, "#ranker", "versioned").await;
    let query = page.find(Locator::Css("#query")).await.unwrap();
    query.send_keys("fox").await.unwrap();
    query.send_keys(&String::from(char::from(Key::Enter))).await.unwrap();
    text(&page, "#answer", |answer| answer.contains("versioned 1.0.0")).await;
    // What the fixture computes: version x 1000 + 999 - place.
    text(&page, "#hits li:first-child .score", |score| score == "1999.0000").await;
    assert_eq!(text(&page, "#hits li:first-child mark", |mark| !mark.is_empty()).await, "fox");
    text(&page, "#hits li:first-child summary", |why| why.contains("1. of the strategy")).await;
    // A document's markup is text, and its title did not change the page's.
    text(&page, "#hits", |hits| hits.contains("<script>document.title")).await;
    assert_eq!(page.title().await.unwrap(), "Corsac");

    // Hits are reached from the keyboard, and so are the sections.
    keys(&page, &String::from(char::from(Key::Escape))).await;
    keys(&page, "j").await;
    let focused = page.active_element().await.unwrap();
    assert_eq!(focused.attr("data-path").await.unwrap().as_deref(), Some("a.txt"));
    keys(&page, "2").await;
    let version = "[data-plugin='rank-versioned'] td:nth-child(2), [data-plugin='versioned'] td:nth-child(2)";
    assert_eq!(text(&page, version, |version| !version.is_empty()).await, "1.0.0");

    // A swap: the table follows by itself, and the next search shows the other version.
    put(&fixture("versioned-ranker-v2"), &plugins.path().join("v.wasm"));
    text(&page, version, |version| version == "2.0.0").await;
    keys(&page, "1").await;
    page.find(Locator::Css("#search-form button")).await.unwrap().click().await.unwrap();
    text(&page, "#answer", |answer| answer.contains("versioned 2.0.0")).await;
    text(&page, "#hits li:first-child .score", |score| score == "2999.0000").await;

    // Figures of what was just done, and a world.
    keys(&page, &String::from(char::from(Key::Escape))).await;
    keys(&page, "3").await;
    text(&page, "#charts", |charts| charts.contains("Searches") && charts.contains("Cache")).await;
    text(&page, "#parts", |parts| parts.contains("index: up")).await;
    keys(&page, "4").await;
    page.find(Locator::Css("#populate")).await.unwrap().click().await.unwrap();
    text(&page, "#clock", |clock| clock.contains("50 agents")).await;
    let map = page.find(Locator::Css("#map")).await.unwrap();
    assert_eq!(map.attr("data-agents").await.unwrap().as_deref(), Some("50"));
    text(&page, "#legend", |legend| legend.contains("fox")).await;

    assert_eq!(complaints(&page).await, Vec::<String>::new());
    page.close().await.unwrap();
}

/// Colours that the page really has, dark and light: text stands out against what is behind it.
#[tokio::test(flavor = "multi_thread")]
async fn text_can_be_read_in_light_and_dark() {
    let server = Local::start(&Tree::of(&[("a.txt", "the quick brown fox\n")]), |_| {}).await;
    let browser = Browser::start();
    let mut backs = Vec::new();
    for dark in [false, true] {
        let page = browse(&browser, dark).await;
        page.goto(&server.url("/?q=fox")).await.unwrap();
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
            const shown = ["body", "#answer", ".tag", ".score", "pre", "mark", "summary", "nav button[aria-current]", "footer p"];
            const contrasts = shown.map((css) => {
                const element = document.querySelector(css);
                const [one, two] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
                return [css, (Math.max(one, two) + .05) / (Math.min(one, two) + .05)];
            });
            return { contrasts, back: getComputedStyle(document.body).backgroundColor };
        "##;
        let measured = page.execute(script, vec![]).await.unwrap();
        for pair in measured["contrasts"].as_array().unwrap() {
            // WCAG 2.2, 1.4.3: at least 4.5 to 1; the formula of relative luminance is theirs, too.
            assert!(pair[1].as_f64().unwrap() >= 4.5, "dark {dark}: {pair}");
        }
        backs.push(measured["back"].clone());
        page.close().await.unwrap();
    }
    assert_ne!(backs[0], backs[1]);
}

/// What the page wrote to its console: errors of scripts, refused policies, files that are not there.
async fn complaints(page: &Browsing) -> Vec<String> {
    let script = "return performance.getEntriesByType('resource').map((entry) => entry.name)";
    let asked = page.execute(script, vec![]).await.unwrap();
    let own = page.current_url().await.unwrap().origin().ascii_serialization();
    let foreign = asked.as_array().unwrap().iter().filter_map(|url| url.as_str());
    foreign.filter(|url| !url.starts_with(&own)).map(str::to_owned).collect()
}
