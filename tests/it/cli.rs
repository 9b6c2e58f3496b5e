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
        "demo",
        "run",
        "backfill",
        "check",
        "schema",
        "evaluate",
        "import-splink",
        "lookup",
        "why",
        "why-not",
        "how",
        "evidence",
        "diff",
        "rematch",
        "review",
        "judge",
        "vacuum",
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
    let told: Value = lookup("--email", "maria.oliver@gmail.com");
    let maria = &told["profile"];
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
        assert_eq!(lookup(by, value), told, "{by} {value}");
    }
    for (name, born) in [("Maria Oliver", "1985-07-14"), ("OLIVER, Maria Luisa", "14.7.1985")] {
        let named = ["lookup", EVENTS, "--name", name, "--born", born, "--json"];
        let named: Value = family(folder.path(), &named).report();
        assert_eq!(named, told, "{name}");
    }
    let events = told["interactions"].as_array().expect("a list");
    assert_eq!(events.len() as u64, maria["events"].as_u64().expect("a number"));
    let times: Vec<&str> =
        events.iter().map(|row| row["occurred_at"].as_str().expect("a time")).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert_eq!(told["changes"][0]["change"], "created");
    let two = ["lookup", EVENTS, "--id", id, "--events", "2", "--json"];
    let two: Value = family(folder.path(), &two).report();
    assert_eq!(two["interactions"].as_array().expect("a list"), &events[..2]);
    let card = family(folder.path(), &["lookup", EVENTS, "--id", "5550001"]).succeed().output;
    insta::assert_snapshot!("lookup", card);

    let nobody =
        family(folder.path(), &["lookup", EVENTS, "--email", "stranger@example.net"]).run();
    assert_eq!((nobody.code, nobody.output.as_str()), (Some(1), ""));
    assert_eq!(nobody.log, "no profile carries that identifier\n");
    let unread = family(folder.path(), &["lookup", EVENTS, "--phone", "wrong"]).run();
    assert_eq!(unread.code, Some(2), "{unread:?}");
    let nameless = family(folder.path(), &["lookup", EVENTS, "--name", "Maria Oliver"]).run();
    assert_eq!(nameless.code, Some(2), "{nameless:?}");
    let named = ["erase", EVENTS, "--name", "Maria Oliver", "--born", "1985-07-14"];
    let named = family(folder.path(), &named).run();
    assert_eq!(named.code, Some(2), "{named:?}");
    assert!(named.log.contains("erase by --id"), "{}", named.log);
}

/// A command that asks what was made of the events, and cannot read them.
fn asked(folder: &Path, arguments: &[&str]) -> Program {
    onefold(arguments)
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
}

#[test]
fn records_and_identities_are_explained() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let mut texts = String::new();
    for question in [
        &["why", "signup-1", "call-1"][..],
        &["why", "order-1", "order-2"],
        &["why", "signup-1", "web:signup-1"],
        &["why-not", "order-1", "order-2"],
        &["why-not", "signup-1", "call-1"],
        &["how", "signup-1"],
    ] {
        let [command, names @ ..] = question else { unreachable!("a question has a command") };
        let arguments = [&[*command, EVENTS][..], names].concat();
        let answer = asked(folder.path(), &arguments).succeed().output;
        writeln!(texts, "$ onefold {}\n{answer}", question.join(" ")).expect("a text grows");
    }
    insta::assert_snapshot!("why", texts);
    let unknown = asked(folder.path(), &["why", EVENTS, "signup-1", "nobody"]).run();
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.log.starts_with("error: B: no event, row or record of that name"),
        "{unknown:?}"
    );
}

/// The same with bits as whole numbers, whose last digits are not the contract.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(bits) if bits.is_f64() => Value::from(bits.as_f64().map(f64::round)),
        Value::Array(values) => values.iter().map(whole).collect(),
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), whole(it))).collect(),
        other => other.clone(),
    }
}

#[test]
fn programs_get_explanations_as_json() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let ask = |arguments: &[&str]| asked(folder.path(), arguments).report();
    let why = ask(&["why", EVENTS, "signup-1", "call-1", "--json"]);
    let number = |value: &Value| value.as_f64().expect("a number");
    let fields = why["pair"]["fields"].as_array().expect("a list");
    let bits: f64 = fields.iter().map(|field| number(&field["bits"])).sum();
    let sum = number(&why["pair"]["prior_bits"]) + bits + number(&why["pair"]["discount_bits"]);
    assert!((sum - number(&why["pair"]["weight_bits"])).abs() < 1e-9, "{why:#}");
    assert_eq!(why["together"], true);
    let identity = why["records"][0]["belongs_to"].as_str().expect("an id").to_owned();
    let how = ask(&["how", EVENTS, &identity, "--json"]);
    assert_eq!(how, ask(&["how", EVENTS, "call-1", "--json"]));
    let (records, steps) = (how["records"].as_array(), how["steps"].as_array());
    assert_eq!(steps.map(Vec::len), records.map(|records| records.len() - 1), "{how:#}");
    let why_not = ask(&["why-not", EVENTS, "order-1", "order-2", "--json"]);
    assert!(why_not["verdict"].is_string() && why_not["between"]["fields"].is_array());
    insta::assert_snapshot!("why_json", format!("{:#}", whole(&why)));

    let written = asked(folder.path(), &["evidence", EVENTS]).succeed().output;
    assert!(written.starts_with("match_evidence: "), "{written}");
    assert!(folder.path().join("out/match_evidence/_delta_log").exists());
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

