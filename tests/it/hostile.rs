//! Files that nobody should send: counted and kept, never fatal.

use std::collections::BTreeMap;
use std::fs;

use onefold::sink::tables::{DEAD_LETTERS, INTERACTIONS};

use crate::support::program::onefold;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text};

/// A well-formed e-mail event.
fn event(id: &str) -> Vec<u8> {
    let ts = "1704067200";
    format!(r#"{{"event_id":"{id}","type":"open","ts":{ts},"address":"{id}@example.com"}}"#).into()
}

/// An e-mail event with more in it, which may be anything.
fn event_with(id: &str, more: &str) -> Vec<u8> {
    let mut line = event(id);
    line.pop();
    line.extend_from_slice(b",");
    line.extend_from_slice(more.as_bytes());
    line.extend_from_slice(b"}");
    line
}

/// Lines that are no events, with the reason that is given for each.
fn unusable() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |depth: usize| format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth));
    let members: Vec<String> = (0..5_000).map(|at| format!("\"{at}\":0")).collect();
    let mut latin1 = event("latin1");
    latin1.extend_from_slice(b"\xe9\xff");
    let mut bytes: Vec<u8> = (0..4_000_u32).map(|at| ((at * 7919) >> 3) as u8).collect();
    bytes.retain(|byte| *byte != b'\n');
    vec![
        ("too_large", event_with("huge", &format!("\"x\":\"{}\"", "a".repeat(3 << 20)))),
        ("too_large", event_with("text", &format!("\"x\":\"{}\"", "a".repeat(100 << 10)))),
        ("too_large", event_with("deep", &nested(50))),
        ("too_large", event_with("abyss", &nested(200_000))),
        ("too_large", vec![b'['; 1 << 19]),
        ("too_large", event_with("wide", &members.join(","))),
        ("malformed", latin1),
        ("malformed", bytes),
        ("malformed", b"\0\0\0\0".to_vec()),
        ("malformed", b"{\"event_id\":\"cut".to_vec()),
        ("malformed", event_with("surrogate", r#""x":"\ud800""#)),
        ("malformed", event_with("number", "\"x\":1e999")),
        ("malformed", [event("two"), event("more")].concat()),
        ("malformed", b"null".to_vec()),
        ("malformed", b"[1,2]".to_vec()),
        ("malformed", b"\"text\"".to_vec()),
        ("missing_field", b"{}".to_vec()),
        ("wrong_type", br#"{"event_id":{"a":1},"type":"open","ts":1,"address":"a@b.co"}"#.to_vec()),
        ("bad_time", br#"{"event_id":"e","type":"open","ts":1e300,"address":"a@b.co"}"#.to_vec()),
        ("bad_time", br#"{"event_id":"e","type":"open","ts":-5,"address":"a@b.co"}"#.to_vec()),
    ]
}

#[test]
fn unusable_lines_are_kept_and_the_others_count() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(format!("{name}.jsonl")), bytes).expect("write a file");
    };
    let unusable = unusable();
    let mut lines = b"\xef\xbb\xbf".to_vec();
    for (at, (_, line)) in unusable.iter().enumerate() {
        lines.extend(event(&format!("good{at}")));
        lines.extend_from_slice(b"\r\n");
        lines.extend_from_slice(line);
        lines.extend_from_slice(b"\n\n");
    }
    // Values that can't be used are no reason to lose an event, nor is the lack of a line's end.
    lines.extend(event_with("odd", r#""cookie_id":["a"],"campaign_id":{"b":null}"#));
    write("email", &lines);
    write("web", b"");
    write("phone", b"\n\n  \n");
    write("store", b"\x1f\x8b\x08 no gzip at all \0\n");
    let out = folder.path().join("out");
    let report = onefold(&["backfill", "pipelines/events.toml", "--json"])
        .env("EVENTS_DIR", text(folder.path()))
        .env("OUT", text(&out))
        .env("STATE", text(&folder.path().join("state")))
        .report();
    let tables = Tables::local(&out);

    let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
    for row in tables.rows(&DEAD_LETTERS, &["reason"]) {
        *reasons.entry(word(&row, "reason")).or_default() += 1;
    }
    let mut expected: BTreeMap<String, i64> = BTreeMap::from([("malformed".to_owned(), 1)]);
    for (reason, _) in &unusable {
        *expected.entry((*reason).to_owned()).or_default() += 1;
    }
    assert_eq!(reasons, expected);
    assert_eq!(report["dead_lettered"], unusable.len() + 1);
    assert_eq!(report["resolved"], unusable.len() + 1);
    assert_eq!(report["read"], 2 * unusable.len() + 2);
    let ids = tables.rows(&INTERACTIONS, &["event_id"]);
    assert!(
        ids.iter()
            .all(|row| word(row, "event_id").starts_with("good") || word(row, "event_id") == "odd")
    );
}

#[test]
fn a_broken_archive_is_named_and_what_came_before_is_kept() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let folder = folder();
    let lines: Vec<u8> =
        (0..2_000).flat_map(|at| [event(&format!("e{at}")), b"\n".to_vec()].concat()).collect();
    let mut archive = GzEncoder::new(Vec::new(), Compression::fast());
    archive.write_all(&lines).expect("compress");
    let whole = archive.finish().expect("compress");
    let path = folder.path().join("email.jsonl.gz");
    let job = || {
        onefold(&["backfill", "pipeline.toml", "--json"])
            .within(folder.path())
            .env("EVENTS_DIR", text(folder.path()))
            .env("OUT", "out")
            .env("STATE", "state")
    };
    for channel in ["web", "phone", "store"] {
        fs::write(folder.path().join(format!("{channel}.jsonl")), "").expect("write a file");
    }
    crate::support::pipeline::changed(
        "events.toml",
        folder.path(),
        &[
            (crate::support::pipeline::INTERVAL, "interval = \"30s\"\n[run]\nbatch = 100\n"),
            // With the built-in model; one that is learnt needs the files whole.
            ("[match]\n", "[match]\nexpected_customers = 1000\n"),
        ],
    );
    fs::rename(folder.path().join("events.toml"), folder.path().join("pipeline.toml")).expect("x");

    fs::write(&path, &whole[..whole.len() / 2]).expect("write half of it");
    let ran = job().run();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.log.contains("email.jsonl.gz` at row "), "{ran:?}");

    // The whole file under its name: reading goes on behind what was read.
    fs::write(&path, &whole).expect("write all of it");
    let report = job().report();
    assert_eq!(report["resolved"], 2_000);
    assert_eq!(report["duplicate"], 0);
    assert!(report["messages"].as_u64().is_some_and(|read| read < 2_000), "{report}");
}
