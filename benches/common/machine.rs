//! Facts out of `/proc` about the machine and this process. Where one is not to be had it is 0 or
//! "unknown", never a guess.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::read_to_string;
use std::path::Path;
use std::time::{Duration, Instant};

/// Name of the server's threads.
pub const SERVER_THREADS: &str = "server";
/// Name of the thread that clients run on.
pub const CLIENT_THREAD: &str = "client";

/// Ticks a second in `/proc/*/stat`; 100 in every Linux ABI that this project builds for.
const TICKS: f64 = 100.0;

/// The line to quote with every figure.
pub fn print_facts(program: &str) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory = kilobytes("/proc/meminfo", "MemTotal") / 1e6;
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let build = if cfg!(debug_assertions) { "debug build: no figure" } else { "release build" };
    println!("`{program}`: {model}, {cores} cores, {memory:.1} GB, Linux {}, {build}", kernel.trim());
}

/// Megabytes that this process has resident now, and at most had.
pub fn resident_megabytes() -> (f64, f64) {
    (kilobytes("/proc/self/status", "VmRSS") / 1e3, kilobytes("/proc/self/status", "VmHWM") / 1e3)
}

/// Megabytes that another process has resident, and processor time that it has used, in seconds.
pub fn of_process(id: u32) -> (f64, f64) {
    let resident = kilobytes(&format!("/proc/{id}/status"), "VmRSS") / 1e3;
    let stat = read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    (resident, seconds(&stat, "").unwrap_or_default())
}

/// Processor time so far of the living threads whose name starts with `name`, in seconds by their id.
pub fn thread_times(name: &str) -> HashMap<OsString, f64> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return HashMap::new() };
    let times = threads.filter_map(Result::ok).filter_map(|thread| {
        let stat = read_to_string(thread.path().join("stat")).ok()?;
        Some((thread.file_name(), seconds(&stat, name)?))
    });
    times.collect()
}

/// Seconds that threads of this name have computed since `before`; those that ended meanwhile are left out.
pub fn seconds_since(before: &HashMap<OsString, f64>, name: &str) -> f64 {
    thread_times(name).iter().map(|(thread, time)| time - before.get(thread).unwrap_or(&0.0)).sum()
}

/// proc(5): the name in brackets, then the state as field 3, user and system time as fields 14 and 15.
fn seconds(stat: &str, name: &str) -> Option<f64> {
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    if !stat.get(start + 1..end)?.starts_with(name) {
        return None;
    }
    let fields: Vec<&str> = stat.get(end + 2..)?.split(' ').collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS)
}

/// Waits until this process has computed next to nothing for two seconds: what the index does on the
/// side (growing the graph of neighbours, merging) is done. Says how long that took.
pub async fn quiet() -> Duration {
    const CALM_SECONDS: u32 = 2;
    let began = Instant::now();
    let mut calm = 0;
    while calm < CALM_SECONDS && began.elapsed() < Duration::from_secs(1800) {
        // The whole process: with the time of threads that have ended.
        let computed = || read_to_string("/proc/self/stat").ok().and_then(|stat| seconds(&stat, ""));
        let before = computed();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let busy = computed().zip(before).is_some_and(|(after, before)| after - before >= 0.05);
        calm = if busy { 0 } else { calm + 1 };
    }
    began.elapsed()
}

/// Bytes of all files below a folder.
pub fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.filter_map(Result::ok).filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.len() })
    });
    sizes.sum()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kilobytes(file: &str, name: &str) -> f64 {
    field(file, name).and_then(|value| value.split(' ').next()?.parse().ok()).unwrap_or_default()
}
