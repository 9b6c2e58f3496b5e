//! What customers told is in the tables, and nowhere else: not in a log line, an error or a report.

use std::fs;
use std::path::Path;
use std::process::Command;

use onefold::sink::letters::OMITTED;
use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::http::Endpoint;
use crate::support::pipeline;
use crate::support::program::{Program, onefold};
use crate::support::python::Python;
use crate::support::s3::S3;
use crate::support::{folder, text, wait_until};

/// Events of one person whose every value is unmistakable, and broken lines that hold them too.
const WEB: &str = r#"
{"event_id":"w1","channel":"web","type":"signup","ts":"2024-03-01T09:00:00.000Z","cookie_id":"canarycookie7","locale":"GB","login_email":"canarymail7@example.org","form":{"first_name":"Canarygiven","last_name":"Canarysurname","dob":"1961-09-23","phone":"07700 900777","address":{"line1":"77 Canarystreet","city":"Canarytown","postcode":"CN7 7RY","country":"GB"}}}
{"event_id":"w2","channel":"web","type":"purchase","ts":"2024-03-01T09:00:00.000Z","device_id":"canarydevice7","locale":"GB","order":{"amount":"canaryamount","currency":"GBP"},"form":{"name":"Canarygiven Canarysurname"}}
{"event_id":"w3","channel":"web","type":"consent","ts":"2024-03-01T09:00:00.000Z","cookie_id":"canarycookie7","purpose":"canarypurpose","state":"canarystate"}
{"event_id":"w4","channel":"web","type":"login","ts":"canarytime","cookie_id":"canarycookie7","login_email":"canarymail7@example.org"}
{"event_id":["canaryid"],"channel":"web","type":"login","ts":"2024-03-01T09:00:00.000Z","cookie_id":"canarycookie7"}
{"event_id":"canaryevent7","channel":"web","type":"login","ts":"2024-03-01T09:00:00.000Z","device_id":"canarydevice7","locale":"GB","loyalty_id":"canaryloyalty7","form":{"name":"Canarysurname, Canarygiven","phone":"07700 900777","address":"77 Canarystreet, Canarytown, CN7 7RY"}}
{"event_id":"w5","channel":"web","type":"login","canarykey":"canarymail7@example.org","login_email":"canarymail7@example.org
canarymail7@example.org is no JSON
"#;
const EMAIL: &str = r#"{"event_id":"e1","type":"open","ts":"canarytime","address":"canarymail7@example.org"}
{"event_id":"e2","type":"open","ts":1709283600,"address":"canarymail7@example.org"}
"#;
const PHONE: &str = r#"{"event_id":"p1","type":"call","ts":"2024-03-01T09:00:00+00:00","call_id":"k","caller_number":"07700 900777","caller_name":"Canarygiven Canarysurname","dob":"canarydate","sentiment":"canarymood"}
"#;
const STORE: &str = r#"{"event_id":"s1","type":"purchase","ts":"31/31/2024 canarytime","date_format":"DMY","utc_offset":0,"store_id":"GB1","card_token":"canarycard7","name":"CANARYSURNAME/CANARYGIVEN","basket_amount":1,"currency":"GBP"}
{"event_id":"s2","type":"purchase","ts":"01/03/2024 09:00","date_format":"DMY","utc_offset":0,"store_id":"GB1","card_token":"canarycard7","loyalty_id":"canaryloyalty7","basket_amount":1,"currency":"GBP"}
"#;

/// What must not be told, in small letters; so long that no number or hash of a log holds one by chance.
const PERSONAL: &[&str] = &["canary", "1961-09-23", "19610923", "07700 9", "7700900777", "cn7 7ry"];

#[track_caller]
fn assert_silent(told: &str, about: &str) {
    let told = told.to_lowercase();
    for value in PERSONAL {
        // The value itself is not printed here, either.
        assert!(!told.contains(value), "{about} tells what {value:?} stands for");
    }
}

/// The commands, and whether what they print is there to show a person's data. Their log lines never are.
const COMMANDS: &[(&str, bool)] = &[
    ("demo", false),
    ("run", false),
    ("train", false),
    ("backfill", false),
    ("check", false),
    ("schema", false),
    // It lists the records of the worst mistakes, unless told not to.
    ("evaluate", true),
    ("import-splink", false),
    ("lookup", true),
    ("why", true),
    ("why-not", true),
    ("how", true),
    ("evidence", false),
    ("diff", false),
    ("rematch", false),
    ("review", true),
    ("judge", false),
    ("state", false),
    ("status", false),
    ("vacuum", false),
    // `show` and `export` do; the list does not.
    ("dead-letter", true),
    // Its receipt names nobody.
    ("erase", false),
    ("export-subject", true),
];

#[test]
fn every_command_is_known_to_show_values_or_not_to() {
    let help = onefold(&["--help"]).succeed().output;
    let listed = help.split("Commands:\n").nth(1).expect("the help lists commands");
    let listed = listed.split("\n\n").next().expect("the list ends");
    let names = listed.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then_some(name)
    });
    let known: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.collect::<Vec<_>>(), known, "say in COMMANDS what a new one shows");
}

