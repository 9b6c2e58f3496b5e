//! What can be written in a pipeline file, for people to look up?
//!
//! The schema as a page of Markdown: a section a table, a row a key, its meaning from the comment of
//! the field that reads it.

use std::fmt::Write;

use serde_json::Value;

use super::schema::{default_of, schema, sentence_end};

/// The tables that come first; the others follow by name.
const FIRST: [&str; 5] = ["source", "match", "state", "publish", "dead_letters"];

/// What stands above the keys.
const HEAD: &str = "# Pipeline files

Every key of a pipeline file: its type, its default and its meaning. This page is made of the types
that read the files; a test fails where it is behind them, and says how to renew it.
`onefold schema` prints the same as a JSON Schema, which editors understand where a file begins with
`#:schema schemas/pipeline.schema.json`. `onefold check FILE` tells all that is wrong with a file.
";

/// What stands below them.
const UNITS: &str = "## Values

| Type | Written as |
|---|---|
| duration | a whole number and `ms`, `s`, `m`, `h` or `d`, e.g. `500ms`, `30s` |
| size | a whole number and `B`, `KiB`, `MiB`, `GiB`, `TiB`, or `kB`, `MB`, `GB`, `TB` |
| country | two capital letters of ISO 3166, e.g. `US` |
| scalar | a text, a number, `true` or `false` |
";

/// The reference of pipeline files, as Markdown.
pub fn reference() -> String {
    let schema = schema();
    let mut page = Page { schema: &schema, text: HEAD.to_owned() };
    page.paragraph(&schema);
    page.text.push_str("\n## Top level\n");
    page.table("", &schema);
    page.text.push('\n');
    page.text.push_str(UNITS);
    page.word_lists();
    page.text
}

struct Page<'s> {
    schema: &'s Value,
    text: String,
}

/// What a schema asks for.
enum Shape<'s> {
    /// A value, in words.
    Value(String),
    /// A table of keys, the words for it, and what is added to its path.
    Table(&'s Value, String, &'static str),
}

impl<'s> Page<'s> {
    /// Follows references.
    fn followed(&self, schema: &'s Value) -> (&'s Value, Option<&'s str>) {
        let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref"));
        let name = reference.and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        match name {
            Some(name) => (&self.schema["definitions"][name], Some(name)),
            None => (schema, None),
        }
    }

