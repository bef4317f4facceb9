//! What the operating system says about this process.

/// Bytes of memory that the process has in RAM; none where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A running test has touched more than a megabyte and less than what any machine has.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_memory() {
        let bytes = resident_bytes().unwrap_or_default();
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