/// Every event broken in every way: each value in turn is another thing, and each line ends too early, or holds bytes
/// that are no text.
fn broken(lines: &str) -> Vec<u8> {
    let mut all = Vec::new();
    let mut put = |line: &[u8]| {
        all.extend_from_slice(line);
        all.push(b'\n');
    };
    let mut count = 0;
    for line in lines.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        for path in leaves(&event, "") {
            for wrong in [
                serde_json::json!({ "canarykey": "canarymail7@example.org" }),
                serde_json::json!(["canarymail7@example.org", "Canarysurname"]),
                serde_json::json!("canary".repeat(20_000)),
                serde_json::json!("canary\u{0}\u{202e}\u{feff}"),
                serde_json::json!(-1.5e300),
                Value::Null,
            ] {
                let mut event = event.clone();
                count += 1;
                // Else all but the first would be known already.
                if event["event_id"].is_string() {
                    event["event_id"] = format!("canary{count}").into();
                }
                *event.pointer_mut(&path).expect("it is there") = wrong;
                put(event.to_string().as_bytes());
            }
        }
        put(&line.as_bytes()[..line.len() / 2]);
        put(&[&line.as_bytes()[..line.len() / 2], b"\xff\xfe", &line.as_bytes()[line.len() / 2..]]
            .concat());
        put(line.replacen('{', "{\"event_id\":\"canarytwice\",", 1).as_bytes());
        put(format!("{}{line}{}", "{\"canary\":".repeat(200), "}".repeat(200)).as_bytes());
        put(format!("canary {line}").as_bytes());
    }
    all
}

/// Pointers to all values that hold no others.
fn leaves(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let below = members.iter().map(|(key, value)| leaves(value, &format!("{path}/{key}")));
            below.flatten().collect()
        }
        _ => vec![path.to_owned()],
    }
}

/// All names below a folder.
fn names_below(folder: &Path) -> String {
    let mut names = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        names += &format!("{}\n", path.file_name().expect("a name").display());
        if path.is_dir() {
            names += &names_below(&path);
        }
    }
    names
}

/// Writes the events of all channels to a folder, each followed by what `more` makes of it.
fn write_events(folder: &Path, more: impl Fn(&str) -> Vec<u8>) {
    for (name, lines) in [("web", WEB), ("email", EMAIL), ("phone", PHONE), ("store", STORE)] {
        let content = [lines.as_bytes(), &more(lines)].concat();
        fs::write(folder.join(format!("{name}.jsonl")), content).expect("write events");
    }
}

