use std::fs;

use super::*;
use crate::error::Kind;
use crate::pipeline::tests::{PIPELINE, plan_of};
use crate::pipeline::{Ending, Job, Options, Report, Stop};

fn breaker(share: f64, at_least: u64) -> Breaker {
    Breaker {
        on_error: OnError::DeadLetter,
        max: DeadLettersMax { share, per: Duration::from_secs(60), at_least },
        clock: Stopwatch::start(),
        window: VecDeque::new(),
    }
}

/// What came of one source: how many messages, and how many of them were malformed.
fn came(source: &str, read: u64, dead: u64) -> BTreeMap<Arc<str>, Counts> {
    let dead = BTreeMap::from([(Reason::Malformed, dead), (Reason::BadTime, u64::from(dead > 0))]);
    BTreeMap::from([(source.into(), Counts { read: read + 1, dead })])
}

#[track_caller]
fn check(breaker: &mut Breaker, at: u64, counts: BTreeMap<Arc<str>, Counts>, trips: bool) {
    let error = breaker.count(counts, Duration::from_secs(at));
    assert_eq!(error.is_some(), trips, "{error:?}");
}

#[test]
fn only_a_share_of_many_trips() {
    check(&mut breaker(0.5, 100), 0, came("web", 90, 90), false);
    check(&mut breaker(0.5, 100), 0, came("web", 199, 99), false);
    check(&mut breaker(0.5, 100), 0, came("web", 199, 100), true);
    check(&mut breaker(1.0, 1), 0, came("web", 999, 999), false);
}

#[test]
fn a_source_is_counted_by_itself_and_within_the_window() {
    let mut breaker = breaker(0.5, 100);
    check(&mut breaker, 0, came("email", 5_000, 0), false);
    check(&mut breaker, 1, came("web", 90, 90), false);
    // A minute later what came first does not count.
    check(&mut breaker, 62, came("web", 90, 90), false);
    check(&mut breaker, 63, came("email", 5_000, 0), false);
    check(&mut breaker, 120, came("web", 9, 9), true);
    assert!(breaker.window.len() <= 60);
}

#[test]
fn the_error_names_source_share_reason_and_remedy() {
    let error = breaker(0.5, 10).count(came("web", 19, 14), Duration::ZERO).expect("it trips");
    assert_eq!(error.kind(), Kind::Data);
    let text = error.to_string();
    for part in ["`web`", "15 of the 20", "last 60 s", "`malformed`", "0.5", "dead-letter PIPELINE"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A folder with e-mail events of which some cannot be used, and a job over it.
struct Shop(tempfile::TempDir);

impl Shop {
    fn of(lines: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for source in ["web", "phone", "store"] {
            fs::write(folder.path().join(format!("{source}.jsonl")), "").expect("write a file");
        }
        let shop = Self(folder);
        shop.write(lines);
        shop
    }

    fn write(&self, lines: &[&str]) {
        fs::write(self.0.path().join("email.jsonl"), lines.join("\n")).expect("write a file");
    }

    fn run(&self, run: &str) -> crate::error::Result<Report> {
        let path = self.0.path();
        let plan = plan_of(&format!("{PIPELINE}\n[run]\n{run}"), path, path, 3);
        let options = Options { ending: Ending::Exhausted, interim: false };
        Job::open(plan)?.run(options, &Stop::default(), &mut |_| {})
    }
}

const BAD: &str = "no JSON";

fn good(id: u32) -> String {
    format!(r#"{{"event_id":"e{id}","type":"open","ts":1704067200,"address":"a{id}@example.com"}}"#)
}

#[test]
fn a_job_that_must_not_meet_bad_messages_stops_before_the_first_and_goes_on_there() {
    let lines: Vec<String> = (0..9).map(good).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let fifth = std::mem::replace(&mut lines[4], BAD);
    let shop = Shop::of(&lines);
    let error = shop.run("on_error = \"stop\"").expect_err("a message cannot be used");
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.to_string().contains("email.jsonl at 4: the message cannot be used (malformed"));
    // The same again, as long as nothing is done about it.
    shop.run("on_error = \"stop\"").expect_err("it is read again");
    // Mended, each counts once.
    lines[4] = fifth;
    shop.write(&lines);
    let report = shop.run("on_error = \"stop\"").expect("all can be used");
    let counters = report.counters;
    assert_eq!((counters.read, counters.resolved, counters.dead_lettered), (9, 9, 0));
    assert_eq!(report.messages, 6, "the first batch was committed before");
}

#[test]
fn a_job_that_was_tripped_goes_on_where_more_is_allowed() {
    let lines: Vec<String> = (0..3).map(good).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.extend([BAD; 30]);
    let shop = Shop::of(&lines);
    let limits =
        |share| format!("dead_letters_max = {{ share = {share:.1}, per = \"1h\", at_least = 10 }}");
    let error = shop.run(&limits(0.7)).expect_err("too many cannot be used");
    assert!(error.to_string().contains("9 of the 12 messages"), "{error}");
    // Another start begins to count anew, and what it does not commit is not counted.
    let error = shop.run(&limits(0.7)).expect_err("too many cannot be used");
    assert!(error.to_string().contains("12 of the 12 messages"), "{error}");
    let counters = shop.run(&limits(1.0)).expect("anything is allowed").counters;
    assert_eq!((counters.read, counters.resolved, counters.dead_lettered), (33, 3, 30));
}
