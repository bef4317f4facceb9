//! The few calls of WebDriver (W3C) that the tests of the page need. By hand: a crate for it would bring features of
//! shared dependencies along, with which the engine would be compiled a second time for tests.

use serde_json::{Value, json};
use services::Browser;

/// As WebDriver has it, section 17.4.2.
pub const ENTER: char = '\u{e007}';
pub const TAB: &str = "\u{e004}";
pub const ESCAPE: &str = "\u{e00c}";
pub const PAGE_DOWN: &str = "\u{e00f}";
pub const END: &str = "\u{e010}";
pub const HOME: &str = "\u{e011}";
pub const LEFT: &str = "\u{e012}";
pub const UP: &str = "\u{e013}";
pub const RIGHT: &str = "\u{e014}";

/// The key under which WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser with one page. Ends with its WebDriver.
pub struct Page {
    http: reqwest::Client,
    session: String,
}

impl Page {
    pub async fn open(browser: &Browser, url: &str, dark: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No proxy of the environment: the WebDriver is on this machine.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut arguments = browser.arguments();
        arguments.extend(dark.then(|| "--blink-settings=preferredColorScheme=0".to_owned()));
        let options = json!({"goog:chromeOptions": {"args": arguments}});
        let made = json!({"capabilities": {"alwaysMatch": options}});
        let started = http.post(format!("{}/session", browser.url())).body(made.to_string()).send().await.unwrap();
        let answer: Value = started.json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {answer}"));
        let page = Self { http, session: format!("{}/session/{id}", browser.url()) };
        page.call("url", json!({"url": url})).await.unwrap();
        page
    }

    /// What the browser answers, or its error.
    async fn call(&self, path: &str, body: Value) -> Result<Value, Value> {
        let sent = self.http.post(format!("{}/{path}", self.session)).body(body.to_string()).send().await.unwrap();
        let success = sent.status().is_success();
        let mut answer: Value = sent.json().await.unwrap();
        let value = answer["value"].take();
        if success { Ok(value) } else { Err(value) }
    }

    /// Waits for the element to be there.
    async fn element(&self, css: &str) -> String {
        for _ in 0..600 {
            if let Ok(found) = self.call("element", json!({"using": "css selector", "value": css})).await {
                return found[ELEMENT].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("there is no {css}");
    }

    /// As it is shown; none while there is no such element.
    pub async fn text(&self, css: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null";
        let text = self.call("execute/sync", json!({"script": script, "args": [css]})).await.unwrap();
        text.as_str().map(|text| text.trim().to_owned())
    }

    pub async fn press(&self, css: &str, keys: &str) {
        let element = self.element(css).await;
        self.call(&format!("element/{element}/value"), json!({"text": keys})).await.unwrap();
    }

    pub async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.call(&format!("element/{element}/click"), json!({})).await.unwrap();
    }

    /// Picks an option as a user does.
    pub async fn pick(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value='{value}']")).await;
    }

    /// The result of a script's function body.
    pub async fn run(&self, script: &str) -> Value {
        self.call("execute/sync", json!({"script": script, "args": []})).await.unwrap()
    }
}
