//! Memory is bounded however bad the events are, and however many.
//!
//! A flood of the worst events that the limits let pass, and of those that they refuse, goes through
//! the built program; what it held at most is what Linux says of it (`VmHWM`).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::pipeline::{INTERVAL, changed};
use crate::support::program::onefold;
use crate::support::{folder, text};

/// Bytes of one message at most, as the shipped pipelines have it.
const PAYLOAD: usize = 1 << 20;
/// Bytes of one text at most.
const TEXT: usize = 64 << 10;
/// Bytes of messages in a batch at most, as `pipeline` says under "Memory".
const BATCH: usize = 64 << 20;

/// What the program may hold at most: two batches wait, one is in the source's hand, the
/// micro-batch at hand is up to two, and what it says is held once more while it is written. The
/// store's own buffers and the program come to less than half of that.
const BOUND: usize = 9 * BATCH;

/// Bytes that do not compress and are no JSON within: letters at random.
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 58) as usize]
    };
    (0..2 * PAYLOAD).map(letter).collect()
}

/// One web event that is accepted, with texts as long as may be in every field of identity.
fn accepted(number: usize, noise: &[u8]) -> Vec<u8> {
    let long = |at: usize| {
        let from = (number * 7919 + at * TEXT) % PAYLOAD;
        String::from_utf8_lossy(&noise[from..from + TEXT - 1]).into_owned()
    };
    // Few browsers, so that what must be remembered of all customers does not grow.
    let cookie = number % 50;
    let form: Vec<String> = ["email", "name", "first_name", "last_name", "dob", "phone", "address"]
        .iter()
        .enumerate()
        .map(|(at, name)| format!(r#""{name}":"{}""#, long(at)))
        .collect();
    let rest: Vec<String> = (8..14).map(|at| format!(r#""{at}":"{}""#, long(at))).collect();
    format!(
        r#"{{"event_id":"e{number}","type":"page_view","ts":"2024-01-01T00:00:00Z","cookie_id":"b7e23ec29af22b{cookie:02}","form":{{{}}},{}}}"#,
        form.join(","),
        rest.join(",")
    )
    .into_bytes()
}

/// One line that is refused: of each kind in turn.
fn refused(number: usize, noise: &[u8]) -> Vec<u8> {
    let from = (number * 7919) % PAYLOAD;
    let noise = &noise[from..from + PAYLOAD];
    let head = format!(r#"{{"event_id":"r{number}","ts":"2024-01-01T00:00:00Z","#);
    match number % 6 {
        // Not JSON at all: kept whole.
        0 => noise[..PAYLOAD - 1].to_vec(),
        // A hundred thousand members.
        1 => {
            let members: Vec<String> = (0..100_000).map(|at| format!("\"{at}\":0")).collect();
            format!("{head}{}}}", members.join(",")).into_bytes()
        }
        // As many lists as there are bytes.
        2 => vec![b'['; PAYLOAD],
        // As many objects as there can be, within the limits, and no event.
        3 => {
            let list = format!("[{}{{}}]", "{},".repeat(4_000));
            let lists: Vec<String> = (0..80).map(|_| list.clone()).collect();
            format!("{head}\"x\":[{}]}}", lists.join(",")).into_bytes()
        }
        // Longer than a message may be.
        4 => [noise, noise, noise].concat(),
        // A type as long as any text.
        _ => {
            let kind = String::from_utf8_lossy(&noise[..TEXT - 1]).into_owned();
            format!(r#"{head}"cookie_id":"b7e23ec29af22b00","type":"{kind}"}}"#).into_bytes()
        }
    }
}

/// Writes a flood of about so many bytes; it is compressed, for its lines are like one another.
fn write_flood(path: &Path, bytes: usize) {
    let noise = noise();
    let file = File::create(path).expect("create a file");
    let mut out = zstd::Encoder::new(file, 1).expect("start compressing");
    out.long_distance_matching(true).expect("a setting of zstd");
    out.window_log(24).expect("a setting of zstd");
    let (mut number, mut written) = (0, 0);
    while written < bytes {
        for mut line in [accepted(number, &noise), refused(number, &noise)] {
            line.push(b'\n');
            written += line.len();
            out.write_all(&line).expect("write a line");
        }
        number += 1;
    }
    out.finish().expect("end compressing");
}

/// What one run held at most and what it reported.
struct Flood {
    peak: usize,
    report: Value,
}

fn run(bytes: usize, batch: usize) -> Flood {
    let folder = folder();
    let pace = format!("interval = \"1s\"\n[run]\nbatch = {batch}\n");
    changed(
        "events.toml",
        folder.path(),
        // With the built-in model: to learn one is to read all twice.
        &[("[match]\n", "[match]\nexpected_customers = 1000\n"), (INTERVAL, &pace)],
    );
    for channel in ["email", "phone", "store"] {
        fs::write(folder.path().join(format!("{channel}.jsonl")), "").expect("write a file");
    }
    write_flood(&folder.path().join("web.jsonl.zst"), bytes);
    let mut process = onefold(&["backfill", "events.toml", "--json"])
        .within(folder.path())
        .env("EVENTS_DIR", text(folder.path()))
        .env("OUT", "out")
        .env("STATE", "state")
        .start(folder.path());
    let status = format!("/proc/{}/status", process.id());
    let mut peak = 0;
    while !process.has_ended() {
        // It is empty once the process has ended.
        let said = fs::read_to_string(&status).unwrap_or_default();
        let line = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(process.wait().success(), "{}", process.log());
    let report = serde_json::from_str(&process.output()).expect("a report");
    Flood { peak, report }
}

/// What must hold of a flood's report.
#[track_caller]
fn check(flood: &Flood) {
    let count = |name: &str| flood.report[name].as_u64().expect("a count");
    assert!(count("resolved") > 0);
    assert_eq!(count("read"), 2 * count("resolved"), "{}", flood.report);
    assert_eq!(count("read"), 2 * count("dead_lettered"), "{}", flood.report);
}

#[test]
fn a_flood_of_the_worst_events_is_held_to_a_bound() {
    let flood = run(6 * BATCH, 5_000);
    check(&flood);
    assert!(flood.peak > BATCH, "the peak was not measured: {} bytes", flood.peak);
    assert!(flood.peak < BOUND, "{} MiB held, {} allowed", flood.peak >> 20, BOUND >> 20);
    // Micro-batches are cut by their bytes, long before they have so many messages.
    assert!(flood.report["commits"].as_u64() >= Some(3), "{}", flood.report);
}

#[test]
fn a_longer_flood_does_not_hold_more() {
    // Small batches, so that a short flood has filled all that waits.
    let [short, long] = [2, 6].map(|batches| run(batches * BATCH, 16));
    check(&short);
    check(&long);
    // The rest of a row group of a table is all that may be more, held twice while it ends.
    let grown = long.peak.saturating_sub(short.peak);
    let [short, long] = [short.peak >> 20, long.peak >> 20];
    assert!(
        grown < 2 * BATCH,
        "{} MiB more events held {long} rather than {short} MiB",
        (4 * BATCH) >> 20
    );
}
