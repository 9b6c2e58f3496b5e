//! What every bench measures with.
#![allow(dead_code, reason = "each bench uses some of it")]

use std::io::Write;

/// As the program's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Prints a figure.
pub(crate) fn report(name: &str, value: f64) {
    _ = writeln!(std::io::stdout(), "{name} {value:.3}");
}

/// The processor time of this process and its threads; Linux.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    // User and system time, in hundredths of a second.
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}