#[test]
fn judgements_are_explained() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let judge = |verdict: &str| {
        let arguments = ["judge", EVENTS, verdict, "order-1", "order-2", "--reason", "a call"];
        family(folder.path(), &arguments).env("USER", "ada").succeed();
    };
    let ask = |arguments: &[&str]| asked(folder.path(), arguments).report();
    judge("together");
    let how = ask(&["how", EVENTS, "order-1", "--json"]);
    let judged = |step: &&Value| step["judged"] == true;
    assert_eq!(how["steps"].as_array().map(|it| it.iter().filter(judged).count()), Some(1));
    let why = asked(folder.path(), &["why", EVENTS, "order-1", "order-2"]).succeed().output;
    assert!(why.contains("\nmerged directly by judgement, in step 1 of "), "{why}");
    judge("apart");
    let why_not = ask(&["why-not", EVENTS, "order-1", "order-2", "--json"]);
    assert_eq!(why_not["verdict"], "judged_apart", "{why_not:#}");
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
    ("[match]\n", "[match]\nwithout_rules = [\"emial\"]\n"),
    ("[match]\n", "[match.field.passprt]\nkinds = \"text\"\n[match]\n"),
    ("[match]\n", "[match.field.emial]\nlimit = 3\n[match]\n"),
    ("[match]\n", "[match.field.phone]\nlevels = [\"exact\", { edit = 1 }]\n[match]\n"),
    ("[match]\n", "[match.field.phone]\nm = [0.9, 0.1]\n[match]\n"),
    ("[match]\n", "[[match.rule]]\nname = \"r\"\nkey = \"surnam:3\"\n[match]\n"),
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

/// Whatever a library says of a secret, on every way on which `check` and `run` may fail.
#[test]
fn secrets_are_shown_on_no_way_to_fail() {
    let folder = folder();
    let secret_file = folder.path().join("secret");
    fs::write(&secret_file, "canary-of-a-file\n").expect("write a secret");
    let shipped = fs::read_to_string(repository(EVENTS)).expect("it is shipped");
    let file = format!("${{file:{}}}", text(&secret_file));
    let whole = [
        ("${EVENTS_DIR}/web", "${CANARY}/web"),
        ("url = \"${OUT:-./out}\"", "url = \"${CANARY}://canary/x\""),
    ];
    let url = "url = \"${OUT:-./out}\"";
    let with = |more: &str| vec![(url, format!("url = \"s3://bucket/x\"\noptions = {{ {more} }}"))];
    let kafka = |more: &str| {
        let kafka = format!(
            "kafka = {{ brokers = \"${{CANARY}}:1\", topic = \"${{CANARY}}\", options = {{ {more} }} }}"
        );
        vec![("files = \"${EVENTS_DIR}/web.jsonl*\"", kafka)]
    };
    let ways = [
        whole.map(|(from, to)| (from, to.to_owned())).to_vec(),
        with(
            "endpoint = \"${CANARY}\", allow_http = \"${CANARY}\", secret_access_key = \"${CANARY}\"",
        ),
        with(&format!("endpoint = \"http://127.0.0.1:1/{file}\", retry_timeout = \"{file}\"")),
        with(
            "secret_access_key = \"canary-of-the-text\", access_key_id = [\"canary-of-the-text\"]",
        ),
        with(
            "endpoint = \"http://127.0.0.1:1\", allow_http = true, timeout = \"canary-of-the-text\"",
        ),
        kafka("\"security.protocol\" = \"${CANARY}\""),
        kafka(
            "\"sasl.password\" = \"canary-of-the-text\", \"sasl.mechanism\" = \"canary-of-the-text\"",
        ),
        kafka(&format!("\"ssl.key.pem\" = \"{file}\", \"security.protocol\" = \"ssl\"")),
        kafka("\"group.id\" = \"${CANARY}\""),
        vec![("memory = \"2GiB\"", "memory = \"${CANARY}\"".to_owned())],
        vec![("path = \"${STATE:-./state}\"", "path = \"secret/${CANARY}\"".to_owned())],
        vec![(
            "model = \"${MODEL:-}\"",
            "model = \"${CANARY}\"\njudgements = \"${CANARY}\"".to_owned(),
        )],
        vec![(
            "interval = \"30s\"",
            "interval = \"30s\"\ncarry_ids_from = \"${CANARY}://x\"".to_owned(),
        )],
        vec![(url, "url = \"secret/${CANARY}\"".to_owned())],
    ];
    let mut failed = 0;
    for (at, way) in ways.iter().enumerate() {
        let mut pipeline = shipped.clone();
        for (from, to) in way {
            assert!(pipeline.contains(from), "{from}");
            pipeline = pipeline.replacen(from, to, 1);
        }
        fs::write(folder.path().join("pipeline.toml"), pipeline).expect("write the pipeline");
        for command in
            [&["check"][..], &["--log-format", "json", "check"], &["lookup", "--id", "x"]]
        {
            let arguments = [command, &["pipeline.toml"]].concat();
            let ran = onefold(&arguments)
                .within(folder.path())
                .env("EVENTS_DIR", text(&repository("tests/cases/family")))
                .env("OUT", "out")
                .env("CANARY", "canary-of-a-variable")
                .env("ONEFOLD_LOG", "debug")
                .run();
            failed += usize::from(ran.code != Some(0));
            let told = format!("{}{}", ran.output, ran.log);
            assert!(!told.contains("canary-of"), "way {at}, {command:?}:\n{told}");
        }
    }
    assert!(failed >= 2 * ways.len(), "{failed} of {} failed", 3 * ways.len());
}

