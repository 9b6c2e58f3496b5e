//! What a person sees: help, explanations, and what is said of mistakes.
//!
//! The texts are in `snapshots`; `INSTA_UPDATE=always` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use onefold::demo;
use onefold::demo::broker::Broker;
use serde_json::Value;

use crate::support::program::{Program, onefold};
use crate::support::{folder, repository, text, wait_until};

#[test]
fn help_is_worth_reading() {
    let commands = [
        "demo", "run", "backfill", "check", "evaluate", "lookup", "why", "diff", "rematch",
        "review", "judge",
    ];
    let judge =
        ["together", "withdraw", "list", "import"].map(|act| format!("judge PIPELINE {act}"));
    let mut texts = onefold(&["--help"]).succeed().output;
    for command in commands.into_iter().map(str::to_owned).chain(judge) {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = onefold(&arguments).succeed().output;
        write!(texts, "\n\n$ onefold {command} --help\n{help}").expect("a text grows");
    }
    insta::assert_snapshot!("help", texts);
}

/// A command that reads the few events of a family, with its tables in `folder`.
fn family(folder: &Path, arguments: &[&str]) -> Program {
    onefold(arguments)
        .env("EVENTS_DIR", "tests/cases/family")
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
}

const EVENTS: &str = "pipelines/events.toml";

#[test]
fn a_customer_is_found_by_any_spelling_of_an_identifier() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let lookup = |by: &str, value: &str| {
        family(folder.path(), &["lookup", EVENTS, by, value, "--json"]).report()
    };
    let maria: Value = lookup("--email", "maria.oliver@gmail.com");
    assert_eq!((&maria["given_name"], &maria["surname"]), (&"Maria".into(), &"Oliver".into()));
    assert_eq!(maria["first_seen"], "2024-03-01T09:00:00Z");
    let id = maria["identity_id"].as_str().expect("an id");
    for (by, value) in [
        ("--email", "Maria.Oliver+news@GoogleMail.com"),
        ("--email", " MARIAOLIVER@gmail.com "),
        ("--phone", "+44 20 7946 0018"),
        ("--phone", "0044 (20) 79460018"),
        ("--id", "5550001"),
        ("--id", "C0FFEE0000000001"),
        ("--id", id),
    ] {
        assert_eq!(lookup(by, value), maria, "{by} {value}");
    }
    let card = family(folder.path(), &["lookup", EVENTS, "--id", "5550001"]).succeed().output;
    insta::assert_snapshot!("lookup", card);

    let nobody =
        family(folder.path(), &["lookup", EVENTS, "--email", "stranger@example.net"]).run();
    assert_eq!((nobody.code, nobody.output.as_str()), (Some(1), ""));
    assert_eq!(nobody.log, "no profile carries that identifier\n");
    let unread = family(folder.path(), &["lookup", EVENTS, "--phone", "wrong"]).run();
    assert_eq!(unread.code, Some(2), "{unread:?}");
}

#[test]
fn two_events_are_explained() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let mut texts = String::new();
    for (left, right) in
        [("signup-1", "call-1"), ("order-1", "order-2"), ("signup-1", "web:signup-1")]
    {
        let why = family(folder.path(), &["why", EVENTS, left, right]).succeed().output;
        writeln!(texts, "$ onefold why {left} {right}\n{why}").expect("a text grows");
    }
    insta::assert_snapshot!("why", texts);
    let unknown = family(folder.path(), &["why", EVENTS, "signup-1", "nobody"]).run();
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.log.starts_with("error: B: no event, row or record of that name"),
        "{unknown:?}"
    );
}

#[test]
fn judgements_are_given_listed_and_taken_back() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let mut texts = String::new();
    for arguments in [
        &["review", "--limit", "2"][..],
        &["judge", "list"],
        &["judge", "apart", "signup-1", "mail-1", "--reason", "asked by phone"],
        &["judge", "together", "order-1", "order-2", "--reason", "one card"],
        &["judge", "apart", "order-2", "signup-1", "--reason", "father and daughter"],
        &["judge", "together", "signup-1", "order-1", "--reason", "one login"],
        &[
            "judge",
            "apart",
            "order-1",
            "order-2",
            "--reason",
            "old",
            "--at",
            "2020-01-01T00:00:00Z",
        ],
        &["judge", "together", "00000000000000000000000000000000", "order-1", "--reason", "later"],
        &["judge", "list"],
        &["judge", "withdraw", "order-2", "signup-1", "--at", "2026-03-02T09:00:00Z"],
        &["judge", "apart", "signup-1", "web:signup-1", "--reason", "nonsense"],
    ] {
        let mut whole = vec![arguments[0], EVENTS];
        whole.extend(&arguments[1..]);
        if arguments.len() > 3 && !arguments.contains(&"--at") {
            whole.extend(["--at", "2026-03-01T09:00:00Z"]);
        }
        let ran = family(folder.path(), &whole).env("USER", "ada").run();
        let errors: Vec<&str> =
            ran.log.lines().filter(|line| line.starts_with("error: ")).collect();
        let said = format!("{}{}", ran.output, errors.join("\n"));
        writeln!(texts, "$ onefold {}\n{said}", arguments.join(" ")).expect("a text grows");
        assert!(!ran.log.contains("phone") && !ran.log.contains("daughter"), "{}", ran.log);
    }
    insta::assert_snapshot!("judge", texts);
}

