//! Where the figures come from.

use std::thread::available_parallelism;
use std::time::SystemTime;

/// The machine, the compiler and the day.
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub rustc: &'static str,
    pub target: &'static str,
    /// What the compiler may take for granted of the processor.
    pub features: &'static str,
    /// The day, in UTC.
    pub date: String,
}

impl Machine {
    pub fn this() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self {
            cpu: model(&cpuinfo).unwrap_or("unknown processor").to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            rustc: env!("BUILT_BY"),
            target: env!("BUILT_FOR"),
            features: env!("BUILT_WITH"),
            date: now.split('T').next().unwrap_or_default().to_owned(),
        }
    }
}

fn model(cpuinfo: &str) -> Option<&str> {
    let lines = cpuinfo.lines();
    lines
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| (key.trim() == "model name").then(|| value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found() {
        let cpuinfo =
            "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Some CPU @ 2 GHz\nflags\t: a\n";
        assert_eq!(model(cpuinfo), Some("Some CPU @ 2 GHz"));
        assert_eq!(model("model\t: 143\n"), None);
    }
}
