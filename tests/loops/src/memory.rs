//! How much memory a process has.

use std::fs;

/// The resident set of a process, in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok())
        .ok_or_else(|| format!("{path}: no resident set"))?;
    Ok(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn of_this_process() {
        let before = resident(std::process::id()).unwrap();
        let touched = vec![1_u8; 64 << 20];
        let after = resident(std::process::id()).unwrap();
        assert!(
            after >= before + (60 << 20),
            "{before}, {after}, {}",
            touched.len()
        );
    }

    #[test]
    fn of_no_process() {
        let error = resident(u32::MAX).unwrap_err();
        assert!(error.starts_with("/proc/4294967295/status: "), "{error}");
    }
}
