//! What does this process use of its machine?
//!
//! Read from `/proc`, where there is one; elsewhere all is 0.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Ticks a second in `/proc/self/stat`: what Linux tells programs, on every machine.
const TICKS: u64 = 100;

/// What this process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes in RAM.
    pub(super) memory: u64,
    /// Open files and sockets.
    pub(super) files: u64,
    /// How many there may be.
    pub(super) files_max: u64,
    /// Time that it had of all processors.
    pub(super) cpu: Duration,
}

/// What this process uses now.
pub(super) fn usage() -> Usage {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Usage {
        memory: resident(&read("status")).unwrap_or_default(),
        files: files as u64,
        files_max: open_files_max(&read("limits")).unwrap_or_default(),
        cpu: cpu(&read("stat")).unwrap_or_default(),
    }
}

/// `VmRSS:     5124 kB`
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// `Max open files            1024                 524288               files`
fn open_files_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The 14th and 15th field; the 2nd is the program's name in brackets, and may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<u64>());
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

/// What is free for this process on the disk of a folder, and the disk's size, in bytes.
pub fn disk_space(folder: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some((disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_writes_is_read() {
        assert_eq!(resident("Name:\tonefold\nVmRSS:\t    5124 kB\n"), Some(5124 * 1024));
        let limits = "Limit   Soft Limit   Hard Limit   Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files_max(limits), Some(1024));
        let stat = "7 (one) fold) S 1 7 7 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 4 0 99 1 2 3\n";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        for nonsense in ["", "VmRSS:", "Max open files", "7 (one) S 1"] {
            assert_eq!(resident(nonsense), None);
            assert_eq!(open_files_max(nonsense), None);
            assert_eq!(cpu(nonsense), None);
        }
    }

    #[test]
    fn this_process_and_its_disk_are_found() {
        let usage = usage();
        assert!(usage.memory > 1 << 20 && usage.files > 2 && usage.files_max > 2, "{usage:?}");
        let (free, size) = disk_space(Path::new(".")).expect("the folder is there");
        assert!(free <= size && size > 0);
        assert_eq!(disk_space(Path::new("no such folder")), None);
    }
}