/// People of an export with fields of its own, under the model of another program.
#[test]
fn a_model_of_splink_is_imported_and_used() {
    let folder = folder();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let model = at("model.json");
    let splink = text(&repository("tests/data/splink/people.json")).to_owned();
    let report = onefold(&["import-splink", &splink, "--out", &model]).succeed().output;
    insta::assert_snapshot!("import_splink", report.replace(&model, "MODEL"));

    let people = "id,first,last,dob,place,lat,lon\n\
                  1,Anna,Hartmann,1980-02-15,Leeds,51.5,-0.12\n\
                  2,Anne,Hartmann,1980-02-15,Leeds,51.501,-0.12\n\
                  3,Anna,Hartmann,1962-07-01,York,40.7,-74\n";
    fs::write(at("people.csv"), people).expect("write the people");
    let pipeline = format!(
        r#"
        name = "people"
        [source.people]
        files = "{}"
        record_id = "/id"
        [source.people.identity]
        given_name = "/first"
        surname = "/last"
        birth_date = "/dob"
        birth_place = "/place"
        location = {{ path = "/lat", and = "/lon" }}
        [match]
        model = "{model}"
        [match.field.birth_place]
        kind = "text"
        [match.field.location]
        kind = "location"
        [state]
        path = "{}"
        [publish]
        url = "{}"
        "#,
        at("people.csv"),
        at("state"),
        at("out")
    );
    let file = at("people.toml");
    fs::write(&file, &pipeline).expect("write the pipeline");
    onefold(&["check", &file]).succeed();
    onefold(&["backfill", &file]).succeed();
    let said = |a: &str, b: &str| onefold(&["why", &file, a, b]).succeed().output;
    assert!(said("1", "2").starts_with("together"), "{}", said("1", "2"));
    assert!(said("1", "2").contains("≤ 1 km apart"), "{}", said("1", "2"));
    assert!(said("1", "3").starts_with("apart"), "{}", said("1", "3"));

    // A source that holds each customer once keeps what is alike apart, under a state of its own.
    let strict = pipeline
        .replace("record_id = \"/id\"", "record_id = \"/id\"\none_per_customer = true")
        .replace(&at("state"), &at("state2"))
        .replace(&at("out"), &at("out2"));
    fs::write(&file, strict).expect("write the pipeline");
    onefold(&["backfill", &file]).succeed();
    assert!(said("1", "2").starts_with("apart"), "{}", said("1", "2"));

    let missing = onefold(&["import-splink", &at("people.csv"), "--out", &model]).run();
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.log.contains("not a settings or model file of Splink's"), "{missing:?}");
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
    let write = "; stop that, or set another state.path";
    let ask = ": a running job keeps it to itself, ask when that has stopped";
    for (arguments, remedy) in [
        (&["run", "pipelines/events-kafka.toml"][..], write),
        (&["backfill", EVENTS], write),
        (&["why", EVENTS, "signup-1", "call-1"], ask),
    ] {
        let second = command(arguments).run();
        assert_eq!(second.code, Some(1), "{second:?}");
        let state = folder.path().join("state");
        let state = state.display();
        let said = format!("error: state: {state} is open in another process{remedy}\n");
        assert_eq!(second.log, said);
    }
    assert!(!first.has_ended(), "{}", first.log());
}
