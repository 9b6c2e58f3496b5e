//! What a person judged holds: in the tables, through replays, and until it is withdrawn.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use onefold::sink::tables::IDENTITY_CHANGES;
use serde_json::Value;

use crate::support::pipeline::changed;
use crate::support::program::{Program, Ran, onefold};
use crate::support::tables::{Tables, word};
use crate::support::{folder, repository, text};

/// A place with the family's pipeline, whose judgements are in a file beside it.
struct Place {
    folder: tempfile::TempDir,
    pipeline: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        let ledger = "[match]\njudgements = \"judgements.csv\"\n";
        let pipeline = changed("events.toml", folder.path(), &[("[match]\n", ledger)]);
        fs::write(folder.path().join("judgements.csv"), "left,right,judgement\n").expect("write");
        Self { folder, pipeline }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, command: &str, arguments: &[&str]) -> Program {
        let mut whole = vec![command, text(&self.pipeline)];
        whole.extend(arguments);
        onefold(&whole)
            .within(self.folder.path())
            .env("EVENTS_DIR", text(&repository("tests/cases/family")))
            .env("OUT", "out")
            .env("STATE", "state")
            .env("USER", "ada")
    }

    #[track_caller]
    fn run(&self, command: &str, arguments: &[&str]) -> Ran {
        self.program(command, arguments).succeed()
    }

    fn tables(&self) -> Tables {
        Tables::local(&self.path("out"))
    }

    fn partition(&self) -> BTreeSet<BTreeSet<String>> {
        self.tables().partition()
    }

    /// Every change of an identity that a judgement caused: what, which, and the other.
    fn judged_changes(&self) -> Vec<(String, String, String)> {
        let columns =
            ["change", "identity_id", "other_identity_id", "cause", "epoch", "record_key"];
        let mut rows = self.tables().rows(&IDENTITY_CHANGES, &columns);
        rows.retain(|row| row["cause"] == "judgement" && row["record_key"].is_null());
        rows.sort_by_key(|row| row["epoch"].as_i64());
        let change = |row: &Value| {
            let of = |column| word(row, column);
            (of("change"), of("identity_id"), of("other_identity_id"))
        };
        rows.iter().map(change).collect()
    }
}

fn are_together(partition: &BTreeSet<BTreeSet<String>>, left: &str, right: &str) -> bool {
    partition.iter().any(|cluster| cluster.contains(left) && cluster.contains(right))
}

#[test]
fn what_was_judged_splits_holds_through_a_replay_and_is_taken_back() {
    let place = Place::new();
    place.run("backfill", &[]);
    let before = place.partition();
    assert!(are_together(&before, "signup-1", "call-1"));
    assert!(!are_together(&before, "order-1", "order-2"));

    place.run("judge", &["apart", "signup-1", "phone:call-1", "--reason", "two Marias"]);
    let split = place.partition();
    assert!(!are_together(&split, "signup-1", "call-1"));
    let changes = place.judged_changes();
    let [(change, new, from)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(change, "split");
    assert!(place.tables().identity_map().values().any(|id| id == new));
    assert!(place.tables().identity_map().values().any(|id| id == from));

    place.run("judge", &["together", "order-1", "order-2", "--reason", "one card"]);
    let judged = place.partition();
    assert!(are_together(&judged, "order-1", "order-2"));

    // Another state, other tables: the file beside the pipeline has all that was judged.
    fs::remove_dir_all(place.path("state")).expect("forget the state");
    fs::remove_dir_all(place.path("out")).expect("forget the tables");
    place.run("backfill", &[]);
    assert_eq!(place.partition(), judged);

    place.run("judge", &["withdraw", "signup-1", "call-1"]);
    place.run("judge", &["withdraw", "order-2", "order-1"]);
    assert_eq!(place.partition(), before);
    // A start reads the file again, which knows of the withdrawals.
    place.run("backfill", &[]);
    assert_eq!(place.partition(), before);
}

#[test]
fn a_review_is_filled_in_and_given_back() {
    let place = Place::new();
    place.run("backfill", &[]);
    for name in ["review.csv", "review.json"] {
        place.run("review", &["--out", name]);
        let file = place.path(name);
        let (key, other) = fill(&file);
        let ran = place.run("judge", &["import", name, "--author", "clerk"]);
        assert!(ran.output.starts_with("judgements: 1 taken\n"), "{}", ran.output);
        let map = place.tables().identity_map();
        assert_ne!(map[&key], map[&other], "{name}: they were judged apart");
        let list = place.run("judge", &["list"]).output;
        assert!(list.contains("(in force)") && list.contains("by clerk"), "{list}");
        // What was judged is not asked again.
        place.run("review", &["--out", name]);
        let again = fs::read_to_string(&file).expect("the review");
        assert!(!again.lines().any(|line| line.contains(&key) && line.contains(&other)));
        place.run("judge", &["withdraw", &key, &other]);
    }

    let bad = format!("left,right,judgement\n{0},{0},\nnobody,{0},apart\n", "0".repeat(32));
    fs::write(place.path("bad.csv"), bad).expect("write");
    let ran = place.program("judge", &["import", "bad.csv"]).run();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.log.contains("bad.csv, line 3: no event, row or record"), "{}", ran.log);
}

/// Judges the first pair of a review apart; returns its records.
fn fill(file: &Path) -> (String, String) {
    let read = fs::read_to_string(file).expect("the review");
    let keys;
    let filled = if file.extension().is_some_and(|extension| extension == "json") {
        let mut rows: Vec<Value> = serde_json::from_str(&read).expect("an array");
        rows[0]["judgement"] = "apart".into();
        rows[0]["reason"] = "seen".into();
        keys = (word(&rows[0], "left"), word(&rows[0], "right"));
        serde_json::to_string(&rows).expect("JSON")
    } else {
        let mut lines: Vec<String> = read.lines().map(str::to_owned).collect();
        let cells: Vec<&str> = lines[1].split(',').collect();
        assert_eq!(cells[..2], ["", ""], "{}", lines[0]);
        keys = (cells[2].to_owned(), cells[3].to_owned());
        lines[1] = format!("apart,seen{}", &lines[1][1..]);
        lines.join("\n")
    };
    fs::write(file, filled).expect("fill in");
    keys
}

#[test]
fn a_judgement_waits_for_its_records() {
    let place = Place::new();
    place.run("backfill", &[]);
    place.run("judge", &["together", "order-1", "order-2", "--reason", "one card"]);
    let judged = place.partition();
    place.run("judge", &["export", "all.jsonl"]);
    let ledger = place.path("judgements.csv");
    let kept = fs::read_to_string(&ledger).expect("the file of judgements");
    assert_eq!(kept.lines().count(), 2, "{kept}");

    // A state that has the judgement before any of its records.
    fs::remove_dir_all(place.path("state")).expect("forget the state");
    fs::remove_dir_all(place.path("out")).expect("forget the tables");
    let ran = place.run("judge", &["import", "all.jsonl"]);
    assert!(ran.output.contains("0 taken, 1 known already"), "the file had it: {}", ran.output);
    let list = place.run("judge", &["list"]).output;
    assert!(list.contains("(asleep)"), "{list}");
    place.run("backfill", &[]);
    assert_eq!(place.partition(), judged);
    let list = place.run("judge", &["list"]).output;
    assert!(list.contains("(in force)"), "{list}");
}
