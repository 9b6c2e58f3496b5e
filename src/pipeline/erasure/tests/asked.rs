//! Who asks by an event to be forgotten is, whenever the event comes.

use super::*;
use crate::pipeline::tests::STREAM;

use crate::record::RecordKey;
use crate::source::{Pointer, SourcePlan, When};

/// A pipeline over lines of the web shop, in which events of the type `erase_me` ask for erasure.
fn shop(lines: &[String]) -> (TempDir, Plan) {
    let (folder, mut plan) = web(lines);
    let source = plan.sources.iter_mut().find(|source| &*source.name == "web");
    let source: &mut SourcePlan = source.unwrap();
    let path = Pointer::parse("/type").unwrap();
    source.mapping.erasure = vec![When(vec![(path, vec!["erase_me".into()])])];
    (folder, plan)
}

/// Anna visits by two browsers and Bert by another; at last Anna asks to be forgotten, by the first.
fn visits() -> Vec<String> {
    let anna = |n: u32, time: &str| {
        login(n, time, "anna@example.org", "Anna").replace(&format!("19{n}0-02-03"), "1950-02-03")
    };
    let ask = anna(1, "2026-01-09T00:00:00Z")
        .replace("\"e1\"", "\"ask\"")
        .replace("login\"", "erase_me\"");
    vec![
        anna(1, "2026-01-02T00:00:00Z"),
        anna(2, "2026-01-03T00:00:00Z"),
        login(7, "2026-01-04T00:00:00Z", "bert@example.org", "Bert"),
        ask,
    ]
}

fn emails(plan: &Plan) -> Vec<String> {
    let profiles = rows(plan, "profiles");
    let mut emails: Vec<String> =
        profiles.iter().map(|row| text(&row["emails"][0], "value").to_owned()).collect();
    emails.sort_unstable();
    emails
}

fn receipts(folder: &TempDir) -> Vec<Value> {
    let place = folder.path().join("out/_onefold/receipts");
    if !place.exists() {
        return Vec::new();
    }
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    files(&place).into_iter().map(read).collect()
}

#[test]
fn a_request_in_files_takes_its_customer_wherever_it_stands() {
    let mut outcomes = Vec::new();
    for turn in 0..4 {
        let mut lines = visits();
        lines.rotate_left(turn);
        let (folder, plan) = shop(&lines);
        run(&plan, BULK, u64::MAX);
        assert_eq!(emails(&plan), ["bert@example.org"]);
        let [receipt] = &receipts(&folder)[..] else { panic!("one receipt") };
        assert_eq!(receipt["found_by"], "event");
        assert_eq!(receipt["requested_at"], "2026-01-09T00:00:00Z");
        assert_eq!((&receipt["records"], &receipt["events"]), (&2.into(), &3.into()));
        let web = folder.path().join("web.jsonl");
        fs::remove_file(&web).unwrap();
        let all = everything(&plan, folder.path());
        assert!(!all.contains("anna@") && all.contains("bert@"));
        // The same again from another file, and something new.
        fs::write(folder.path().join("web.jsonl.1.jsonl"), lines.join("\n")).unwrap();
        run(&plan, BULK, u64::MAX);
        assert_eq!(emails(&plan), ["bert@example.org"]);
        assert_eq!(receipts(&folder).len(), 1, "nobody asks twice by one event");
        outcomes.push(comparable(&plan));
        let later = login(1, "2026-03-01T00:00:00Z", "anna@example.org", "Anna");
        fs::write(folder.path().join("web.jsonl.2.jsonl"), later.replace("e1", "later")).unwrap();
        run(&plan, BULK, u64::MAX);
        assert_eq!(emails(&plan), ["anna@example.org", "bert@example.org"], "she is back");
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1);
}

#[test]
fn a_request_that_was_committed_outlives_the_job() {
    let mut lines = visits();
    lines.push(login(5, "2026-01-10T00:00:00Z", "cleo@example.org", "Cleo"));
    let (folder, mut plan) = shop(&lines);
    plan.run.batch = 1;
    let mut job = Job::open(plan.clone()).unwrap();
    let stop = crate::pipeline::Stop::default();
    let report = job.run(STREAM, &stop, &mut |progress| {
        if progress.messages >= 4 {
            stop.ask();
        }
    });
    drop((report.unwrap(), job));
    assert_eq!(
        emails(&plan),
        ["anna@example.org", "bert@example.org"],
        "who is told to stop leaves it"
    );
    assert_eq!(receipts(&folder).len(), 0);
    let (receipts, left) = erase_asked(plan.clone()).unwrap();
    assert_eq!((receipts.len(), left), (1, Vec::new()));
    assert_eq!(receipt_of(&plan, &serde_json::to_vec(&receipts[0]).unwrap()).unwrap(), receipts[0]);
    assert_eq!(emails(&plan), ["bert@example.org"]);
    assert_eq!(erase_asked(plan).unwrap(), (Vec::new(), Vec::new()));
}

