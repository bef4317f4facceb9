//! Running other programs: what was tried and what to do are part of every failure.

use std::fmt::{self, Display};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What did not work, why, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Display) -> Self {
        Self { what: what.into(), remedy: remedy.to_string() }
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  {}", self.what, self.remedy.replace('\n', "\n  "))
    }
}

/// The cargo that runs this program, in the repository.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What it has told this program about itself; build scripts that look at it would have half of the dependencies
    // built again whenever cargo is used with and without this program in turns.
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| told(name)).for_each(|name| _ = command.env_remove(name));
    command
}

/// Shows the command, runs it, and fails with `remedy` unless it succeeds.
pub(crate) fn run(command: &mut Command, remedy: &str) -> Result<(), Failure> {
    let shown = show(command);
    eprintln!("+ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("{shown}: {status}"), remedy)),
        Err(error) => Err(Failure::new(format!("{shown}: {error}"), remedy)),
    }
}

/// Runs it quietly and ends it after `limit`; true when it succeeded within it.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let start = Instant::now();
    while start.elapsed() < limit {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(_) => break,
        }
    }
    // It may have ended in between; either way it is gone after this.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// What it prints, without the end of the line; none when it fails or is not there.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// As one would type it.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_failure_says_what_and_what_to_do() {
        let failure = run(&mut Command::new("false"), "try true").unwrap_err().to_string();
        assert!(failure.starts_with("false: ") && failure.ends_with("\n  try true"), "{failure}");
        let failure = run(&mut Command::new("no-such-program-here"), "install it").unwrap_err().to_string();
        assert!(failure.contains("no-such-program-here") && failure.ends_with("\n  install it"), "{failure}");
    }

    #[test]
    fn what_hangs_is_ended() {
        assert!(!succeeds_within(Command::new("sleep").arg("600"), Duration::from_millis(10)));
        assert!(succeeds_within(&mut Command::new("true"), Duration::from_secs(60)));
        assert!(!succeeds_within(&mut Command::new("false"), Duration::from_secs(60)));
    }

    /// Tests run under cargo, which tells them about their package.
    #[test]
    fn cargo_is_not_told_what_package_this_is() {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let command = cargo(Path::new("."));
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&"CARGO_PKG_NAME".as_ref()) && removed.contains(&"CARGO_MANIFEST_DIR".as_ref()));
        assert!(!removed.contains(&"CARGO_HOME".as_ref()));
    }

    #[test]
    fn output_is_trimmed_and_none_on_failure() {
        assert_eq!(output(Command::new("echo").arg("a")).as_deref(), Some("a"));
        assert_eq!(output(&mut Command::new("false")), None);
    }
}