/// A command on the events of a folder, its output and state beside them, that logs all it can.
fn command(folder: &Path, arguments: &[&str]) -> Program {
    onefold(arguments)
        .env("EVENTS_DIR", text(folder))
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
        .env("ONEFOLD_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
}

const PIPELINE: &str = "pipelines/events.toml";

/// Runs a command in both log formats; what it logs is silent, and what it prints, too, unless it is there to show.
#[track_caller]
fn assert_command_silent(folder: &Path, arguments: &[&str]) {
    let shows = COMMANDS.iter().find(|(name, _)| *name == arguments[0]).expect("it is known").1;
    for format in ["text", "json"] {
        let ran = command(folder, &[arguments, &["--log-format", format]].concat()).run();
        assert!(ran.code.is_some_and(|code| code < 3), "{arguments:?}: {:?}", ran.code);
        assert_silent(&ran.log, &format!("{arguments:?}, on standard error,"));
        if !shows || ran.code != Some(0) {
            assert_silent(&ran.output, &format!("{arguments:?}"));
        }
    }
}

#[test]
fn events_broken_in_every_way_are_told_of_nowhere() {
    let folder = folder();
    let folder = folder.path();
    write_events(folder, broken);
    let path = |name: &str| folder.join(name).display().to_string();
    fs::write(path("truth.csv"), "event_id,person_id\nw1,canaryperson\ne2,canaryperson\n")
        .expect("write");
    fs::write(path("broken.csv"), "event_id,person_id\nw1\n\"canary").expect("write");
    fs::write(path("judged.jsonl"), "{\"a\":\"canary\",\"b\":\"canarymail7@example.org\"}\ncanary")
        .expect("write");
    fs::write(path("model.json"), "{\"version\":1,\"canary\":\"Canarysurname\"}").expect("write");
    let (truth, bad) = (path("truth.csv"), path("broken.csv"));
    let (judged, model, out) = (path("judged.jsonl"), path("model.json"), path("out"));
    for arguments in [
        &["check", PIPELINE][..],
        &["run", PIPELINE],
        &["run", PIPELINE, "--json"],
        &["backfill", PIPELINE],
        &["train", PIPELINE, "--out", &path("trained.json")],
        &["evaluate", PIPELINE, "--truth", &truth],
        &["evaluate", PIPELINE, "--truth", &bad],
        &["lookup", PIPELINE, "--email", "canarymail7@example.org"],
        &["lookup", PIPELINE, "--email", "canarymail8@example.org"],
        &["lookup", PIPELINE, "--phone", "canaryphone"],
        &["lookup", PIPELINE, "--id", "canaryloyalty8"],
        &["lookup", PIPELINE, "--name", "Canarygiven Canaryother", "--born", "1961-09-23"],
        &["lookup", PIPELINE, "--name", "Canarygiven Canarysurname", "--born", "canarydate"],
        &["why", PIPELINE, "w1", "canaryevent7"],
        &["why", PIPELINE, "w1", "canarymail7@example.org"],
        &["why-not", PIPELINE, "w1", "canarymail7@example.org"],
        &["how", PIPELINE, "canaryevent7"],
        &["how", PIPELINE, "canarymail7@example.org"],
        &[
            "judge",
            PIPELINE,
            "apart",
            "w1",
            "canaryevent7",
            "--reason",
            "canary",
            "--author",
            "canary",
        ],
        &["judge", PIPELINE, "together", "w1", "canarymail7@example.org", "--reason", "canary"],
        &["judge", PIPELINE, "import", &judged],
        &["review", PIPELINE],
        &["evidence", PIPELINE],
        &["diff", &out, &out],
        &["diff", PIPELINE, "--model", &model],
        &["rematch", PIPELINE],
        &["status", PIPELINE],
        &["status", PIPELINE, "--json"],
        &["vacuum", PIPELINE, "--retention", "0s", "--dry-run"],
        &["vacuum", PIPELINE, "--retention", "0s", "--json"],
        &["vacuum", PIPELINE],
        &["state", PIPELINE, "verify"],
        &["state", PIPELINE, "snapshot"],
        &["dead-letter", PIPELINE, "list"],
        &["dead-letter", PIPELINE, "list", "--json"],
        &["dead-letter", PIPELINE, "replay", "--dry-run"],
        &["dead-letter", PIPELINE, "replay"],
        &["import-splink", &model, "--out", &path("imported.json")],
        &["export-subject", PIPELINE, "--email", "canarymail7@example.org"],
        &["export-subject", PIPELINE, "--id", "canaryloyalty8", "--all"],
        &["export-subject", PIPELINE, "--phone", "canaryphone", "--html", &path("subject.html")],
        &["erase", PIPELINE, "--verify", &truth],
        &["erase", PIPELINE, "--id", "canaryloyalty7", "--dry-run"],
        &["erase", PIPELINE, "--phone", "canaryphone"],
        &["erase", PIPELINE, "--name", "Canarygiven Canarysurname", "--born", "1961-09-23"],
        &["erase", PIPELINE, "--email", "canarymail7@example.org", "--all"],
        &["erase", PIPELINE, "--email", "canarymail7@example.org"],
    ] {
        assert_command_silent(folder, arguments);
    }
    for place in ["out", "state"] {
        assert_silent(&names_below(&folder.join(place)), &format!("the name of a file in {place}"));
    }
    let report = command(folder, &["run", PIPELINE, "--json"]).env("ONEFOLD_LOG", "off").report();
    assert!(report["dead_lettered"].as_u64() > Some(100), "{report}");
    assert!(report["resolved"].as_u64() > Some(100), "{report}");
}

#[test]
fn letters_on_the_way_to_their_topic_tell_of_nobody() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    broker.create_topic("letters", 3);
    let folder = folder();
    write_events(folder.path(), broken);
    // To a broker that takes what is not too large, and to one that is away.
    for (format, brokers) in [("text", broker.address()), ("json", "127.0.0.1:1".to_owned())] {
        let letters = format!(
            "interval = \"1s\"\n[run]\nshutdown_timeout = \"20s\"\n[dead_letters.kafka]\nbrokers = \"{brokers}\"\n\
             topic = \"letters\"\noptions = {{ \"message.max.bytes\" = 10000 }}\n"
        );
        let changes = [(pipeline::INTERVAL, letters.as_str())];
        let file = pipeline::changed("events.toml", folder.path(), &changes);
        let program = command(folder.path(), &["run", text(&file), "--log-format", format])
            .env("OUT", text(&folder.path().join(format!("out-{format}"))))
            .env("STATE", text(&folder.path().join(format!("state-{format}"))));
        let ran = program.succeed();
        assert!(ran.log.contains("dead letters d"), "they were delivered, or delayed");
        assert_silent(&ran.log, "a producer");
        assert_silent(&ran.output, "the report");
    }
    let received = broker.consume("letters");
    let omitted = received.iter().filter(|it| it.header(OMITTED).is_some()).count();
    assert!(
        received.len() > 100 && omitted > 0,
        "{} letters, {omitted} of them empty",
        received.len()
    );
    for letter in received {
        let ours = letter.headers.iter().filter(|(name, _)| name.starts_with("onefold."));
        let ours: Vec<_> = ours
            .map(|(_, value)| String::from_utf8_lossy(value.as_deref().unwrap_or_default()))
            .collect();
        assert_silent(&ours.join(" "), "a header");
    }
}