/// Judges that a record is nobody's else.
fn set_apart(plan: &Plan, lonely: RecordKey) {
    let map = rows(plan, "identity_map");
    let others = map.iter().map(|row| text(row, "record_key").parse::<RecordKey>().unwrap());
    let given = others.filter_map(|other| Pair::of(lonely, other)).map(|pair| Given {
        pair,
        verdict: Verdict::Apart,
        reason: "a test".into(),
        author: "test".into(),
        at: None,
    });
    crate::pipeline::judge(plan.clone(), given.collect()).unwrap();
}

/// Somebody visits, and a request comes of a browser that only gives their address; returns the record of it, which is
/// nobody else's.
fn lonely_request(others: &[String], ask: &str) -> (TempDir, Plan, RecordKey) {
    let visit = ask.replace("erase_me", "login").replace("\"ask\"", "\"visit\"");
    let (folder, plan) = shop(&[others, &[visit]].concat());
    run(&plan, BULK, u64::MAX);
    let interactions = rows(&plan, "interactions");
    let own = interactions.iter().find(|row| text(row, "event_id") == "visit").unwrap();
    let record = text(own, "record_key").parse().unwrap();
    set_apart(&plan, record);
    fs::write(folder.path().join("web.jsonl.1.jsonl"), ask).unwrap();
    (folder, plan, record)
}

const ASK: &str = r#"{"event_id":"ask","channel":"web","ts":"2026-02-01T00:00:00Z","type":"erase_me","cookie_id":"c-9","login_email":"anna@example.org"}"#;

#[test]
fn a_request_that_says_nothing_but_identifiers_means_who_alone_carries_one() {
    let (folder, plan, _) = lonely_request(&visits()[..3], ASK);
    assert_eq!(rows(&plan, "profiles").len(), 3);
    run(&plan, BULK, u64::MAX);
    assert_eq!(emails(&plan), ["bert@example.org"]);
    let identities = receipts(&folder)[0]["identities"].as_array().unwrap().len();
    assert_eq!(identities, 2);
}

#[test]
fn an_operator_decides_where_a_request_may_mean_somebody_else() {
    let named = ASK.replace("\"cookie_id\"", r#""form":{"name":"Carl Other"},"cookie_id""#);
    let (folder, plan, record) = lonely_request(&visits()[..3], &named);
    run(&plan, BULK, u64::MAX);
    assert_eq!(rows(&plan, "profiles").len(), 3, "nobody is erased on a guess");
    for _ in 0..2 {
        let (erased, left) = erase_asked(plan.clone()).unwrap();
        assert_eq!(erased, []);
        let [Carriers { request, identities }] = &left[..] else { panic!("one is left") };
        assert_eq!((*request, identities.len()), (record, 1));
    }
    let own = request(LookupKey::Id(record.to_string()));
    erase(plan.clone(), &own).unwrap().unwrap();
    assert_eq!(erase_asked(plan.clone()).unwrap().1, [], "the request is done with");
    assert_eq!(rows(&plan, "profiles").len(), 2);
    assert_eq!(receipts(&folder).len(), 1);
}

#[test]
fn several_requests_are_one_commit_and_one_receipt_each() {
    let mut lines = visits();
    let bert = login(7, "2026-01-10T00:00:00Z", "bert@example.org", "Bert");
    lines.push(bert.replace("\"e7\"", "\"ask too\"").replace("login\"", "erase_me\""));
    // Anna asks once more, by her other browser.
    lines.push(lines[1].replace("\"e2\"", "\"again\"").replace("login\"", "erase_me\""));
    let (folder, plan) = shop(&lines);
    run(&plan, BULK, u64::MAX);
    assert_eq!(rows(&plan, "profiles"), Vec::<Value>::new());
    let mut told = receipts(&folder);
    told.sort_by_key(|receipt| receipt["requested_at"].to_string());
    let sums = told.iter().map(|it| (it["records"].clone(), it["events"].clone()));
    assert_eq!(sums.collect::<Vec<_>>(), [(2.into(), 4.into()), (1.into(), 2.into())]);
    assert_eq!(told[0]["requested_at"], "2026-01-09T00:00:00Z", "the later of hers");
    assert_eq!(told[0]["state"], told[1]["state"]);
}
