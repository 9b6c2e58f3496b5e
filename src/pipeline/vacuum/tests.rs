//! What a job and a command delete, and what they leave.

use std::fs::{self, File};
use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;

use super::super::Job;
use super::super::tests::{BULK, outcome, plan, run};
use super::*;
use crate::demo::{self, generate};
use crate::error::Kind;

/// A pipeline over a stream of events, in a folder.
struct World {
    folder: tempfile::TempDir,
    plan: Plan,
}

impl World {
    /// One whose job ran over a part of the stream after the other.
    fn after(parts: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(&folder.path().join("events"), &folder.path().join("job"), 60);
        let world = Self { folder, plan };
        for part in 1..=parts {
            world.run(part);
        }
        world
    }

    /// Lets the job read the stream up to a part of it.
    fn run(&self, part: usize) {
        let mut stream =
            generate(&demo::Settings { customers: 60, seed: 5, ..demo::Settings::default() });
        stream.lines.truncate(stream.lines.len() * part / 4);
        stream.write_to(&self.folder.path().join("events")).unwrap();
        run(&self.plan, BULK, u64::MAX);
    }

    fn out(&self) -> PathBuf {
        PathBuf::from(&self.plan.publish.url)
    }

    /// Lets everything that is there be ten days old.
    fn age(&self) {
        let then = SystemTime::UNIX_EPOCH
            + Duration::from_micros(u64::try_from(clock::now_micros()).unwrap())
            - Duration::from_hours(240);
        for file in files(&self.out()) {
            File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
        }
    }

    /// The rows, whichever job wrote them.
    fn outcome(&self) -> super::super::tests::Outcome {
        let mut outcome = outcome(&self.plan);
        outcome.forget_places();
        outcome
    }
}

fn files(folder: &FilePath) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

fn is_data(path: &FilePath) -> bool {
    path.extension().is_some_and(|kind| kind == "parquet")
        && !path.display().to_string().contains("_delta_log")
}

#[test]
fn a_job_deletes_what_is_past_the_retention_when_it_is_time() {
    let world = World::after(3);
    let note = world.out().join("_onefold/vacuum.json");
    assert!(note.is_file(), "the time began");
    world.age();
    let before = files(&world.out());
    world.run(4);
    let gone: Vec<_> = before.iter().filter(|path| !path.exists()).collect();
    assert!(gone.len() > 3 && gone.iter().all(|path| is_data(path)), "{gone:?}");
    assert_eq!(world.outcome(), World::after(4).outcome());
    // Not again so soon.
    let modified = || fs::metadata(&note).unwrap().modified().unwrap();
    let noted = modified();
    run(&world.plan, BULK, u64::MAX);
    assert_eq!(modified(), noted);
    // What the last day holds is kept.
    let counted = vacuum(&world.plan, None, VacuumAct::Count).unwrap();
    assert!(counted.iter().all(|(_, it)| it.files == 0), "{counted:?}");
}

#[test]
fn by_hand_the_present_versions_alone_are_kept_while_no_job_runs() {
    let world = World::after(3);
    let plan = &world.plan;
    let expected = world.outcome();
    let none = Some(Duration::ZERO);
    let job = Job::open(plan.clone()).unwrap();
    assert_eq!(vacuum(plan, none, VacuumAct::Delete).unwrap_err().kind(), Kind::Fenced);
    // Beside a job it only counts, or keeps a day.
    let counted = vacuum(plan, none, VacuumAct::Count).unwrap();
    assert!(counted.iter().map(|(_, it)| it.files).sum::<u64>() > 3);
    let kept = vacuum(plan, Some(UNDER_WAY), VacuumAct::Delete).unwrap();
    assert!(kept.iter().all(|(_, it)| it.files + it.log_files == 0));
    drop(job);

    let deleted = vacuum(plan, none, VacuumAct::Delete).unwrap();
    assert_eq!(deleted.len(), tables::ALL.len());
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    let runtime = runtime().unwrap();
    let latest = runtime.block_on(sink::read_latest(&store, &root)).unwrap().unwrap();
    for (name, it) in &deleted {
        assert_eq!(latest.tables[*name], it.oldest, "{name}");
        let log = files(&world.out().join(name).join("_delta_log"));
        assert_eq!(log.len(), 3, "{name}: an entry, a checkpoint, its note");
    }
    assert_eq!(world.outcome(), expected);
    world.run(4);
    assert_eq!(world.outcome(), World::after(4).outcome());
}

#[test]
fn the_tables_of_another_pipeline_are_left_alone() {
    let world = World::after(1);
    let mut other = world.plan.clone();
    other.name = "other".into();
    let refused = vacuum(&other, None, VacuumAct::Delete).unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
}

#[test]
fn there_are_some_vacuums_within_the_retention() {
    let hours = |days| between(UNDER_WAY * days) / 3_600_000;
    assert_eq!([1, 2, 7, 365].map(hours), [3, 6, 24, 24]);
}