#[test]
fn the_requests_to_a_bucket_tell_of_nobody() {
    let Some(python) = Python::find() else { return };
    let s3 = S3::start(&python);
    let folder = folder();
    write_events(folder.path(), broken);
    for format in ["text", "json"] {
        let program = command(folder.path(), &["backfill", PIPELINE, "--log-format", format])
            .env("OUT", &s3.url(format))
            .env("STATE", text(&folder.path().join(format)))
            .envs(&s3.environment());
        let ran = program.succeed();
        assert_silent(&ran.log, "a client of object stores");
    }
}

#[test]
fn the_endpoint_tells_of_nobody() {
    let folder = folder();
    write_events(folder.path(), broken);
    // A broker that never comes keeps the job alive.
    let more = "interval = \"100ms\"\n\
        [source.more]\nkafka = { brokers = \"127.0.0.1:1\", topics = [\"more\"] }\nevent_id = \"/id\"\n\
        type = \"/type\"\noccurred_at = { path = \"/ts\" }\nidentity = { email = \"/email\" }\n\
        [http]\naddress = \"127.0.0.1:0\"\ntoken = \"0123456789abcdef\"\n";
    let file = pipeline::changed("events.toml", folder.path(), &[(pipeline::INTERVAL, more)]);
    let mut process = command(folder.path(), &["run", text(&file)]).start(folder.path());
    let endpoint = Endpoint::of(&mut process).with_token("0123456789abcdef");
    wait_until("all is read", || {
        assert!(!process.has_ended(), "it ended: {}", process.log());
        let status = endpoint.get("/status").json();
        let sources = ["web", "email", "phone", "store"];
        status["published"].as_u64() > Some(0)
            && status["published"] == status["sequence"]
            && sources.iter().all(|name| status["sources"][name]["positions"].is_object())
    });
    assert!(endpoint.metrics().sum("onefold_messages_dead_lettered_total") > 10.0);
    for path in ["/health", "/ready", "/metrics", "/status", "/canary", "/status?email=canary"] {
        let answer = endpoint.get(path);
        assert_silent(&format!("{}\n{}", answer.head, answer.body), path);
    }
    let stranger = Endpoint::of(&mut process).with_token("canarycanarycanary");
    assert_silent(&stranger.get("/status").body, "a refusal");
    process.terminate();
    process.wait();
    assert_silent(&process.log(), "the log");
    assert_silent(&process.output(), "the report");
}

