//! Is there room on the disk of the state?
//!
//! A commit that fails halfway leaves it unknown what reached the disk, and the state must be opened
//! anew. So the job looks before it takes messages: with less room than the reserve it takes none,
//! and says so; publishing goes on, which makes room in the state. It takes messages again by
//! itself once there is an eighth more than the reserve.

use std::path::{Path, PathBuf};

use crate::telemetry::{IntakePaused, IntakeResumed, Telemetry, disk_space};

/// The disk of the state.
pub(super) struct Disk {
    folder: PathBuf,
    reserve: u64,
    is_paused: bool,
    free: Box<Free>,
}

/// Bytes that are free for this process on the disk of a folder.
type Free = dyn Fn(&Path) -> Option<u64> + Send;

impl Disk {
    pub(super) fn new(folder: &Path, reserve: u64) -> Self {
        let free = |folder: &Path| disk_space(folder).map(|(free, _)| free);
        Self { folder: folder.to_owned(), reserve, is_paused: false, free: Box::new(free) }
    }

    /// Whether messages may be taken. A disk that cannot be asked is taken for one with room.
    pub(super) fn has_room(&mut self, telemetry: &Telemetry) -> bool {
        let wanted = if self.is_paused { self.reserve + self.reserve / 8 } else { self.reserve };
        let (free, reserve) = ((self.free)(&self.folder).unwrap_or(u64::MAX), self.reserve);
        let has_room = free >= wanted;
        match (self.is_paused, has_room) {
            (false, false) => IntakePaused { free, reserve }.emit(telemetry),
            (true, true) => IntakeResumed { free, reserve }.emit(telemetry),
            _ => {}
        }
        self.is_paused = !has_room;
        has_room
    }

    /// Whether so many bytes more than the reserve are free.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        (self.free)(&self.folder).is_none_or(|free| free >= bytes.saturating_add(self.reserve))
    }

    /// Asks this instead of the system.
    #[cfg(test)]
    pub(super) fn ask(&mut self, free: impl Fn(&Path) -> Option<u64> + Send + 'static) {
        self.free = Box::new(free);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::tests::{BULK, plan};
    use super::super::{Job, Stop};
    use super::*;
    use crate::demo::{self, generate};

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_full_disk_pauses_intake_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let stream =
            generate(&demo::Settings { customers: 40, seed: 5, ..demo::Settings::default() });
        stream.write_to(folder.path()).unwrap();
        let mut plan = plan(folder.path(), &folder.path().join("job"), 50);
        plan.state.disk_reserve = GIB;
        let mut job = Job::open(plan).unwrap();
        // There is room for a while, then none for many looks, then more again.
        let looks = Arc::new(AtomicU64::new(0));
        let asked = Arc::clone(&looks);
        job.disk().ask(move |_| match asked.fetch_add(1, Ordering::AcqRel) {
            0..3 => Some(GIB),
            3..9 => Some(GIB - 1),
            9..12 => Some(GIB + GIB / 8 - 1),
            _ => Some(2 * GIB),
        });
        let mut seen = Vec::new();
        let report = job.run(BULK, &Stop::default(), &mut |progress| {
            seen.push((looks.load(Ordering::Acquire), progress.messages));
        });
        assert_eq!(report.unwrap().counters.read, stream.lines.len() as u64);
        let during: Vec<_> = seen.iter().filter(|(looks, _)| (4..=12).contains(looks)).collect();
        assert_eq!(during, Vec::<&(u64, u64)>::new(), "nothing was taken meanwhile");
        assert!(seen.iter().any(|(looks, _)| *looks < 4) && looks.load(Ordering::Acquire) > 12);
    }

    #[test]
    fn a_stop_is_obeyed_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let stream =
            generate(&demo::Settings { customers: 40, seed: 5, ..demo::Settings::default() });
        stream.write_to(folder.path()).unwrap();
        let mut job = Job::open(plan(folder.path(), &folder.path().join("job"), 50)).unwrap();
        let (looks, stop) = (AtomicU64::new(0), Stop::default());
        let asked = stop.clone();
        job.disk().ask(move |_| {
            if looks.fetch_add(1, Ordering::AcqRel) == 3 {
                asked.ask();
            }
            Some(0)
        });
        let report = job.run(BULK, &stop, &mut |_| {}).unwrap();
        assert_eq!(report.counters.read, 0);
    }

    #[test]
    fn the_disk_of_a_folder_is_asked() {
        let mut disk = Disk::new(Path::new("."), 1);
        assert!(disk.has_room(&Telemetry::default()));
        let mut disk = Disk::new(Path::new("."), u64::MAX / 2);
        assert!(!disk.has_room(&Telemetry::default()));
        assert!(Disk::new(Path::new("no such folder"), 1).has_room(&Telemetry::default()));
    }
}
