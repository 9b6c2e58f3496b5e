//! What is older than it is kept goes, and nothing else.

use std::time::Duration;

use super::*;
use crate::clock::now_micros;
use crate::source::Pointer;

const DAY: Duration = Duration::from_hours(24);

/// A time so many days ago.
fn days_ago(days: u32) -> String {
    crate::pipeline::time_text(now_micros() - i64::try_from((DAY * days).as_micros()).unwrap())
}

fn visit(n: u32, id: &str, days: u32) -> String {
    let name = ["Anna", "Bert", "Cleo"][n as usize];
    login(n + 1, &days_ago(days), &format!("{}@example.org", name.to_lowercase()), name)
        .replace(&format!("\"e{}\"", n + 1), &format!("\"{id}\""))
}

#[test]
fn customers_of_whom_nothing_was_heard_are_erased() {
    let (folder, mut plan) =
        web(&[visit(0, "a1", 900), visit(0, "a2", 10), visit(1, "b1", 500), visit(2, "c1", 300)]);
    plan.retention.inactive = Some(DAY * 400);
    run(&plan, BULK, u64::MAX);
    let known = |plan: &Plan| {
        let profiles = rows(plan, "profiles");
        let mut names: Vec<String> =
            profiles.iter().map(|row| text(row, "given_name").to_owned()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(known(&plan), ["Anna", "Cleo"]);
    assert_eq!(rows(&plan, "interactions").len(), 3, "who is active keeps what is old");
    fs::remove_file(folder.path().join("web.jsonl")).unwrap();
    assert!(!everything(&plan, folder.path()).contains("bert@"));

    // What comes late of that time does not bring him back, what is new does.
    fs::write(folder.path().join("web.jsonl.1.jsonl"), visit(1, "b0", 501)).unwrap();
    run(&plan, BULK, u64::MAX);
    assert_eq!(known(&plan), ["Anna", "Cleo"]);
    fs::write(folder.path().join("web.jsonl.2.jsonl"), visit(1, "b2", 399)).unwrap();
    run(&plan, BULK, u64::MAX);
    assert_eq!(known(&plan), ["Anna", "Bert", "Cleo"]);
}

#[test]
fn an_inactive_row_comes_back_with_a_later_version() {
    let (folder, mut plan) = web(&[visit(0, "a1", 900), visit(1, "b1", 500)]);
    let source = plan.sources.iter_mut().find(|source| &*source.name == "web").unwrap();
    source.mapping.record_id = vec![Pointer::parse("/cookie_id").unwrap()];
    plan.retention.inactive = Some(DAY * 400);
    for (name, line, customers) in [
        ("web.jsonl.1.jsonl", visit(1, "b2", 450), 0),
        ("web.jsonl.2.jsonl", visit(1, "b3", 20), 1),
    ] {
        run(&plan, BULK, u64::MAX);
        assert_eq!(rows(&plan, "profiles"), Vec::<Value>::new());
        fs::write(folder.path().join(name), line).unwrap();
        run(&plan, BULK, u64::MAX);
        assert_eq!(rows(&plan, "profiles").len(), customers);
    }
}

#[test]
fn interactions_leave_their_table_and_profiles_count_them_all_the_same() {
    let (folder, mut plan) = web(&[visit(0, "a1", 900), visit(0, "a2", 10), visit(1, "b1", 500)]);
    run(&plan, BULK, u64::MAX);
    let before = rows(&plan, "profiles");
    assert_eq!(rows(&plan, "interactions").len(), 3);
    plan.retention.interactions = Some(DAY * 400);
    for round in 0..2 {
        run(&plan, BULK, u64::MAX);
        let left = rows(&plan, "interactions");
        assert_eq!(left.iter().map(|row| text(row, "event_id")).collect::<Vec<_>>(), ["a2"]);
        assert_eq!(rows(&plan, "profiles"), before);
        // The set that readers open names the version without them.
        let latest = fs::read(folder.path().join("out/_onefold/latest.json")).unwrap();
        let latest: Value = serde_json::from_slice(&latest).unwrap();
        let log = files(&folder.path().join("out/interactions/_delta_log")).into_iter();
        let version = |path: PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let last = log.filter_map(version).max().unwrap() - round;
        assert_eq!(latest["tables"]["interactions"].as_u64(), Some(last), "but for a fence");
    }

    // They are known all the same: the same events count once.
    fs::write(folder.path().join("web.jsonl.1.jsonl"), visit(1, "b1", 500)).unwrap();
    let report = run(&plan, BULK, u64::MAX);
    assert_eq!(report.counters.duplicate, 1);
}
