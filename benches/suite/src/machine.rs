//! Facts out of `/proc`: the machine, and what one process of it uses. What is not to be had is 0 or "unknown".

use std::fs::read_to_string;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Ticks a second in `/proc/*/stat`; 100 in every Linux ABI that this project builds for.
const TICKS: f64 = 100.0;

/// Which figures are worth only together with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gb: f64,
    pub kernel: String,
}

impl Machine {
    pub fn this() -> Self {
        let release = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gb: kilobytes("/proc/meminfo", "MemTotal") / 1e6,
            kernel: release.trim().to_owned(),
        }
    }
}

/// What the server used during a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// Processors that were busy with it on average: 1.0 is one whole core.
    pub cores: f64,
    /// Megabytes resident at the end.
    pub resident_mb: f64,
    /// Megabytes a second over the loopback interface of its network namespace: requests, answers, heads and
    /// acknowledgements, also those of other programs if there are any.
    pub network_mb_s: f64,
}

/// A process at one moment.
pub struct Moment {
    id: u32,
    at: Instant,
    processor: f64,
    loopback: f64,
}

impl Moment {
    pub fn of(id: u32) -> Self {
        let stat = read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let net = read_to_string(format!("/proc/{id}/net/dev")).unwrap_or_default();
        Self {
            id,
            at: Instant::now(),
            processor: processor_seconds(&stat).unwrap_or_default(),
            loopback: received(&net, "lo").unwrap_or_default(),
        }
    }

    pub fn until_now(&self) -> Use {
        let now = Self::of(self.id);
        let seconds = (now.at - self.at).as_secs_f64().max(1e-9);
        Use {
            cores: (now.processor - self.processor) / seconds,
            resident_mb: kilobytes(&format!("/proc/{}/status", self.id), "VmRSS") / 1e3,
            network_mb_s: (now.loopback - self.loopback) / 1e6 / seconds,
        }
    }
}

/// proc(5): the name in brackets, then the state as field 3, user and system time as fields 14 and 15.
fn processor_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS)
}

/// proc(5), net/dev: bytes received are the first number after the name. On loopback all that is sent is received.
fn received(net: &str, interface: &str) -> Option<f64> {
    let line = net.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kilobytes(file: &str, name: &str) -> f64 {
    field(file, name).and_then(|value| value.split(' ').next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_brackets_and_blanks() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 1 1";
        assert_eq!(processor_seconds(stat), Some(3.0));
    }

    #[test]
    fn loopback_is_told_from_other_interfaces() {
        let net = "Inter-| Receive\n face |bytes packets\n  eth0: 7 1 0\n    lo: 123456 99 0 0\n";
        assert_eq!(received(net, "lo"), Some(123_456.0));
        assert_eq!(received(net, "wlan0"), None);
    }
}
