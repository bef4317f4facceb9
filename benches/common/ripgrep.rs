//! ripgrep on the same tree and patterns: every file from the page cache, every line that matches, as the
//! syntax search finds them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::workload::Question;

/// The version of the `rg` on the path, if there is one.
pub fn version() -> Option<String> {
    let output = Command::new("rg").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

/// How many lines match, and how long it took from start to exit.
pub fn search(tree: &Path, question: &Question) -> anyhow::Result<(usize, Duration)> {
    let began = Instant::now();
    let mut command = Command::new("rg");
    // The files that the server's walk takes, and a search that does not mind case.
    command.args(["--no-config", "--no-messages", "--ignore-case", "--line-number", "--no-heading"]);
    command.args(["--no-require-git", "--no-ignore-global", "--max-filesize", "1M"]);
    if question.pattern_type == Some("literal") {
        command.arg("--fixed-strings");
    }
    let output = command.arg("--regexp").arg(&question.text).arg(tree).stdin(Stdio::null()).output();
    let output = output.context("cannot run rg")?;
    let took = began.elapsed();
    // 1: nothing found; 2: a file could not be read, or the pattern is refused.
    if output.status.code().is_none_or(|code| code > 1) && output.stdout.is_empty() {
        bail!("rg failed on `{}`: {}", question.text, String::from_utf8_lossy(&output.stderr));
    }
    Ok((output.stdout.iter().filter(|byte| **byte == b'\n').count(), took))
}
