//! A server process that cannot outlive its owner, and the signals that tests send to it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server below a guard: a shell that kills it as soon as our end of its standard input closes, which the
/// operating system does for us even after `kill -9`.
pub(crate) struct Guarded {
    guard: Child,
    server: u32,
}

impl Guarded {
    /// Starts a program; its output goes to `log`.
    pub(crate) fn start(command: &Command, log: &Path) -> Self {
        let output = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let pid_file = log.with_extension("pid");
        let _ = std::fs::remove_file(&pid_file);
        // The server must not hold the guard's input, else it would never close.
        let script = r#"pid_file=$1; shift; "$@" </dev/null & echo $! >"$pid_file.new"; mv "$pid_file.new" "$pid_file"
            read -r _; kill -CONT $! 2>/dev/null; kill -KILL $! 2>/dev/null; wait $! 2>/dev/null"#;
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "guard"]).arg(&pid_file).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                guard.env(name, value);
            }
        }
        let guard = guard
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("sh is there");
        let server = wait_for("the server's process", || std::fs::read_to_string(&pid_file).ok()?.trim().parse().ok());
        Self { guard, server }
    }

    pub(crate) fn id(&self) -> u32 {
        self.server
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        assert!(signal(self.server, name), "kill -{name} {} failed", self.server);
    }

    pub(crate) fn is_running(&self) -> bool {
        // A zombie has ended: its guard has just not looked yet.
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.server)).unwrap_or_default();
        status.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    }

    pub(crate) fn wait_for_end(&self) {
        wait_for("the server's end", || (!self.is_running()).then_some(()));
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Sends a signal by its name; false when there is no such process any more, about which nothing is printed.
pub(crate) fn signal(process: u32, name: &str) -> bool {
    // A shell's own `kill` is on every machine.
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -{name} {process}")]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
