//! Chromium without a window, behind its WebDriver.

use std::process::Command;

use tempfile::TempDir;

use crate::child::{Guarded, wait_for};

/// Chromium's WebDriver on a free port; every session starts a browser. Ends when dropped, and its browsers with it.
pub struct Browser {
    _driver: Guarded,
    port: u16,
    _folder: TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("chromedriver");
        // It takes a free port by itself, and says which.
        command.arg("--port=0").env("HOME", folder.path()).env("TMPDIR", folder.path());
        let driver = Guarded::start(&command, &log);
        let port = wait_for("chromedriver (Debian's chromium-driver; `cargo xtask services` installs it)", || {
            let said = std::fs::read_to_string(&log).ok()?;
            said.split("started successfully on port ").nth(1)?.split('.').next()?.trim().parse().ok()
        });
        Self { _driver: driver, port, _folder: folder }
    }

    /// Of the WebDriver.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What Chromium is started with: no window, and it runs as whoever runs the tests, also as root in a container,
    /// where its sandbox cannot be. WebDriver gives every session a profile of its own. Over a pipe a browser ends with
    /// its WebDriver, however that ends; over a port it would outlive it.
    pub fn arguments(&self) -> Vec<String> {
        let fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
        fixed.into_iter().chain(["--remote-debugging-pipe"]).map(str::to_owned).collect()
    }
}
