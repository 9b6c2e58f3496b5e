//! Whether all problems of a file are told at once, each with its line, and none with a secret.

use std::path::Path;

use super::*;

const PASSWORD: &str = "canary-of-a-password";

fn env(name: &str) -> Option<String> {
    match name {
        "PASSWORD" => Some(PASSWORD.to_owned()),
        "SHORT" => Some("pin".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn examined(text: &str) -> Examined {
    parse_for(text, "p.toml", &env, Use::Run).expect("it is TOML")
}

fn lines_of(examined: &Examined) -> Vec<String> {
    examined.problems().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let examined = examined(text);
    assert_eq!(lines_of(&examined), expected, "\n{text}");
    let error = examined.plan().expect_err("it has problems");
    assert_eq!(error.kind(), crate::error::Kind::Invalid);
    assert_eq!(error.to_string(), expected.join("\n"));
}

#[test]
fn all_problems_are_told_with_their_lines() {
    check(
        r#"
nmae = "retail"
[source.web]
files = ["web.jsonl", "  ", 7]
event_ids = "/event_id"
type = "row"
format = "jsnl"
occurred_at = { path = "ts", formt = "rfc3339" }
[source.web.identity]
emial = "/email"
phone = ["/phone", "tel"]
[[source.web.purchase]]
amount = "/a"
[[source.web.purchase]]
currency = "EUR"
decimals = 9
[source.till]
kafka = { brokers = "${BROKERS}", topics = 5 }
[match]
block_cap = 1
threshold_bits = "${SHORT}"
operating_point = "brod"
[match.field.size]
kind = "tex"
[match.field.phone]
levels = ["exact", { jaro_winkle = 0.9 }]
[[match.rule]]
name = "r"
key = ["emial", "surname_sound"]
[publish]
intervall = "30s"
interval = "soon"
[run]
batch = "many"
shutdown_timeout = "0s"
[sate]
"#,
        &[
            "p.toml:2: nmae: unknown key; did you mean `name`?",
            "p.toml:4: source.web.files[1] = \"  \": give a path, a glob or a URL",
            "p.toml:4: source.web.files[2]: invalid type: integer `7`, expected a string",
            "p.toml:5: source.web.event_ids: unknown key; did you mean `event_id`?",
            "p.toml:6: source.web.type = \"row\": a pointer begins with `/`, as in /form/email; a constant is \
             written { value = \"...\" }",
            "p.toml:7: source.web.format = \"jsnl\": use one of jsonl, csv, parquet; did you mean `jsonl`?",
            "p.toml:8: source.web.occurred_at.formt: unknown key; did you mean `format`?",
            "p.toml:8: source.web.occurred_at.path = \"ts\": a pointer begins with `/`, as in /form/email; a constant \
             is written { value = \"...\" }",
            "p.toml:10: source.web.identity.emial: unknown key; did you mean `email`?",
            "p.toml:11: source.web.identity.phone[1] = \"tel\": a pointer begins with `/`, as in /form/email; a \
             constant is written { value = \"...\" }",
            "p.toml:12: source.web.purchase[0].currency: is missing; this key must be there",
            "p.toml:14: source.web.purchase[1].amount: is missing; this key must be there",
            "p.toml:15: source.web.purchase[1].currency = \"EUR\": a pointer begins with `/`, as in /form/email; a \
             constant is written { value = \"...\" }",
            "p.toml:16: source.web.purchase[1].decimals = \"9\": give 0 to 6",
            "p.toml:17: source.till.event_id: is missing; give a pointer, or `record_id` where rows have keys",
            "p.toml:17: source.till.identity: is missing; say at least one thing by which a customer is known",
            "p.toml:17: source.till.occurred_at: is missing; give { path = \"...\", format = \"...\" }",
            "p.toml:17: source.till.type: is missing; give a pointer, or a constant as { value = \"...\" }",
            "p.toml:18: source.till.kafka.brokers: the environment variable BROKERS is not set; set it, or give a \
             default with `${BROKERS:-...}`",
            "p.toml:18: source.till.kafka.topics: invalid type: integer `5`, expected a sequence",
            "p.toml:20: match.block_cap = \"1\": give at least 2",
            "p.toml:21: match.threshold_bits: invalid type: string, expected f64",
            "p.toml:22: match.operating_point = \"brod\": use one of precise, balanced, broad; did you mean `broad`?",
            "p.toml:24: match.field.size.kind = \"tex\": use one of text, organisation, words, code, identifier, date, \
             number, location; did you mean `text`?",
            "p.toml:26: match.field.phone.levels[1].jaro_winkle: unknown key; did you mean `jaro_winkler`?",
            "p.toml:29: match.rule[0].key[0] = \"emial\": no part of a key; did you mean `email`?",
            "p.toml:31: publish.intervall: unknown key; did you mean `interval`?",
            "p.toml:32: publish.interval = \"soon\": give a duration above zero, such as 500ms, 30s or 5m",
            "p.toml:34: run.batch: invalid type: string \"many\", expected usize",
            "p.toml:35: run.shutdown_timeout = \"0s\": give a duration above zero, such as 500ms, 30s or 5m",
            "p.toml:36: sate: unknown key; did you mean `state`?",
        ],
    );
}

/// A file that uses every kind of value.
const WHOLE: &str = r#"
name = "p"
[source.a]
kafka = { brokers = "h:1", topics = ["x", "y"], options = { "enable.ssl" = true } }
channel = "/channel"
event_id = "/id"
record_id = ["/row", "/key"]
type = { value = "row" }
occurred_at = { path = "/ts", format = "local", order = "MDY", utc_offset = 5.5 }
require = ["/a", ["/b", "/c"]]
default_region = "US"
month_first_when = { "/locale" = "US" }
identity.country = { path = "/store_id", take = 2 }
identity.home = { path = "/lat", and = "/lon" }
[[source.a.purchase]]
when = { "/type" = ["buy", 7], "/paid" = true }
amount = ["/amount", "/sum"]
currency = { value = "EUR" }
[[source.a.purchase]]
amount = "/x"
currency = "/c"
decimals = 3
[source.a.consent]
purpose = "/p"
state = { value = "withdrawn" }
[source.a.detail]
category = "/category"
[source.a.limits]
payload = "2MiB"
depth = 5
[source.b]
files = ["f.csv", "g.csv"]
delimiter = ";"
record_id = "/id"
identity = { email = ["/email", "/mail"] }
[match]
expected_customers = 100000
threshold_bits = -1
without_rules = ["card"]
[match.field.home]
kind = "location"
slot = 2
levels = ["exact", { kilometres_within = 1 }]
m = [0.5, 0.3, 0.2]
u = [0.1, 0.1, 0.8]
blocked = { "0,0" = "nowhere" }
[[match.rule]]
name = "r"
key = ["surname:3", "birth_year"]
refine = "given"
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
"#;

#[test]
fn the_whole_file_is_valid() {
    assert_eq!(lines_of(&examined(WHOLE)), [""; 0]);
}

/// Whatever stands anywhere in place of a value, its line is named, and no other line is blamed but
/// one that lacks it.
#[test]
fn whatever_is_wrong_is_told_in_its_line() {
    let others =
        ["7", "-0.5", "\"\"", "\"zz zz\"", "true", "[]", "{}", "[{}]", "[[7]]", "2024-01-01"];
    let mut told = 0;
    let mut elsewhere = Vec::new();
    for (at, line) in WHOLE.lines().enumerate() {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        for other in others.iter().chain(&["{ a = \"${UNSET}\" }", "\"${UNSET}\""]) {
            let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
            lines[at] = format!("{key} = {other}");
            let text = lines.join("\n");
            let examined = examined(&text);
            let problems = lines_of(&examined);
            let here = format!("p.toml:{}: ", at + 1);
            assert!(examined.draft().is_some() || !problems.is_empty(), "{text}");
            if let Some(first) = problems.first() {
                told += 1;
                let is_here = problems.iter().any(|problem| problem.starts_with(&here));
                if !is_here {
                    elsewhere.push(format!("{key} = {other}: {first}"));
                }
            }
            let unset = problems.iter().filter(|problem| problem.contains("UNSET")).count();
            assert_eq!(
                unset,
                usize::from(other.contains("UNSET")),
                "{key} = {other}: {problems:#?}"
            );
        }
    }
    assert!(told > 300, "only {told} were found wrong");
    // What is wrong with several keys together is told of their table.
    let home = |one: &str, count| {
        format!(
            "{one}: p.toml:40: match.field.home: m and u must have {count} numbers each, one a level"
        )
    };
    let together = [
        home("levels = []", 1),
        home("m = []", 3),
        home("u = []", 3),
        "name = \"\": p.toml:47: match.rule[0]: it has no name".to_owned(),
        "key = []: p.toml:47: match.rule[0]: its key has no part".to_owned(),
    ];
    assert_eq!(elsewhere, together);
}

/// A typing mistake in any key is told once, with the key that is meant, and nothing follows from
/// it.
#[test]
fn a_mistyped_key_is_the_only_problem() {
    let mut told = 0;
    for (at, line) in WHOLE.lines().enumerate() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        if key.len() < 4 || key.starts_with("identity.home") || key == "0,0" {
            continue;
        }
        let mut letters: Vec<char> = key.chars().collect();
        let end = letters.len();
        letters.swap(end - 2, end - 1);
        let typed: String = letters.iter().collect();
        if typed == key {
            continue;
        }
        let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
        lines[at] = format!("{typed} = {value}");
        let problems = lines_of(&examined(&lines.join("\n")));
        let meant = key.rsplit('.').next().expect("a split has a last part");
        assert_eq!(problems.len(), 1, "{typed}: {problems:#?}");
        let start = format!("p.toml:{}: ", at + 1);
        let end = format!(": unknown key; did you mean `{meant}`?");
        assert!(problems[0].starts_with(&start) && problems[0].ends_with(&end), "{problems:?}");
        told += 1;
    }
    assert!(told > 25, "only {told} keys were mistyped");
}

#[test]
fn secrets_are_never_shown() {
    // What is wrong with the values is different at each key.
    for more in [
        "[source.web.options]\naccess_key_id = { a = \"${PASSWORD}\" }",
        "[source.web.options]\naccess_key_id = [\"canary-of-a-password\"]",
        "[publish]\noptions = \"canary-of-a-password\"",
        "[publish]\ninterval = \"${PASSWORD}\"\noptions.secret = \"canary-of-a-password\"",
        "[publish]\nurl = \"x\"\ncarry_ids_from = \"${PASSWORD:-x}\"\n[${PASSWORD}]",
        "[run]\nbatch = \"${PASSWORD}\"\ncommit_interval = \"x${PASSWORD}x\"",
        "[state]\npath = \"s3://${PASSWORD}\"\nmemory = \"${PASSWORD}\"",
        "[match]\noperating_point = \"${PASSWORD}\"\nthreshold_bits = \"${PASSWORD}\"",
        "[match]\nwithout_rules = [\"${PASSWORD}\"]",
        "[[match.rule]]\nname = \"${PASSWORD}\"\nkey = \"${PASSWORD}\"",
        "[match.field.x]\nkind = \"${PASSWORD}\"",
        "[match.field.phone]\nlevels = [\"${PASSWORD}\"]",
        "[source.b]\nfiles = [\"${PASSWORD}\", \"${PASSWORD}\"]\nformat = \"${PASSWORD}\"\ndelimiter = \"${PASSWORD}\"",
        "[source.b]\nkafka = { brokers = \"h\", topics = [\"${PASSWORD}\", \"${PASSWORD}\"], options = { \"group.id\" = \
         \"canary-of-a-password\" } }",
        "[source.b]\ntype = \"${PASSWORD}\"\ndefault_region = \"${PASSWORD}\"\ndate_order = \"${PASSWORD}\"",
        "[source.b]\noccurred_at = { path = \"${PASSWORD}\", format = \"${PASSWORD}\", order = \"${PASSWORD}\" }",
        "[source.b]\nrequire = [\"${PASSWORD}\"]\nidentity.email = [\"${PASSWORD}\"]\nrecord_id = \"${PASSWORD}\"",
        "[source.b]\nconsent = { purpose = \"/p\", state = { value = \"${PASSWORD}\" } }\nidentity = \"${PASSWORD}\"",
    ] {
        let text = format!(
            "name = \"x ${{PASSWORD}}\"\n[source.web]\nfiles = \"a.jsonl\"\nidentity.email = \"/e\"\n{more}"
        );
        let told = match parse_for(&text, "p.toml", &env, Use::Run) {
            Ok(examined) => {
                let told = lines_of(&examined);
                assert!(told.len() > 3, "{told:#?}");
                assert!(
                    told[0].starts_with("p.toml:1: name = \"x ${PASSWORD}\": a name"),
                    "{told:?}"
                );
                format!("{told:?} {:?} {:?}", examined, examined.draft())
            }
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn a_key_without_its_unit_is_near_the_one_that_has_it() {
    let known = ["model", "threshold_bits", "block_cap"];
    assert_eq!(super::problem::nearest("threshold", &known), Some("threshold_bits"));
    assert_eq!(super::problem::nearest("block", &known), Some("block_cap"));
    assert_eq!(super::problem::nearest("bits", &known), None);
}

/// At three in the morning, "the state `${STATE}` is open in another process" helped nobody.
#[test]
fn the_places_of_state_and_tables_are_shown_but_for_credentials() {
    let shown = |places: &str| {
        let text = format!(
            "name = \"x\"\n[source.web]\nfiles = \"a.jsonl\"\nchannel = \"web\"\nevent_id = \"/i\"\ntype = {{ value = \"v\" }}\n\
             occurred_at = {{ path = \"/t\" }}\nidentity.email = \"/e\"\n{places}"
        );
        let env = |name: &str| match name {
            "STATE" => Some("/var/lib/onefold".to_owned()),
            "OUT" => Some("s3://bucket/customers".to_owned()),
            "OPEN" => Some("https://user:canary@host/customers".to_owned()),
            "SIGNED" => Some("https://host/customers?sig=canary".to_owned()),
            _ => None,
        };
        let plan = parse(&text, "p.toml", &env).expect("a pipeline");
        plan.secrets.hidden_in(&format!("{} {}", plan.state.path.display(), plan.publish.url))
    };
    let places = |url: &str| format!("[state]\npath = \"${{STATE}}\"\n[publish]\nurl = \"{url}\"");
    assert_eq!(shown(&places("${OUT}")), "/var/lib/onefold s3://bucket/customers");
    assert_eq!(shown(&places("${OPEN}")), "/var/lib/onefold ${OPEN}");
    assert_eq!(shown(&places("${SIGNED}")), "/var/lib/onefold ${SIGNED}");
    let word =
        "[state]\npath = \"${STATE}\"\n[publish]\nurl = \"${OUT}\"\noptions = { key = \"${OUT}\" }";
    assert_eq!(shown(word), "/var/lib/onefold ${OUT}", "it is a secret elsewhere");
}

#[test]
fn what_is_not_toml_is_told_alone_and_not_shown() {
    let error = examined_error("name = \"p\"\n\n[source]\npassword = canary");
    assert!(error.starts_with("p.toml:4: not TOML: "), "{error}");
    let error = examined_error("password = \"canary\"\npassword = \"canary\"");
    assert!(error.starts_with("p.toml:2: not TOML: "), "{error}");
}

fn examined_error(text: &str) -> String {
    let error = parse_for(text, "p.toml", &env, Use::Run).expect_err("it is not TOML").to_string();
    assert!(!error.contains("canary"), "{error}");
    error
}

#[test]
fn secrets_may_stand_in_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("write a file");
        path.display().to_string()
    };
    let text = |value: &str| {
        format!(
            "name = \"p\"\n[source.web]\nkafka = {{ brokers = \"h\", topic = \"t\", options = {{ \"sasl.password\" = \
             \"{value}\" }} }}\nrecord_id = \"/id\"\nidentity.email = \"/e\""
        )
    };
    let password = |value: &str| {
        let plan = parse(&text(value), "p.toml", &env).map_err(|error| error.to_string())?;
        let shown = format!("{plan:?}");
        assert!(!shown.contains("canary"), "{shown}");
        let crate::source::Input::Kafka(kafka) = &plan.sources[0].input else { panic!("Kafka") };
        Ok::<_, String>(kafka.options.0["sasl.password"].clone())
    };
    let good = file("good", b"canary 1\n");
    assert_eq!(password(&format!("${{file:{good}}}")).as_deref(), Ok("canary 1"));
    let windows = file("windows", b"canary 2\r\n");
    assert_eq!(password(&format!("${{file:{windows}}}")).as_deref(), Ok("canary 2"));
    let two = file("two", b" canary\n\n");
    assert_eq!(password(&format!("<${{file:{two}}}>")).as_deref(), Ok("< canary\n>"));
    assert_eq!(password("${file:/none:-x}").as_deref(), Ok("x"), "a default stands in");
    let none = password("${file:/no/such/file}").expect_err("it is not there");
    assert_eq!(
        none,
        "p.toml:3: source.web.kafka.options.\"sasl.password\": the file /no/such/file cannot be read: entity not \
         found; create it, or check its path and rights"
    );
    for (name, content, expected) in [
        ("binary", &b"canary \xff"[..], "cannot be read: stream did not contain valid"),
        ("large", &[b'c'; 70_000][..], "is larger than 64KiB; name a file with one secret"),
    ] {
        let path = file(name, content);
        let error = password(&format!("${{file:{path}}}")).expect_err("it is no secret");
        assert!(!error.contains("canary"), "{error}");
        assert!(error.contains(expected) || error.contains("invalid data"), "{error}");
    }
    // Who reads no source needs no file of one.
    let ask = parse_for(&text("${file:/none}"), "p.toml", &env, Use::Ask).and_then(Examined::plan);
    ask.expect("the file is not read");
}

#[test]
fn what_a_question_does_not_read_need_not_be_there() {
    let text = "name = \"p\"\n[source.web]\nfiles = \"${DIR:-x}/${NONE}\"\nformat = \"${NONE}\"\nrecord_id = \"/id\"\n\
                identity.email = \"/e\"";
    let plan = parse_for(text, "p.toml", &env, Use::Ask).and_then(Examined::plan).expect("asked");
    let crate::source::Input::Files(files) = &plan.sources[0].input else { panic!("files") };
    assert_eq!(files.patterns, ["x/NONE"], "a default stands where one is given");
    check(
        text,
        &[
            "p.toml:3: source.web.files: the environment variable NONE is not set; set it, or give a default with \
             `${NONE:-...}`",
            "p.toml:4: source.web.format: the environment variable NONE is not set; set it, or give a default with \
             `${NONE:-...}`",
        ],
    );
}

#[test]
fn values_are_not_read_as_toml_or_once_more() {
    let env = |name: &str| Some(if name == "A" { "a$".to_owned() } else { "${A}\n[x]".to_owned() });
    let text = "name = \"p\"\n[source.web]\nfiles = \"${A}${B}$${A}\"\nrecord_id = \"/id\"\nidentity.email = \"/e\"";
    let plan = parse(text, "p.toml", &env).expect("it is valid");
    let crate::source::Input::Files(files) = &plan.sources[0].input else { panic!("files") };
    assert_eq!(files.patterns, ["a$${A}\n[x]${A}"]);
}

#[test]
fn what_is_sound_is_known() {
    let text = WHOLE.replace("depth = 5", "depth = 0").replace("\"500ms\"", "\"${UNSET}\"");
    let examined = examined(&text);
    assert_eq!(examined.problems().len(), 2, "{examined:?}");
    let sound =
        ["source.b", "match", "state", "publish.url", "run", "source.a.kafka", "publish.options"];
    for key in sound {
        assert!(examined.is_sound(key), "{key}");
    }
    for key in
        ["source.a", "source.a.limits", "source.a.limits.depth", "publish", "publish.interval"]
    {
        assert!(!examined.is_sound(key), "{key}");
    }
    let draft = examined.draft().expect("the rest is known");
    assert_eq!(draft.publish.url, "s3://b/t");
    assert_eq!(
        examined.about("publish.url", "is gone"),
        "p.toml:55: publish.url = \"s3://b/t\": is gone"
    );
    assert_eq!(examined.about("state", "is gone"), "p.toml:51: state: is gone");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = examine(Path::new("none/p.toml"), &env).expect_err("it is not there");
    assert!(
        error.to_string().starts_with("none/p.toml: cannot be read; check the path"),
        "{error}"
    );
}
