//! Whether schema, manual and shipped files say what the types read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::contract::assert_is_current;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_schema_is_current() {
    assert_is_current("schemas/pipeline.schema.json", &schema_text());
}

#[test]
fn the_reference_is_current() {
    assert_is_current("docs/reference.md", &reference());
}

fn validator() -> jsonschema::Validator {
    let schema = schema();
    jsonschema::meta::validate(&schema).expect("it is a schema of its own draft");
    jsonschema::validator_for(&schema).expect("a schema is valid")
}

fn as_json(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).expect("it is TOML");
    serde_json::to_value(table).expect("TOML without dates is JSON")
}

#[test]
fn shipped_pipelines_are_valid_and_name_the_schema() {
    let validator = validator();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(repository("pipelines")).expect("the shipped pipelines") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        assert!(text.starts_with("#:schema ../schemas/pipeline.schema.json\n"), "{path:?}");
        let problems: Vec<String> =
            validator.iter_errors(&as_json(&text)).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{path:?}");
        names.push(path);
    }
    assert!(names.len() >= 4, "{names:?}");
}

const GOOD: &str = "name = \"p\"\n[source.web]\nfiles = \"${F:-x.jsonl}\"\nrecord_id = \"/id\"\nidentity.email = \"/e\"\n";

/// What the schema refuses, the program refuses: what is valid for an editor may be wrong for other
/// reasons, but never the other way round.
#[test]
fn what_the_schema_refuses_is_refused() {
    let validator = validator();
    assert!(validator.is_valid(&as_json(GOOD)));
    parse(GOOD, "p.toml", &|_| None).expect("it is valid");
    let mut refused = 0;
    for (more, is_refused) in [
        ("colour = 1", true),
        ("format = \"xml\"", true),
        ("format = \"${F}\"", false),
        ("files = 5", true),
        ("files = [\"a\", true]", true),
        ("default_region = \"usa\"", true),
        ("date_order = \"month\"", true),
        ("one_per_customer = \"yes\"", true),
        ("require = [\"/a\", [\"/b\"]]", false),
        ("require = \"/a\"", true),
        ("type = { path = \"/t\", tke = 2 }", true),
        ("type = { path = \"/t\", take = -2 }", true),
        ("channel = [true]", true),
        ("occurred_at = \"/ts\"", true),
        ("occurred_at = { format = \"rfc3339\" }", true),
        ("occurred_at = { path = \"/ts\", format = \"iso\" }", true),
        ("purchase = { amount = \"/a\" }", true),
        ("purchase = [{ amount = \"/a\", currency = \"/c\", decimals = 1.5 }]", true),
        ("purchase = [{ amount = \"/a\", currency = \"/c\", decimals = 300 }]", true),
        ("consent = { purpose = \"/p\" }", true),
        (
            "consent = { purpose = \"/p\", state = { value = \"granted\" }, when = { \"/a\" = [1, true] } }",
            false,
        ),
        ("detail.mood = \"/m\"", true),
        ("suppression = { channel = \"email\" }", false),
        ("suppression = { channel = [\"sms\", \"phone\"], lifts = true }", false),
        ("suppression = { channel = \"fax\" }", true),
        ("suppression = { lifts = true }", true),
        ("erasure = { when = { \"/type\" = [\"erase_me\", \"forget\"] } }", false),
        ("erasure = { when = {} }", true),
        ("erasure = {}", true),
        ("[publish]\nerasure_bound = \"12h\"", false),
        ("[publish]\nerasure_bound = \"a day\"", true),
        ("[retention]\ninactive = \"1095d\"\ninteractions = \"730d\"", false),
        ("[retention]\nprofiles = \"1d\"", true),
        ("[publish.survivorship]\nsurname = \"longest\"", false),
        ("[publish.survivorship]\nsurname = \"shortest\"", true),
        ("limits.payload = \"1 meg\"", true),
        ("limits.payload = \" 1 MiB \"", false),
        ("limits.depth = \"5\"", true),
        ("options = { a = {} }", true),
        ("[match]\nblock_cap = -1", true),
        ("[match]\noperating_point = \"brod\"", true),
        ("[match]\nrule = { name = \"r\" }", true),
        ("[[match.rule]]\nname = \"r\"", true),
        ("[match.field.x]\nkind = \"tex\"", true),
        ("[match.field.x]\nkind = \"text\"", false),
        ("[match.field.x]\nkind = \"text\"\nlevels = [\"exact\", { edits = 1 }]", false),
        ("[match.field.x]\nkind = \"text\"\nlevels = [\"exactly\"]", true),
        ("[match.field.x]\nkind = \"text\"\nlevels = [{ edits = \"1\" }]", true),
        ("[match.field.x]\nkind = \"text\"\nslot = 300", true),
        ("[state]\nmemory = 5", true),
        ("[state]\nmemory = \"2G\"", true),
        ("[publish]\ninterval = \"soon\"", true),
        ("[publish]\ninterval = \"5 min\"", false),
        ("[publish]\noptions = []", true),
        ("[run]\nbatch = \"5000\"", true),
        ("[run]\nshutdown_timeout = \"1.5s\"", true),
        ("[rnu]", true),
    ] {
        let text = format!("{GOOD}{more}");
        // A later key replaces the one of the good file.
        let text = match more.starts_with("files") {
            true => text.replacen("files = \"${F:-x.jsonl}\"\n", "", 1),
            false => text,
        };
        let is_valid = validator.is_valid(&as_json(&text));
        assert_eq!(is_valid, !is_refused, "{more}");
        let env = |_: &str| Some("csv".to_owned());
        let parsed = parse(&text, "p.toml", &env);
        assert_eq!(parsed.is_ok(), !is_refused, "{more}: {parsed:?}");
        refused += usize::from(is_refused);
    }
    assert!(refused > 30);
}