    fn shape(&self, schema: &'s Value) -> Shape<'s> {
        let (followed, name) = self.followed(schema);
        let value = |text: &str| Shape::Value(text.to_owned());
        if name == Some("Pointer") {
            return value("[pointer](#pointer)");
        }
        if followed.get("oneOf").is_some() {
            let name = name.unwrap_or_default().to_lowercase();
            return Shape::Value(format!("[{name}](#{name})"));
        }
        if let Some(title) = followed["title"].as_str() {
            return value(title);
        }
        let named = &followed["properties"];
        let any = &followed["additionalProperties"];
        if any.is_object() {
            return match self.shape(any) {
                Shape::Value(of) => Shape::Value(format!("table of {of}")),
                Shape::Table(table, _, more) => Shape::Table(
                    table,
                    "tables, each with a name".into(),
                    if more.is_empty() { ".NAME" } else { more },
                ),
            };
        }
        if named.is_object() {
            return Shape::Table(followed, "table".into(), "");
        }
        if let Some(choices) = followed["anyOf"].as_array() {
            if let Some(words) = choices[0]["enum"].as_array() {
                let words: Vec<String> = words.iter().map(code).collect();
                return Shape::Value(words.join(", "));
            }
            return match self.shape(&choices[0]) {
                Shape::Value(of) => Shape::Value(format!("{of}, or a list of them")),
                Shape::Table(table, ..) => {
                    Shape::Table(table, "table, or a list of them".into(), "")
                }
            };
        }
        match followed["type"].as_str() {
            Some("array") => match self.shape(&followed["items"]) {
                Shape::Value(of) => Shape::Value(format!("list of {of}")),
                Shape::Table(table, ..) => Shape::Table(table, "list of tables".into(), "[]"),
            },
            Some("string") => value("text"),
            Some("integer") => value("whole number"),
            Some("boolean") => value("`true` or `false`"),
            Some(other) => value(other),
            None => value("scalar"),
        }
    }

    /// A table of keys, then those within it.
    fn table(&mut self, path: &str, schema: &'s Value) {
        let Some(keys) = schema["properties"].as_object() else { return };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut names: Vec<&String> = keys.keys().collect();
        let first = |name: &str| FIRST.iter().position(|first| *first == name && path.is_empty());
        names.sort_by_key(|name| {
            let is_optional = !required.contains(&name.as_str());
            (is_optional, first(name).unwrap_or(FIRST.len()), *name)
        });
        self.text.push_str("\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
        let mut within = Vec::new();
        for name in names {
            let key = &keys[name];
            let at = super::problem::under(path, name);
            let kind = match self.shape(key) {
                Shape::Value(kind) => kind,
                Shape::Table(table, kind, more) => {
                    let at = format!("{at}{more}");
                    let kind = format!("[{kind}](#{})", anchor(&at));
                    within.push((at, table, key));
                    kind
                }
            };
            let (default, meaning) = told(key, required.contains(&name.as_str()));
            writeln!(self.text, "| `{name}` | {kind} | {default} | {meaning} |")
                .expect("texts take all");
        }
        for (at, table, key) in within {
            writeln!(self.text, "\n## `{at}`\n").expect("texts take all");
            let [of_key, of_table] = [key, table].map(meaning);
            self.text.push_str(if of_table.len() > of_key.len() { of_table } else { of_key });
            self.text.push('\n');
            self.table(&at, table);
        }
    }

    fn paragraph(&mut self, schema: &Value) {
        let text = schema["description"].as_str().unwrap_or_default();
        writeln!(self.text, "\n{text}").expect("texts take all");
    }

    /// What a pointer is, and the words that levels and kinds are of.
    fn word_lists(&mut self) {
        let definitions = self.schema["definitions"].as_object();
        for (name, schema) in definitions.into_iter().flatten() {
            if name == "Pointer" {
                self.text.push_str("\n## Pointer\n");
                self.paragraph(schema);
                let table = &schema["anyOf"][1];
                self.table("", self.followed(table).0);
            }
            let Some(words) = schema["oneOf"].as_array() else { continue };
            writeln!(self.text, "\n## {name}").expect("texts take all");
            self.paragraph(schema);
            self.text.push_str("\n| Written as | Meaning |\n|---|---|\n");
            for word in words.iter().filter(|word| word["description"].is_string()) {
                let meaning = cell(word["description"].as_str().unwrap_or_default());
                let written = match word["properties"].as_object().and_then(|p| p.iter().next()) {
                    Some((name, of)) => format!("`{{ {name} = {} }}`", example(of)),
                    None => code(&word["const"]),
                };
                writeln!(self.text, "| {written} | {meaning} |").expect("texts take all");
            }
        }
    }
}

/// What the value of a word looks like.
fn example(schema: &Value) -> String {
    if let Some(keys) = schema["properties"].as_object() {
        let keys = keys.iter().map(|(name, of)| format!("{name} = {}", example(of)));
        return format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "));
    }
    match schema["type"].as_str() {
        Some("number") => "0.9".to_owned(),
        Some("integer") => "2".to_owned(),
        Some("array") => "[...]".to_owned(),
        _ => "...".to_owned(),
    }
}

/// What a comment says, without the name of the table that stands above it here.
fn meaning(schema: &Value) -> &str {
    let text = schema["description"].as_str().unwrap_or_default();
    match text.split_once("]`: ") {
        Some((name, rest)) if name.starts_with("`[") => rest,
        _ => text,
    }
}

/// The default and the meaning of a key.
fn told(key: &Value, is_required: bool) -> (String, String) {
    let text = meaning(key);
    let default = match default_of(text) {
        Some(default) => cell(default),
        None if is_required => "required".to_owned(),
        None => String::new(),
    };
    // What the column tells need not be told once more.
    let meaning = match text.find("Default") {
        Some(at) => {
            let end = at + sentence_end(&text[at..]);
            format!("{} {}", text[..at].trim_end(), text[end..].trim_start())
        }
        None => text.to_owned(),
    };
    (default, cell(meaning.trim()))
}

fn code(value: &Value) -> String {
    format!("`{}`", value.as_str().unwrap_or_default())
}

/// A text that fits into a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a heading of a path is linked by.
fn anchor(path: &str) -> String {
    path.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '_' || *c == '-').collect()
}