/// Set where this process is the one that shall panic, to a log format.
const PANIC: &str = "ONEFOLD_TEST_PANIC";

#[test]
fn panics_in_a_process_of_its_own() {
    let Ok(format) = std::env::var(PANIC) else { return };
    onefold::telemetry::log_panics();
    let format = format.parse().expect("a format");
    onefold::telemetry::init_logging(format, onefold::telemetry::Level::Trace).expect("the first");
    // What a stage on a source's thread, or on all cores, would come upon.
    let name = "Canarysurn\u{e9}".to_owned();
    let cut = name.clone();
    let stage =
        std::thread::Builder::new().name("source-web".into()).spawn(move || cut[..11].len());
    assert!(stage.expect("a thread").join().is_err());
    let number = || "canary".parse::<u32>().map_err(|_| name.clone()).expect("a number");
    assert!(std::panic::catch_unwind(number).is_err());
    // Before the test harness says more.
    std::process::exit(0);
}

#[test]
fn a_panic_tells_where_it_was_and_nothing_else() {
    for (format, backtrace) in [("text", "0"), ("json", "0"), ("text", "1"), ("json", "full")] {
        let ran = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "canary::panics_in_a_process_of_its_own", "--nocapture"])
            .env(PANIC, format)
            .env("RUST_BACKTRACE", backtrace)
            .output()
            .expect("run this program");
        assert!(ran.status.success());
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(told.matches("tests/it/canary.rs:").count() >= 2, "{told}");
        assert!(told.contains("source-web") && told.contains("thread panicked"), "{told}");
        // The functions of a backtrace are called after this file.
        let functions = told.replace("canary.rs", "").replace("canary::", "");
        assert_silent(&functions, "a panic");
    }
}

#[test]
fn no_personal_value_is_logged_or_reported() {
    let folder = folder();
    for (name, lines) in [("web", WEB), ("email", EMAIL), ("phone", PHONE), ("store", STORE)] {
        fs::write(folder.path().join(format!("{name}.jsonl")), lines).expect("write events");
    }
    let truth = folder.path().join("truth.csv");
    fs::write(&truth, "event_id,person_id\nw1,canaryperson\ne2,canaryperson\n").expect("a truth");
    let broken = folder.path().join("broken.csv");
    fs::write(&broken, "event_id,person_id\nw1\n\"canary").expect("a broken truth");
    let command = |arguments: &[&str]| -> Program {
        onefold(arguments)
            .env("EVENTS_DIR", text(folder.path()))
            .env("OUT", text(&folder.path().join("out")))
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=trace")
    };
    let pipeline = "pipelines/events.toml";
    for arguments in [
        &["check", pipeline][..],
        &["run", pipeline],
        &["--log-format", "json", "backfill", pipeline, "--json"],
        &["evaluate", pipeline, "--truth", text(&truth)],
        &["evaluate", pipeline, "--truth", text(&broken)],
        // What was asked for is shown, but not where it was not found or could not be read.
        &["lookup", pipeline, "--email", "canarymail8@example.org"],
        &["lookup", pipeline, "--phone", "canaryphone"],
        &["why", pipeline, "w1", "canarymail7@example.org"],
    ] {
        let ran = command(arguments).run();
        assert!(ran.code.is_some_and(|code| code < 3), "{arguments:?}: {:?}", ran.code);
        assert_silent(&ran.output, &format!("{arguments:?}"));
        assert_silent(&ran.log, &format!("{arguments:?}, on standard error,"));
    }

    // The canaries were really there.
    let report = command(&["run", pipeline, "--json"]).report();
    assert_eq!((&report["resolved"], &report["dead_lettered"]), (&5.into(), &8.into()));
    let found = command(&["lookup", pipeline, "--email", "canarymail7@example.org"]).succeed();
    assert!(found.output.contains("Canarysurname"));
    assert_silent(&found.log, "lookup, on standard error,");

    // The logs of the tables hold keys and times only.
    let pattern = format!("{}/**/_delta_log/*.json", folder.path().join("out").display());
    let logs: Vec<_> = glob::glob(&pattern).expect("a pattern").collect();
    assert!(logs.len() > 5);
    for log in logs {
        let entry = fs::read_to_string(log.expect("a file")).expect("an entry is UTF-8");
        assert_silent(&entry, "the log of a table");
    }
}