/// What the comments say of defaults is what happens: written out, they change nothing.
#[test]
fn defaults_are_as_they_are_told() {
    let schema = schema();
    let table =
        |name: &str| schema["definitions"][name]["properties"].as_object().expect("a table");
    let written = |table: &serde_json::Map<String, Value>| {
        let defaults = table.iter().filter_map(|(key, of)| Some((key, of.get("default")?)));
        // JSON texts and numbers are written as TOML's.
        defaults.map(|(key, value)| format!("{key} = {value}\n")).collect::<String>()
    };
    let good = GOOD.replace("x.jsonl", "x.csv");
    let (source, limits) = (written(table("SourceSettings")), written(table("LimitSettings")));
    let mut text = format!("{good}{source}[source.web.limits]\n{limits}");
    let mut count = source.lines().count() + limits.lines().count();
    for name in ["match", "state", "publish", "run"] {
        let settings = format!("{}{}Settings", name[..1].to_uppercase(), &name[1..]);
        let written = written(table(&settings));
        count += written.lines().count();
        text += &format!("[{name}]\n{written}");
    }
    assert!(count >= 12, "{text}");
    let plan = |text: &str| format!("{:?}", parse(text, "p.toml", &|_| None).expect(text));
    assert_eq!(plan(&text), plan(&good), "{text}");
}

#[test]
fn every_key_is_explained() {
    fn check(at: &str, schema: &Value, complaints: &mut Vec<String>) {
        for (name, key) in schema["properties"].as_object().into_iter().flatten() {
            let words = key["description"].as_str().unwrap_or_default().split_whitespace().count();
            if words < 2 && at != "SourceSettings.identity" {
                complaints.push(format!("{at}.{name}"));
            }
        }
    }
    let schema = schema();
    let mut complaints = Vec::new();
    check("", &schema, &mut complaints);
    for (name, definition) in schema["definitions"].as_object().expect("definitions") {
        check(name, definition, &mut complaints);
    }
    assert_eq!(complaints, [""; 0], "say what they mean in comments of the fields");
}
