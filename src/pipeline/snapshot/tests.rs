use std::fs;
use std::time::Duration;

use super::super::tests::{BULK, Outcome, outcome, plan, run};
use super::super::{Ending, Options};
use super::*;
use crate::demo::{self, generate};
use crate::source::Options as StoreOptions;

/// A pipeline over a stream of events, with a place for snapshots.
struct World {
    folder: tempfile::TempDir,
    plan: Plan,
}

impl World {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(&folder.path().join("events"), &folder.path().join(name), 60);
        let url = folder.path().join("snapshots").display().to_string();
        let options = StoreOptions::default();
        plan.state.snapshot = Some(SnapshotPlan { url, interval: None, keep: 2, options });
        Self { folder, plan }
    }

    /// Lets the sources hold the first lines of the stream.
    fn events(&self, share: usize) {
        let mut stream =
            generate(&demo::Settings { customers: 60, seed: 5, ..demo::Settings::default() });
        stream.lines.truncate(stream.lines.len() * share / 4);
        stream.write_to(&self.folder.path().join("events")).unwrap();
    }

    fn lose_the_state(&self) {
        fs::remove_dir_all(&self.plan.state.path).unwrap();
    }
}

/// What a job has that was never disturbed.
fn undisturbed() -> Outcome {
    let world = World::new("calm");
    world.events(4);
    run(&world.plan, BULK, u64::MAX);
    let mut outcome = outcome(&world.plan);
    outcome.forget_places();
    outcome
}

#[test]
fn a_state_that_is_restored_ends_as_if_it_had_not_been_lost() {
    let world = World::new("job");
    let plan = &world.plan;
    world.events(1);
    run(plan, BULK, u64::MAX);
    let taken = take_snapshot(plan).unwrap();
    for share in [2, 3] {
        world.events(share);
        run(plan, BULK, u64::MAX);
    }
    assert_eq!(restore_snapshot(plan, None).unwrap_err().kind(), Kind::Invalid, "it is there yet");
    world.lose_the_state();
    let restored = restore_snapshot(plan, None).unwrap();
    assert_eq!((restored.sequence, restored.put_back.len()), (taken.sequence, 7));
    assert_eq!(verify_state(plan).unwrap().sequence, taken.sequence);
    world.events(4);
    let report = run(plan, BULK, u64::MAX);
    assert!(report.counters.reconciles());
    let mut found = outcome(plan);
    found.forget_places();
    assert!(found == undisturbed());
}

#[test]
fn a_restore_that_is_cut_short_is_begun_again() {
    let world = World::new("job");
    let plan = &world.plan;
    world.events(1);
    run(plan, BULK, u64::MAX);
    let taken = take_snapshot(plan).unwrap();
    world.events(4);
    run(plan, BULK, u64::MAX);
    world.lose_the_state();
    // The tables are put back, and the state is not there yet; a second try finds nothing to put back.
    put_back(&plan.publish, &plan.name, taken.sequence).unwrap();
    fs::create_dir_all(plan.state.path.with_extension("restoring")).unwrap();
    let restored = restore_snapshot(plan, Some(taken.sequence)).unwrap();
    assert_eq!(restored, Restored { sequence: taken.sequence, put_back: vec![] });
    run(plan, BULK, u64::MAX);
    let mut found = outcome(plan);
    found.forget_places();
    assert!(found == undisturbed());
}

#[test]
fn without_going_back_the_tables_refuse_an_older_state() {
    let world = World::new("job");
    let plan = &world.plan;
    world.events(1);
    run(plan, BULK, u64::MAX);
    take_snapshot(plan).unwrap();
    world.events(2);
    run(plan, BULK, u64::MAX);
    world.lose_the_state();
    let mut elsewhere = plan.clone();
    elsewhere.publish.url = world.folder.path().join("other").display().to_string();
    assert_eq!(restore_snapshot(&elsewhere, None).unwrap().put_back, Vec::<&str>::new());
    let refused = super::super::Job::open(plan.clone()).err().unwrap();
    assert_eq!(refused.kind(), Kind::Data, "{refused}");
}

#[test]
fn what_is_not_there_is_said() {
    let mut world = World::new("job");
    assert_eq!(snapshots(&world.plan).unwrap(), []);
    let none = restore_snapshot(&world.plan, None).unwrap_err();
    assert!(none.to_string().contains("there is no snapshot"), "{none}");
    let none = restore_snapshot(&world.plan, Some(7)).unwrap_err();
    assert!(none.to_string().contains("no snapshot of commit 7"), "{none}");
    world.plan.state.snapshot = None;
    let none = snapshots(&world.plan).unwrap_err();
    assert!(none.to_string().contains("[state.snapshot]"), "{none}");
}

#[test]
fn a_running_job_takes_snapshots_and_keeps_the_latest() {
    let mut world = World::new("job");
    let snapshot = world.plan.state.snapshot.as_mut().unwrap();
    snapshot.interval = Some(Duration::from_millis(1));
    world.events(4);
    let report = run(&world.plan, Options { ending: Ending::Exhausted, interim: true }, u64::MAX);
    assert!(report.commits > 3);
    let found = snapshots(&world.plan).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    let before = verify_state(&world.plan).unwrap();
    world.lose_the_state();
    let restored = restore_snapshot(&world.plan, None).unwrap();
    assert_eq!(restored.sequence, found[0].sequence);
    run(&world.plan, BULK, u64::MAX);
    let after = verify_state(&world.plan).unwrap();
    assert_eq!((after.records, after.facts_events), (before.records, before.facts_events));
}
