use std::time::Duration;

use super::*;
use crate::error::Kind;
use crate::record::{Field, RawField};
use crate::source::{Format, Input, MonthFirst, Text, TimeFormat};

const MINIMAL: &str = r#"
name = "retail"
[source.web]
files = "web.jsonl"
event_id = "/event_id"
type = "/type"
occurred_at = { path = "/ts" }
[source.web.identity]
email = "/email"
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "EVENTS_DIR" => Some("/data".to_owned()),
        "KAFKA_BROKERS" => Some("localhost:9092".to_owned()),
        "RECORDS" => Some("people.csv".to_owned()),
        "PASSWORD" => Some("hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn plan_of(text: &str) -> Plan {
    parse(text, "p.toml", &env).unwrap_or_else(|error| panic!("the file is valid: {error}"))
}

fn ask(text: &str) -> Result<Plan> {
    parse_for(text, "p.toml", &env, Use::Ask)?.plan()
}

/// An error without the lines that it names, `FILE: KEY: ...`.
fn without_lines(error: &Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(|line| {
        let (line, rest) = line.split_once(": ").expect("the line is named");
        let (file, line) = line.split_once(':').expect("the line is named");
        assert!(line.parse::<usize>().is_ok_and(|line| line > 0), "{text}");
        format!("{file}: {rest}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The error that a minimal file gives when `from` in it becomes `to`.
#[track_caller]
fn check_error(from: &str, to: &str, expected: &str) {
    assert!(MINIMAL.contains(from), "{from} is in the file");
    let error = parse(&MINIMAL.replacen(from, to, 1), "p.toml", &env).expect_err("it is wrong");
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(without_lines(&error), expected);
}

/// The error that further lines at the end of a minimal file give.
#[track_caller]
fn check_more(more: &str, expected: &str) {
    check_error("[source.web.identity]\nemail = \"/email\"", more, expected);
}

#[test]
fn defaults_apply() {
    let plan = plan_of(MINIMAL);
    assert_eq!(plan.name, "retail");
    assert_eq!(plan.run.batch, 50_000);
    assert_eq!(plan.run.commit_interval, Duration::from_secs(1));
    assert_eq!(plan.state.memory, 2 << 30);
    assert_eq!(plan.publish.url, "./out");
    assert_eq!((plan.matching.block_cap, plan.matching.component_cap), (150, 400));
    assert_eq!(plan.matching.model, None);
    let web = &plan.sources[0];
    assert_eq!(web.mapping.channel, Text::Constant("web".into()));
    assert_eq!(web.mapping.month_first, MonthFirst::Never);
    assert_eq!(web.mapping.occurred_at.as_ref().map(|t| &t.format), Some(&TimeFormat::Rfc3339));
}

#[test]
fn every_setting_is_read() {
    let plan = plan_of(
        r#"
name = "p"
[source.a]
kafka = { brokers = "h:1", topics = ["x", "y"], options = { "queued.min.messages" = 10, "enable.ssl" = true } }
channel = "/channel"
event_id = "/id"
record_id = ["/row", "/key"]
type = { value = "row" }
occurred_at = { path = "/ts", format = "local", order = "MDY", utc_offset = 5.5 }
require = ["/a", ["/b", "/c"]]
default_region = "US"
date_order = "month_first"
identity.country = { path = "/store_id", take = 2 }
[[source.a.purchase]]
when = { "/type" = ["buy", 7], "/paid" = true }
amount = ["/amount", "/sum"]
currency = { value = "EUR" }
[[source.a.purchase]]
amount = "/x"
currency = "/c"
decimals = 3
[source.a.limits]
payload = "2MiB"
depth = 5
[match]
model = "m.json"
expected_customers = 100000
threshold_bits = -1
[state]
path = "s"
memory = "1GiB"
[publish]
url = "s3://b/t"
interval = "500ms"
options = { allow_http = true }
[run]
batch = 10
commit_interval = "2s"
shutdown_timeout = "1m"
"#,
    );
    let a = &plan.sources[0];
    let Input::Kafka(kafka) = &a.input else { panic!("it is Kafka") };
    assert_eq!(kafka.group, "onefold-p");
    assert_eq!(kafka.topics, ["x", "y"]);
    assert_eq!(kafka.options.0["enable.ssl"], "true");
    assert_eq!(a.mapping.require.len(), 2);
    assert_eq!(a.mapping.money.len(), 2);
    assert_eq!(a.mapping.money[0].when.0.len(), 2);
    assert_eq!(a.mapping.identity[0].1[0].take, Some(2));
    assert_eq!(a.mapping.month_first, MonthFirst::Always);
    assert_eq!((a.mapping.limits.payload, a.mapping.limits.depth), (2 << 20, 5));
    assert_eq!(plan.matching.threshold_bits, Some(-1.0));
    assert_eq!(plan.publish.interval, Duration::from_millis(500));
    assert_eq!(plan.run.shutdown_timeout, Duration::from_secs(60));
    let printed = format!("{:?}", plan.publish.options);
    assert_eq!(printed, r#"{"allow_http": "<redacted>"}"#);
}

#[test]
fn variables_are_filled_in() {
    let files = |text: &str| {
        let plan = plan_of(&MINIMAL.replace("web.jsonl", text));
        let Input::Files(files) = &plan.sources[0].input else { panic!("it is files") };
        files.patterns[0].clone()
    };
    assert_eq!(files("${EVENTS_DIR}/a"), "/data/a");
    assert_eq!(files("${NONE:-x}/${EVENTS_DIR:-y}"), "x//data");
    assert_eq!(files("a${EMPTY}b${EMPTY:-c}"), "abc");
    assert_eq!(files("$${EVENTS_DIR} $5"), "${EVENTS_DIR} $5");
}

#[test]
fn a_variable_that_is_missing_is_named() {
    check_error(
        "web.jsonl",
        "${NONE}/x",
        "p.toml: source.web.files: the environment variable NONE is not set; set it, or give a default with \
         `${NONE:-...}`",
    );
    check_error(
        "web.jsonl",
        "${NONE",
        "p.toml: source.web.files: `${` without `}`; write `$${` for a plain `${`",
    );
    check_error(
        "web.jsonl",
        "${A B}",
        "p.toml: source.web.files: `${...}` must name a variable: letters, digits and `_`, or a file: \
         ${file:/run/secrets/name}",
    );
}

#[test]
fn who_reads_no_source_needs_no_variable_of_one() {
    let text = MINIMAL.replace("web.jsonl", "${NOWHERE}/web.jsonl").replace("/ts", "/$${ts}");
    let more = "[state]\npath = \"${STATE_PATH}\"";
    parse(&text, "p.toml", &env).expect_err("a run reads it");
    let plan = ask(&text).expect("a question does not");
    assert_eq!(plan.state.path.display().to_string(), "./state");
    // What is asked about must be known all the same.
    let error = ask(&format!("{text}{more}")).expect_err("asked");
    assert!(error.to_string().contains("STATE_PATH is not set"), "{error}");
}

#[test]
fn unknown_keys_get_a_suggestion() {
    check_error(
        "event_id",
        "event_ids",
        "p.toml: source.web.event_ids: unknown key; did you mean `event_id`?",
    );
    check_error(
        "email",
        "emial",
        "p.toml: source.web.identity.emial: unknown key; did you mean `email`?",
    );
    check_error(
        "{ path",
        "{ pth",
        "p.toml: source.web.occurred_at.pth: unknown key; did you mean `path`?",
    );
    check_error(
        "name = \"retail\"",
        "name = \"retail\"\nzzzzzz = 1",
        "p.toml: zzzzzz: unknown key; known here: name, source, match, state, publish, retention, dead_letters, run, http",
    );
    check_more(
        "identity.email = { pat = \"/email\" }",
        "p.toml: source.web.identity.email.pat: unknown key; did you mean `path`?",
    );
}

#[test]
fn what_is_not_toml_names_its_line_but_does_not_show_it() {
    check_error(
        "type = \"/type\"",
        "password = hunter2",
        "p.toml: not TOML: string values must be quoted, expected literal string",
    );
}

#[test]
fn a_wrong_type_names_its_key() {
    check_error(
        "files = \"web.jsonl\"",
        "files = { a = 1 }",
        "p.toml: source.web.files: invalid type: map, expected a string",
    );
    check_more(
        "identity.email = [\"/e\", true]",
        "p.toml: source.web.identity.email[1]: invalid type: boolean `true`, expected a pointer like \"/email\", \
         or a table with `path` or `value`",
    );
}

#[test]
fn a_source_has_one_input() {
    check_error(
        "files = \"web.jsonl\"",
        "",
        "p.toml: source.web: has no input; give `files` or `kafka`",
    );
    check_error(
        "files = \"web.jsonl\"",
        "files = \"web.jsonl\"\nkafka = { brokers = \"h:1\", topic = \"t\" }",
        "p.toml: source.web: has two inputs; give `files` or `kafka`, not both",
    );
    check_error(
        "files = \"web.jsonl\"",
        "files = []",
        "p.toml: source.web.files: the list is empty; give a path, a glob or a URL",
    );
    check_error(
        "files = \"web.jsonl\"",
        "kafka = { brokers = \"h:1\" }",
        "p.toml: source.web.kafka: give either `topic` or `topics`",
    );
    check_error(
        "files = \"web.jsonl\"",
        "kafka = { brokers = \"h:1\", topic = \"t\", options = { \"group.id\" = \"${PASSWORD}\" } }",
        "p.toml: source.web.kafka.options.\"group.id\": use `group`",
    );
    check_error(
        "files = \"web.jsonl\"",
        "kafka = { brokers = \"h:1\", topic = \"t\" }\nformat = \"csv\"",
        "p.toml: source.web.format: messages of Kafka are JSON objects; leave it out",
    );
}

const LETTERS: &str = "[dead_letters.kafka]\nbrokers = \"h:1, G:2\"\ntopic = \"letters\"\n";

#[test]
fn dead_letters_have_a_topic_where_one_is_named() {
    assert_eq!(plan_of(MINIMAL).letter_topic, None);
    assert_eq!(plan_of(&format!("{MINIMAL}\n[dead_letters]\n")).letter_topic, None);
    let options = "options = { \"sasl.password\" = \"${PASSWORD}\", \"linger.ms\" = 5 }";
    let plan = plan_of(&format!("{MINIMAL}\n{LETTERS}{options}"));
    let shown = format!("{plan:?}");
    let topic = plan.letter_topic.expect("there is one");
    assert_eq!((topic.brokers.as_str(), topic.topic.as_str()), ("h:1, G:2", "letters"));
    assert_eq!(topic.options.0["linger.ms"], "5");
    assert!(!shown.contains(&topic.options.0["sasl.password"]), "{shown}");
    // What asks only needs no password.
    let unset = format!("{MINIMAL}\n{LETTERS}options = {{ \"sasl.password\" = \"${{UNSET}}\" }}");
    ask(&unset).expect("a question needs none");
    parse(&unset, "p.toml", &env).expect_err("a job does");
}

#[test]
fn the_topic_of_dead_letters_is_checked() {
    let identity = "[source.web.identity]\nemail = \"/email\"";
    let check =
        |letters: &str, expected: &str| check_more(&format!("{identity}\n{letters}"), expected);
    check(
        "[dead_letters.kafka]\nbrokers = \"\"\ntopic = \" \"",
        "p.toml: dead_letters.kafka.brokers = \"\": give host:port, several with commas\n\
         p.toml: dead_letters.kafka.topic = \" \": name a topic",
    );
    check(
        "[dead_letters.kafka]\nbrokers = \"h\"",
        "p.toml: dead_letters.kafka.topic: is missing; this key must be there",
    );
    check(
        &format!("{LETTERS}options = {{ acks = \"0\", \"linger.ms\" = 5 }}"),
        "p.toml: dead_letters.kafka.options.acks: messages are delivered at least once and in their order; leave it out",
    );
    check(
        &format!("{LETTERS}options = {{ \"bootstrap.servers\" = \"x\" }}"),
        "p.toml: dead_letters.kafka.options.\"bootstrap.servers\": use `brokers`",
    );
    check(
        &format!("{LETTERS}topik = 1"),
        "p.toml: dead_letters.kafka.topik: unknown key; did you mean `topic`?",
    );
}

#[test]
fn customers_have_topics_where_some_are_named() {
    assert_eq!(plan_of(MINIMAL).publish.topics, None);
    let text = "[publish.topics]\nbrokers = \"h:1\"\nprofiles = \"p\"\nchanges = \"c\"\n\
                options = { \"linger.ms\" = 5 }\n";
    let topics = plan_of(&format!("{MINIMAL}\n{text}")).publish.topics.expect("there are some");
    assert_eq!((topics.profiles.as_deref(), topics.changes.as_deref()), (Some("p"), Some("c")));
    assert_eq!((topics.brokers.as_str(), topics.options.0["linger.ms"].as_str()), ("h:1", "5"));
    let identity = "[source.web.identity]\nemail = \"/e\"";
    let check = |topics: &str, expected: &str| {
        let text = format!("{identity}\n[publish.topics]\nbrokers = \"h\"\n{topics}");
        check_more(&text, expected);
    };
    check("", "p.toml: publish.topics: names no topic; give `profiles`, `changes` or both");
    check(
        "profiles = \"t\"\nchanges = \"t\"",
        "p.toml: publish.topics.changes = \"t\": is that of profiles, which keeps one message a \
         customer; name another",
    );
    check(
        "profiles = \"\"\noptions = { acks = 1 }",
        "p.toml: publish.topics.profiles = \"\": name a topic\n\
         p.toml: publish.topics.options.acks: messages are delivered at least once and in their \
         order; leave it out",
    );
    check(
        "profiles = \"t\"\n[dead_letters.kafka]\nbrokers = \"h\"\ntopic = \"t\"",
        "p.toml: publish.topics.profiles = \"t\": is that of the dead letters; name a topic of its \
         own",
    );
}

#[test]
fn dead_letters_do_not_come_back() {
    let reading = |brokers: &str, topics: &str| {
        let kafka = format!("kafka = {{ brokers = \"{brokers}\", {topics} }}");
        let text = MINIMAL.replacen("files = \"web.jsonl\"", &kafka, 1);
        parse(&format!("{text}\n{LETTERS}"), "p.toml", &env)
    };
    let error = reading("x:1,g:2", "topics = [\"a\", \"letters\"]").expect_err("a loop");
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(
        without_lines(&error),
        "p.toml: dead_letters.kafka.topic = \"letters\": is read by source `web`: what cannot be used would come \
         back for ever; name a topic of its own"
    );
    reading("h:1", "topic = \"letters\"").expect_err("a loop");
    reading("h:1", "topic = \"events\"").expect("another topic");
    reading("h:2", "topic = \"letters\"").expect("other brokers");
}

#[test]
fn sources_do_not_overlap() {
    let (_, web) = MINIMAL.split_once("[source.web]").expect("it has the source");
    let other = format!("[source.web]{web}").replace("source.web", "source.b");
    let twice = format!("{MINIMAL}{other}");
    let error = parse(&twice, "p.toml", &env).expect_err("it reads one file twice");
    assert_eq!(
        error.to_string(),
        "p.toml:4: source.web.files = \"web.jsonl\": is read by source `b`, too; read it once"
    );
}

#[test]
fn pointers_are_checked() {
    check_error(
        "type = \"/type\"",
        "type = \"row\"",
        "p.toml: source.web.type = \"row\": a pointer begins with `/`, as in /form/email; a constant is written \
         { value = \"...\" }",
    );
    check_error(
        "files = \"web.jsonl\"",
        "files = \"a.csv.gz\"\npurchase = { amount = \"/order/amount\", currency = \"/c\" }",
        "p.toml: source.web.purchase.amount = \"/order/amount\": the rows of a CSV file have columns only; \
         write /COLUMN, and `/` in its name as ~1",
    );
    check_more(
        "identity.email = { value = \"x\" }",
        "p.toml: source.web.identity.email: identity comes from the event: give a pointer, not a constant",
    );
    check_more(
        "require = [[]]\nidentity.email = \"/e\"",
        "p.toml: source.web.require[0]: the list is empty; name a pointer that must be present",
    );
    check_more(
        "",
        "p.toml: source.web.identity: is missing; say at least one thing by which a customer is known",
    );
}

#[test]
fn what_is_needed_is_asked_for() {
    check_error(
        "event_id = \"/event_id\"",
        "",
        "p.toml: source.web.event_id: is missing; give a pointer, or `record_id` where rows have keys",
    );
    check_error(
        "type = \"/type\"",
        "",
        "p.toml: source.web.type: is missing; give a pointer, or a constant as { value = \"...\" }",
    );
    check_error(
        "occurred_at = { path = \"/ts\" }",
        "",
        "p.toml: source.web.occurred_at: is missing; give { path = \"...\", format = \"...\" }",
    );
    let error = parse("name = \"x\"", "p.toml", &env).expect_err("it has no source");
    assert_eq!(without_lines(&error), "p.toml: source: there is none; add a `[source.NAME]`");
}

#[test]
fn words_are_checked() {
    check_error(
        "{ path = \"/ts\" }",
        "{ path = \"/ts\", format = \"rfc339\" }",
        "p.toml: source.web.occurred_at.format = \"rfc339\": use one of rfc3339, epoch_seconds, epoch_millis, local; \
         did you mean `rfc3339`?",
    );
    check_error(
        "{ path = \"/ts\" }",
        "{ path = \"/ts\", utc_offset = 1 }",
        "p.toml: source.web.occurred_at.utc_offset: belongs to format = \"local\"; leave it out",
    );
    check_error(
        "files = \"web.jsonl\"",
        "files = \"web.jsonl\"\nformat = \"xml\"",
        "p.toml: source.web.format = \"xml\": use one of jsonl, csv, parquet",
    );
    check_error(
        "files = \"web.jsonl\"",
        "files = \"web.jsonl\"\ndefault_region = \"usa\"",
        "p.toml: source.web.default_region = \"usa\": give an ISO 3166 country of two capital letters, such as US",
    );
}

#[test]
fn units_and_numbers_are_checked() {
    let sections = [
        (
            "[publish]\ninterval = \"30\"",
            "publish.interval = \"30\": give a duration above zero, such as 500ms, 30s or 5m",
        ),
        (
            "[run]\ncommit_interval = \"0s\"",
            "run.commit_interval = \"0s\": give a duration above zero, such as 500ms, 30s or 5m",
        ),
        (
            "[state]\nmemory = \"2G\"",
            "state.memory = \"2G\": give a size with its unit, such as 64KiB, 128MiB or 2GiB",
        ),
        (
            "[state]\npath = \"s3://x/y\"",
            "state.path = \"s3://x/y\": the state lies in a local folder, not at a URL",
        ),
        ("[run]\nbatch = 0", "run.batch = \"0\": give 1 to 1000000 messages"),
        ("[match]\nblock_cap = 1", "match.block_cap = \"1\": give at least 2"),
        (
            "[match]\nthreshold_bits = 1\noperating_point = \"broad\"",
            "match: give `threshold_bits` or `operating_point`, not both",
        ),
        (
            "[match]\noperating_point = \"brod\"",
            "match.operating_point = \"brod\": use one of precise, balanced, broad; did you mean `broad`?",
        ),
        (
            "[publish]\nmarketing_purpose = \" \"",
            "publish.marketing_purpose = \"\": give the purpose as events name it",
        ),
        (
            "[publish.survivorship]\nemail = \"newest\"",
            "publish.survivorship.email = \"newest\": use one of most_frequent, most_recent, most_trusted_source, \
             longest",
        ),
        (
            "[publish.survivorship]\nemail = \"longest\"\ntrusted_sources = [\"crm\"]",
            "publish.survivorship.trusted_sources[0] = \"crm\": there is no such source",
        ),
        (
            "[publish.survivorship]\nemail = \"most_trusted_source\"",
            "publish.survivorship.trusted_sources: is missing; most_trusted_source asks which sources are trusted",
        ),
    ];
    for (section, expected) in sections {
        let error = parse(&format!("{MINIMAL}{section}"), "p.toml", &env).expect_err(section);
        assert_eq!(without_lines(&error), format!("p.toml: {expected}"));
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(Path::new("none/p.toml"), &env).expect_err("it is not there");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.to_string().starts_with("none/p.toml: cannot be read; check the path"),
        "{error}"
    );
}

#[test]
fn the_shipped_pipelines_are_valid() {
    let shipped = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines").join(name);
        load(&path, &env).unwrap_or_else(|error| panic!("{name} is valid: {error}"))
    };
    let (files, kafka, people) =
        (shipped("events.toml"), shipped("events-kafka.toml"), shipped("people.toml"));
    let names = |plan: &Plan| plan.sources.iter().map(|s| s.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&files), ["email", "phone", "store", "web"]);
    assert_eq!(names(&people), ["people"]);
    for (file, topic) in files.sources.iter().zip(&kafka.sources) {
        assert_eq!(file.mapping, topic.mapping, "both mean the same");
        let Input::Kafka(topics) = &topic.input else { panic!("it reads Kafka") };
        assert_eq!(topics.topics, [&*topic.name]);
    }
    assert_eq!(files.publish.url, "./out");
    assert_eq!(files.matching.model, None);
    assert!(people.sources[0].mapping.identity.iter().any(|(f, _)| *f == RawField::GovernmentId));
    let Input::Files(records) = &people.sources[0].input else { panic!("it reads files") };
    assert_eq!(Format::of_name(&records.patterns[0]), Some(Format::Csv));
}

#[test]
fn fields_rules_and_sources_are_of_ones_own() {
    let text = MINIMAL
        .replace("event_id = \"/event_id\"", "record_id = \"/id\"\none_per_customer = true")
        + r#"
        passport = "/doc"
        home = { path = "/lat", and = "/lon" }
        [match]
        without_rules = ["card"]
        [match.field.passport]
        kind = "identifier"
        exclusive = true
        slot = 2
        [match.field.home]
        kind = "location"
        levels = ["exact", { kilometres_within = 1 }]
        [match.field.phone]
        limit = 8
        blocked = { "+44 20 7946 0018" = "the shop's own" }
        [[match.rule]]
        name = "passport beginning"
        key = ["passport:3", "birth_year"]
        refine = "surname_sound"
        "#;
    let plan = plan_of(&text);
    let model = crate::score::Model::default_with(1000.0).changed(&plan.matching.changes).unwrap();
    let [home, passport] = [Field::Custom1, Field::Custom2].map(|field| model.field(field));
    assert_eq!((home.name(), passport.name()), ("home", "passport"));
    assert_eq!(home.levels.len(), 3, "the last is otherwise");
    assert!((home.u.iter().sum::<f64>() - 1.0).abs() < 1e-9 && home.m.len() == 3);
    assert!(passport.identifier && passport.exclusive.is_some());
    let phone = model.field(Field::Phone);
    assert_eq!(phone.limit, Some(8));
    assert_eq!(phone.blocked.keys().collect::<Vec<_>>(), ["2079460018"], "as it is compared");
    let names: Vec<&str> = model.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert!(names.contains(&"passport") && names.contains(&"passport beginning"));
    assert!(!names.contains(&"card"));
    assert_eq!(model.rules.last().unwrap().key[0].to_string(), "custom2:3");
    let source = &plan.sources[0];
    let raw =
        |field| source.mapping.identity.iter().any(|(raw, _)| *raw == RawField::Custom(field));
    assert!(raw(Field::Custom1) && raw(Field::Custom2));
    assert_eq!(source.normalise.constant, Some((Field::Custom8, "web".into())));
    assert_eq!(model.field(Field::Custom8).name(), crate::score::ONE_PER_SOURCE);
    // What was learned with these changes stays when they are made again.
    let mut learned = model.clone();
    learned.fields[Field::Custom1 as usize].m = vec![0.5, 0.3, 0.2];
    assert_eq!(learned.clone().changed(&plan.matching.changes).unwrap(), learned);
    // And a model that has its fields elsewhere finds them where the pipeline puts them.
    let others = plan_of(&text.replace("slot = 2", "slot = 5")).matching.changes;
    let moved = learned.changed(&others).unwrap();
    assert_eq!(moved.field(Field::Custom5).name(), "passport");
    assert_eq!(moved.rules.last().unwrap().key[0].to_string(), "custom5:3");
}

#[test]
fn mistakes_in_fields_and_rules_are_told_with_their_key() {
    let own = "identity.email = \"/email\"\n[match.field";
    for (more, expected) in [
        (".emial]\nlimit = 3", "match.field.emial: no built-in field; did you mean `email`?"),
        (
            ".ticket]\nlimit = 3",
            "match.field.ticket: a field of your own needs a `kind`, such as \"text\" or \"identifier\"",
        ),
        (
            ".email]\nkind = \"text\"",
            "match.field.email: is built in; `kind` and `slot` are for fields of your own",
        ),
        (
            ".full_name]\nkind = \"text\"",
            "match.field.full_name: the name has a meaning of its own; choose another",
        ),
        (".a]\nkind = \"text\"\nslot = 9", "match.field.a.slot = \"9\": give 1 to 8"),
        (
            ".a]\nkind = \"text\"\nlimit = 3",
            "match.field.a: limit belongs to identifiers; leave it out",
        ),
        (
            ".phone]\nlevels = [\"exact\", { jaro_winkler = 1.5 }]",
            "match.field.phone: jaro_winkler = 1.5: give a share above 0, at most 1",
        ),
        (".phone]\nm = [0.5]", "match.field.phone: m and u must have 4 numbers each, one a level"),
    ] {
        check_more(&format!("{own}{more}"), &format!("p.toml: {expected}"));
    }
    check_more(
        "identity.email = \"/email\"\none_per_customer = true",
        "p.toml: source.web.one_per_customer: is for rows that have keys; give `record_id`, or leave it out",
    );
    check_more(
        "identity.email = \"/email\"\n[[match.rule]]\nname = \"r\"\nkey = [\"birth_year\", \"any_name\"]",
        "p.toml: match.rule[0]: `any_name` can only be the first part of the key",
    );
}

#[test]
fn the_endpoint_is_opt_in_and_of_this_machine() {
    assert_eq!(plan_of(MINIMAL).http, None);
    let http = |lines: &str| {
        let text = format!("{MINIMAL}[http]\n{lines}");
        parse(&text, "p.toml", &env).map(|plan| plan.http.expect("it is there"))
    };
    let plan = http("address = \"127.0.0.1:0\"").expect("it is valid");
    assert_eq!((plan.address.port(), plan.token, plan.token_for_all), (0, None, false));
    for address in ["localhost:9187", "[::1]:9187", "127.3.2.1:80"] {
        assert!(http(&format!("address = \"{address}\"")).is_ok(), "{address}");
    }
    let all = "address = \"0.0.0.0:9187\"\nallow_remote = true\ntoken = \"0123456789abcdef\"\n\
               token_for = \"all\"\ntls = { certificate = \"c.pem\", key = \"k.pem\" }";
    let plan = http(all).expect("it is valid");
    assert!(plan.token_for_all && plan.tls.is_some());
    assert!(!format!("{plan:?}").contains("0123456789abcdef"), "a token is a secret");

    let first = MINIMAL.lines().count() + 1;
    let check = |lines: &str, expected: &str| {
        let error = http(lines).expect_err("it is wrong");
        assert_eq!(error.kind(), Kind::Invalid);
        // What is wrong stands last; what is missing, where the table begins.
        let line = first + lines.lines().count();
        assert_eq!(error.to_string(), format!("p.toml:{line}: http.{expected}"));
    };
    check("", "address: there is none: set it, e.g. to 127.0.0.1:9187");
    check(
        "address = \"0.0.0.0:9187\"",
        "address = \"0.0.0.0:9187\": other machines reach this address: set `allow_remote = true` in \
         [http] if they may, or listen on 127.0.0.1",
    );
    check(
        "address = \"9187\"",
        "address = \"9187\": give an IP address and a port, e.g. 127.0.0.1:9187 or [::1]:9187",
    );
    check(
        "address = \"127.0.0.1:1\"\ntoken = \"hunter2\"",
        "token: give 16 characters at least, without spaces, e.g. what `openssl rand -hex 32` prints",
    );
    check(
        "address = \"127.0.0.1:1\"\ntoken_for = \"all\"",
        "token_for = \"all\": there is no token: set `token` in [http], too",
    );
    check("adress = \"127.0.0.1:1\"", "adress: unknown key; did you mean `address`?");
}
