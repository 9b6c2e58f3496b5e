use std::fs;
use std::path::PathBuf;

use super::*;
use crate::pipeline::tests::{BULK, PIPELINE, plan_of};
use crate::pipeline::{Report, Stop};

/// A pipeline over a folder of e-mail events.
struct Shop {
    folder: tempfile::TempDir,
    mapping: String,
}

const LINES: [&str; 5] = [
    r#"{"event_id":"e1","type":"open","ts":1704067200,"address":"ada@example.com"}"#,
    r#"{"event_id":"e2","type":"open","when":1704067200,"address":"ada@example.com"}"#,
    "{broken",
    r#"{"event_id":"e1","type":"open","when":1704067200,"address":"ada@example.com"}"#,
    r#"{"event_id":"e3","type":"open","when":"soon","address":"ada@example.com"}"#,
];

impl Shop {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for source in ["web", "phone", "store"] {
            fs::write(folder.path().join(format!("{source}.jsonl")), "").expect("write a file");
        }
        fs::write(folder.path().join("email.jsonl"), LINES.join("\n")).expect("write a file");
        Self { folder, mapping: PIPELINE.to_owned() }
    }

    fn plan(&self) -> Plan {
        let path = self.folder.path();
        plan_of(&self.mapping, path, path, 2)
    }

    /// Reads the time where the events have it.
    fn mend(&mut self) {
        let wrong = r#"occurred_at = { path = "/ts", format = "epoch_seconds" }"#;
        assert!(self.mapping.contains(wrong));
        self.mapping = self.mapping.replace(wrong, &wrong.replace("/ts", "/when"));
    }

    fn run(&self) -> Report {
        Job::open(self.plan())
            .expect("it opens")
            .run(BULK, &Stop::default(), &mut |_| {})
            .expect("it runs")
    }

    fn letters(&self) -> DeadLetters {
        DeadLetters::open(&self.plan()).expect("they are there")
    }

    fn list(&self) -> Listing {
        self.letters().list(&DeadLetterFilter::default(), 100).expect("they can be read")
    }

    fn open_places(&self) -> Vec<u64> {
        self.list().letters.iter().map(|letter| letter.origin.offset).collect()
    }

    fn counts(&self) -> [u64; 4] {
        let counters = self.run().counters;
        assert!(counters.reconciles());
        [counters.read, counters.resolved, counters.duplicate, counters.dead_lettered]
    }

    fn replay(&self, file: Option<&Path>) -> Result<Replayed> {
        replay(self.plan(), file, &DeadLetterFilter::default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn became(resolved: u64, duplicate: u64, unusable: &[(&'static str, u64)]) -> Replayed {
    let unusable = unusable.iter().copied().collect();
    Replayed { resolved, duplicate, unusable, ..Replayed::default() }
}

#[test]
fn what_the_mapping_can_read_now_is_replayed_once() {
    let mut shop = Shop::open();
    assert_eq!(shop.counts(), [5, 1, 0, 4]);
    assert_eq!(shop.open_places(), [1, 2, 3, 4]);
    shop.mend();
    let dry = try_replay(&shop.plan(), None, &DeadLetterFilter::default()).expect("it reads");
    assert_eq!(dry, became(2, 0, &[("bad_time", 1), ("malformed", 1)]));
    assert_eq!(shop.open_places(), [1, 2, 3, 4], "a dry run changes nothing");

    let replayed = shop.replay(None).expect("it replays");
    assert_eq!(replayed, became(1, 1, &[("bad_time", 1), ("malformed", 1)]));
    assert_eq!(shop.open_places(), [2, 4]);
    assert_eq!(shop.counts(), [5, 2, 1, 2]);
    let listing = shop.list();
    let closed: u64 = listing.groups.iter().map(|group| group.closed).sum();
    assert_eq!(closed, 2);

    let replayed = shop.replay(None).expect("it replays");
    assert_eq!(replayed, became(0, 0, &[("bad_time", 1), ("malformed", 1)]));
    assert_eq!(shop.counts(), [5, 2, 1, 2], "once");
}

#[test]
fn what_a_person_mended_is_replayed_once_whatever_cut_it_short() {
    let shop = Shop::open();
    shop.run();
    let file = shop.path("letters.jsonl");
    let filter =
        DeadLetterFilter { reason: Some("malformed".into()), ..DeadLetterFilter::default() };
    assert_eq!(shop.letters().export(&filter, &file).expect("it is written"), 1);
    let error = shop.letters().export(&filter, &file).expect_err("it is there already");
    assert_eq!(error.kind(), Kind::Invalid);
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(text.contains(r#""payload":"{broken""#), "{text}");
    let mended = r#"{"event_id":"e9","type":"open","ts":1704067200,"address":"bob@example.com"}"#;
    let text = text.replace(r#""{broken""#, mended);
    fs::write(&file, &text).expect("write the file");

    // Cut short between the commit and its publishing: the next opening makes up for it.
    let plan = shop.plan();
    let letter = file::read(&file).expect("it opens").next().expect("one").expect("a letter");
    let Letter { listed, payload, envelope } = letter;
    let message = Message { origin: listed.origin, payload, fault: None, envelope };
    let mut replayed = Replayed::default();
    let mut job = Job::open(plan).expect("it opens");
    job.replay(&[message], &mut replayed).expect("it commits");
    assert_eq!(replayed, became(1, 0, &[]));
    let error = shop.replay(Some(&file)).expect_err("the job has the state");
    assert_eq!(error.kind(), Kind::Fenced);
    assert!(error.to_string().contains("stop the job first"), "{error}");
    drop(job);
    let replayed = shop.replay(Some(&file)).expect("it replays");
    assert_eq!(replayed, Replayed { closed: 1, ..Replayed::default() });
    assert_eq!(shop.counts(), [5, 2, 0, 3]);
    assert_eq!(shop.open_places(), [1, 3, 4]);
}

#[test]
fn only_open_letters_of_this_pipeline_are_replayed() {
    let shop = Shop::open();
    shop.run();
    let partition = shop.list().letters[0].origin.partition.clone();
    let line = |source: &str, offset: u64, payload: &str| {
        let place =
            serde_json::json!({ "source": source, "partition": &*partition, "offset": offset });
        let mut place = place;
        place["payload"] = payload.into();
        place.to_string()
    };
    let file = shop.path("letters.jsonl");
    // No letter, a message that was used, and an unknown source.
    let lines = [line("email", 99, LINES[0]), line("email", 0, LINES[0]), line("x", 1, LINES[0])];
    fs::write(&file, lines.join("\n")).expect("write the file");
    let replayed = shop.replay(Some(&file)).expect("it replays");
    assert_eq!(replayed, Replayed { unknown: 3, ..Replayed::default() });

    let refused = |text: String, why: &str| {
        fs::write(&file, text).expect("write the file");
        let error = shop.replay(Some(&file)).expect_err("it is refused");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().ends_with(why), "{error}");
        assert!(!error.to_string().contains("ada"), "no value is told");
    };
    refused(
        [line("email", 1, "a"), line("email", 1, "b")].join("\n\n"),
        "line 1 is of the same letter",
    );
    refused("ada@example.com".into(), "line 1: no JSON object");
    refused(r#"{"payload":"ada"}"#.into(), "`source`, `partition` or `offset` of the letter");
    assert_eq!(shop.counts(), [5, 1, 0, 4], "nothing changed");
}

#[test]
fn bytes_keys_and_headers_survive_the_file() {
    let origin = Origin { source: "s".into(), partition: "t/0".into(), offset: 7 };
    let header = |name: &str, value: Option<&[u8]>| Header {
        name: name.to_owned(),
        value: value.map(<[u8]>::to_owned),
    };
    let headers = vec![header("a", Some(b"x")), header("b", None), header("c", Some(&[255]))];
    let letter = Letter {
        listed: ListedLetter {
            origin: origin.clone(),
            reason: "malformed".into(),
            detail: "d".into(),
            outcome: None,
        },
        payload: Bytes::from_static(&[0, 255, 16]),
        envelope: Some(Box::new(Envelope { key: Some(vec![254]), headers })),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("letters.jsonl");
    let mut writer = file::Writer::create(&path).expect("it is made");
    writer.write(&letter).expect("it is written");
    assert_eq!(writer.finish().expect("it is written"), 1);
    let mut read = file::read(&path).expect("it opens");
    assert!(read.next().expect("one").expect("a letter") == letter);
    assert!(read.next().is_none());
}
