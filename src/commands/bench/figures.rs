//! What the process used, from the system's own accounts, and printing it.

use std::fs;

use crate::cli::RowFormat;

/// Ticks per second in `/proc`, which Linux fixes for programs.
const TICKS: f64 = 100.0;

/// CPU time of all threads so far, in seconds.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the process can hold spaces; the fields follow its bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS
}

/// Forgets the highest memory so far.
pub fn forget_peak() {
    // Where that is not allowed the figure includes what was before.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The highest memory in use, in bytes.
pub fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Prints figures; their names say the units.
pub fn print(figures: &[(impl AsRef<str>, f64)], format: RowFormat) {
    let figures: Vec<(&str, f64)> = figures.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
    let shown = |name: &str, value: f64| {
        let small = ["per_event", "per_posting", "per_charge", "_seconds", "_ms", "_us"]
            .iter()
            .any(|unit| name.ends_with(unit));
        if small { format!("{value:.3}") } else { format!("{value:.0}") }
    };
    match format {
        RowFormat::Table => figures.iter().for_each(|(name, value)| println!("{name:<32} {:>14}", shown(name, *value))),
        RowFormat::Csv => {
            println!("{}", figures.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","));
            println!("{}", figures.iter().map(|(name, value)| shown(name, *value)).collect::<Vec<_>>().join(","));
        }
        RowFormat::Json => {
            let fields: Vec<String> =
                figures.iter().map(|(name, value)| format!("  \"{name}\": {}", shown(name, *value))).collect();
            println!("{{\n{}\n}}", fields.join(",\n"));
        }
    }
}
