//! Which pipeline files have the shape of the settings, in words that an editor understands?
//!
//! A JSON Schema, made of the types that read the files: their fields, their comments, and the
//! defaults that the comments name. It refuses nothing that the program takes. A text that names a
//! variable is taken everywhere, since nobody but the program knows what it stands for.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::settings::Settings;
use crate::profile::Rule;
use crate::record::{ContactChannel, RawField};
use crate::source::Format;

/// What a text that names a variable looks like.
const VARIABLE: &str = r"\$\{";

/// The schema of pipeline files, JSON Schema draft 7.
pub fn schema() -> Value {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Settings>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema["title"] = "Onefold pipeline".into();
    schema
}

/// The schema as the text of a file.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// Makes of what the types say what the files may say.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(tidy);
            without_null(map);
            with_variables(map);
            if let Some(Value::String(text)) = map.get_mut("description") {
                // The lines of a comment are of no meaning.
                let paragraphs = text.split("\n\n");
                let paragraphs =
                    paragraphs.map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            with_default(map);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// TOML has no null: what may be absent is absent.
fn without_null(schema: &mut Map<String, Value>) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({ "type": "null" }));
        if let [one] = choices.as_slice() {
            let one = one.clone();
            schema.remove("anyOf");
            if one.get("$ref").is_some() {
                // Draft 7 looks at nothing beside a reference.
                schema.insert("allOf".into(), json!([one]));
            } else if let Value::Object(one) = one {
                schema.extend(one);
            }
        }
    }
}

/// Where one of some words is wanted, a variable may give it.
fn with_variables(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf")
        && choices.iter().any(|choice| choice["type"] == "string")
    {
        choices.push(json!({ "type": "string", "pattern": VARIABLE }));
    }
    // A list of words without comments; what stands in a choice already has one for variables.
    if schema.contains_key("type")
        && let Some(words) = schema.remove("enum")
    {
        schema.insert("anyOf".into(), json!([{ "enum": words }, { "pattern": VARIABLE }]));
    }
}

/// What the comment says of the default, as a value.
fn with_default(schema: &mut Map<String, Value>) {
    let Some(default) = schema.get("description").and_then(Value::as_str).and_then(default_of)
    else {
        return;
    };
    let is_text = schema.get("type").is_some_and(|kind| kind == "string");
    let value = match default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(word) if is_text && !word.contains('`') => Some(json!(word)),
        _ => default.parse::<u64>().ok().filter(|_| !is_text).map(|number| json!(number)),
    };
    schema.extend(value.map(|value| ("default".to_owned(), value)));
}

/// What a comment says of the default: the words after `Default`, or the one before `(default`.
pub(super) fn default_of(comment: &str) -> Option<&str> {
    if let Some((before, _)) = comment.split_once(" (default") {
        return before.rsplit([' ', '\n']).next();
    }
    let at = comment.find("Default")?;
    let words = comment[at + "Default".len()..].trim_start_matches([':', ' ']);
    Some(words[..sentence_end(words)].trim_end_matches('.'))
}

/// Where the first sentence ends: at a full stop before a capital letter, or at the end.
pub(super) fn sentence_end(text: &str) -> usize {
    let ends = text.match_indices(". ").map(|(at, _)| at + 1);
    let is_end = |at: &usize| text[at + 1..].starts_with(|c: char| c.is_uppercase() || c == '`');
    ends.into_iter().find(is_end).unwrap_or(text.len())
}

/// One of some words, or a variable.
fn words(schema: &mut Schema, words: &[&str]) {
    schema.insert("anyOf".into(), json!([{ "enum": words }, { "pattern": VARIABLE }]));
}

fn pattern(schema: &mut Schema, title: &str, pattern: &str) {
    schema.insert("title".into(), title.into());
    schema.insert("pattern".into(), format!("{pattern}|{VARIABLE}").into());
}

pub(super) fn file_format(schema: &mut Schema) {
    words(schema, &[Format::Jsonl, Format::Csv, Format::Parquet].map(Format::name));
}

pub(super) fn date_order(schema: &mut Schema) {
    words(schema, &["day_first", "month_first"]);
}

pub(super) fn time_format(schema: &mut Schema) {
    words(schema, &["rfc3339", "epoch_seconds", "epoch_millis", "local"]);
}

pub(super) fn operating_point(schema: &mut Schema) {
    words(schema, &["precise", "balanced", "broad"]);
}

pub(super) fn token_for(schema: &mut Schema) {
    words(schema, &["status", "all"]);
}

pub(super) fn on_gap(schema: &mut Schema) {
    words(schema, &["continue", "stop"]);
}

pub(super) fn on_error(schema: &mut Schema) {
    words(schema, &["dead-letter", "stop"]);
}

/// One of some words, or a list of them, or variables.
pub(super) fn contact_channels(schema: &mut Schema) {
    let words = ContactChannel::ALL.map(ContactChannel::name);
    let one = json!({ "type": "string", "anyOf": [{ "enum": words }, { "pattern": VARIABLE }] });
    schema.insert("anyOf".into(), json!([one, { "type": "array", "items": one }]));
}

pub(super) fn survivorship(schema: &mut Schema) {
    words(schema, &Rule::ALL.map(|(name, _)| name));
}

pub(super) fn country(schema: &mut Schema) {
    pattern(schema, "country", "^[A-Z]{2}$");
}

pub(super) fn duration(schema: &mut Schema) {
    pattern(schema, "duration", r"^\s*\d+\s*(ms|s|m|min|h|d)\s*$");
}

pub(super) fn size(schema: &mut Schema) {
    pattern(schema, "size", r"^\s*\d+\s*(B|[KMGT]iB|kB|[MGT]B)\s*$");
}

/// The fields that are built in; others are declared in `[match.field.NAME]`.
pub(super) fn identity(schema: &mut Schema) {
    // The names, out of what serde says to a wrong one.
    let wrong: Result<RawField, _> = serde_json::from_value("".into());
    let told = wrong.err().map(|error| error.to_string()).unwrap_or_default();
    let names = super::problem::unknown(&told).map(|(_, names)| names).unwrap_or_default();
    let one = schema.get("additionalProperties").cloned().unwrap_or(Value::Bool(true));
    let properties: Map<String, Value> =
        names.into_iter().map(|name| (name.to_owned(), one.clone())).collect();
    schema.insert("properties".into(), properties.into());
}