/// Mistakes in a pipeline file: what is written in place of what.
const MISTAKES: &[(&str, &str)] = &[
    ("name = \"retail\"", "name = \"a b\""),
    ("name = \"retail\"", "nam = \"retail\""),
    ("name = \"retail\"", "name = retail"),
    ("${EVENTS_DIR}/web", "${EVENTS_DIRECTORY}/web"),
    ("${EVENTS_DIR}/web", "nowhere/web"),
    ("channel = \"web\"", "chanel = \"web\""),
    ("event_id = \"/event_id\"", "event_id = \"event_id\""),
    ("format = \"rfc3339\"", "format = \"rfc3393\""),
    ("cookie = \"/cookie_id\"", "cookies = \"/cookie_id\""),
    ("decimals = 2 # hundredths, of every currency", "decimals = 20"),
    ("memory = \"2GiB\"", "memory = \"2 gigs\""),
    ("memory = \"2GiB\"", "memory = \"1KiB\""),
    ("interval = \"30s\"", "interval = \"soon\""),
    ("interval = \"30s\"", "interval = \"30s\"\n[run]\nbatch = 0"),
    ("url = \"${OUT:-./out}\"", "url = \"ftp://host/out\""),
    ("url = \"${OUT:-./out}\"", "url = \"s3://bucket/out\"\noptions = { regoin = \"eu\" }"),
    ("model = \"${MODEL:-}\"", "model = \"no-model.json\""),
    ("[match]\n", "[match]\nthreshold_bits = 1\noperating_point = \"broad\"\n"),
    ("[match]\n", "[match]\noperating_point = \"wide\"\n"),
    ("[match]\n", "[match]\nblock_cap = 1\n"),
    ("[match]\n", "[match]\njudgements = \"nowhere.jsonl\"\n"),
    ("[match]\n", "[match]\njudgements = \"pipeline.toml\"\n"),
];

#[test]
fn mistakes_are_named_with_file_key_value_and_remedy() {
    let folder = folder();
    let shipped = fs::read_to_string(repository(EVENTS)).expect("it is shipped");
    let check = |arguments: &[&str]| {
        let ran = onefold(arguments)
            .within(folder.path())
            .env("EVENTS_DIR", text(&repository("tests/cases/family")))
            .env("OUT", "out")
            .run();
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert_eq!(ran.output, "");
        ran.log
    };
    let mut texts = String::new();
    for (from, to) in MISTAKES {
        assert!(shipped.contains(from), "{from}");
        let changed = shipped.replacen(from, to, 1);
        fs::write(folder.path().join("pipeline.toml"), changed).expect("write the pipeline");
        writeln!(texts, "{to}\n  {}", check(&["check", "pipeline.toml"])).expect("a text grows");
    }
    fs::write(folder.path().join("pipeline.toml"), &shipped).expect("write the pipeline");
    for arguments in [
        &["check", "missing.toml"][..],
        &["run", "pipeline.toml", "--until-idle", "ten"],
        &["backfill", "pipeline.toml", "--input", "x.jsonl"],
        &["lookup", "pipeline.toml", "--id", "x"],
        &["why", "pipeline.toml", "a", "b"],
        &["review", "pipeline.toml"],
        &["judge", "pipeline.toml", "list"],
        &["judge", "pipeline.toml", "export", "judgements.txt"],
        &["judge", "pipeline.toml", "import", "nowhere.csv"],
        &["judge", "pipeline.toml", "apart", "a", "b", "--reason", "r"],
        &["judge", "pipeline.toml", "apart", "a", "b", "--reason", " "],
        &["judge", "pipeline.toml", "apart", "a", "b", "--reason", "r", "--author", "ada"],
        &["judge", "pipeline.toml", "withdraw", "a", "b", "--author", "ada", "--at", "noon"],
    ] {
        let said = check(arguments);
        writeln!(texts, "$ onefold {}\n  {said}", arguments.join(" ")).expect("a text grows");
    }
    insta::assert_snapshot!("mistakes", texts);
}

#[test]
fn a_second_job_on_one_state_is_told_so() {
    let folder = folder();
    let topics = demo::Channel::ALL.map(demo::Channel::name);
    let broker = Broker::start(&topics, 1).expect("a broker in this process");
    let command = |arguments: &[&str]| {
        family(folder.path(), arguments).env("KAFKA_BROKERS", broker.bootstrap_servers())
    };
    let mut first = command(&["run", "pipelines/events-kafka.toml"]).start(folder.path());
    wait_until("the first job has the state", || {
        assert!(!first.has_ended(), "{}", first.log());
        folder.path().join("out/profiles/_delta_log").exists()
    });
    for arguments in [
        &["run", "pipelines/events-kafka.toml"][..],
        &["backfill", EVENTS],
        &["why", EVENTS, "signup-1", "call-1"],
    ] {
        let second = command(arguments).run();
        assert_eq!(second.code, Some(1), "{second:?}");
        let state = folder.path().join("state");
        let said = format!(
            "error: state: {} is open in another process; stop that, or set another state.path\n",
            state.display()
        );
        assert_eq!(second.log, said);
    }
    assert!(!first.has_ended(), "{}", first.log());
}
