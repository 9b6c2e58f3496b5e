//! All events, as `schemas/events.md` lists them.

use std::fmt::Write;

use crate::contract::assert_is_current;

/// The files of the events.
const SOURCES: [&str; 12] = [
    include_str!("../event.rs"),
    include_str!("../event/disk.rs"),
    include_str!("../event/erasure.rs"),
    include_str!("../event/index.rs"),
    include_str!("../event/letters.rs"),
    include_str!("../event/matching.rs"),
    include_str!("../event/plain.rs"),
    include_str!("../event/process.rs"),
    include_str!("../event/snapshot.rs"),
    include_str!("../event/source.rs"),
    include_str!("../event/topics.rs"),
    include_str!("../event/vacuum.rs"),
];

/// One event, as its source describes it.
pub(super) struct Described {
    pub(super) name: String,
    level: String,
    message: String,
    fields: Vec<(String, String)>,
    meaning: String,
}

/// Reads the events out of their sources: each is a type with an `emit` that logs it once.
pub(super) fn described() -> Vec<Described> {
    let mut events = Vec::new();
    for source in SOURCES {
        for (at, _) in source.match_indices("    pub fn emit(self") {
            let owner = source[..at].rsplit("\nimpl ").next().expect("a method is of a type");
            let owner: String = owner.chars().take_while(char::is_ascii_alphanumeric).collect();
            events.push(describe(source, &owner, &source[at..]));
        }
    }
    events.sort_by(|left, right| left.name.cmp(&right.name));
    events
}

fn describe(source: &str, owner: &str, emit: &str) -> Described {
    let body = emit.split("\n    }\n").next().expect("a method ends");
    let logged = body.split_once("!(").expect("it is logged");
    let level = logged.0.rsplit(' ').next().expect("the macro has a name").to_uppercase();
    let call = logged.1.split(");\n").next().expect("the call ends").trim_end_matches(");");
    let mut texts = call.split('"').skip(1).step_by(2);
    let name = texts.next().expect("it is named").to_owned();
    assert!(call.trim_start().starts_with("name:"), "{owner} has no `name:` in its log line");
    assert_eq!(name, snake(owner), "an event is called as its type");
    let message = texts.last().expect("it has a message").to_owned();

    let (before, after) =
        source.split_once(&format!("pub struct {owner}")).expect("the type is here");
    let docs = before.rsplit("\n\n").next().expect("docs stand above");
    let fields = after.split("\n}\n").next().expect("the type ends");
    let logs = |field: &str| {
        ["", "_ms"].map(|unit| format!("{field}{unit}")).into_iter().rev().find(|logged| {
            call.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == logged)
        })
    };
    let mut told = Vec::new();
    let mut doc = String::new();
    for line in fields.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc += text;
        } else if let Some(field) = line.strip_prefix("pub ") {
            let field = field.split(':').next().expect("a field has a type");
            let logged = logs(field).unwrap_or_else(|| panic!("{owner} does not log {field}"));
            told.push((logged, std::mem::take(&mut doc).trim().to_owned()));
        }
    }
    // What is logged beside the type's own fields.
    for (before, _) in call.match_indices(" = ").map(|(at, _)| call.split_at(at)) {
        let word = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        let word = word.expect("a split has a part").to_owned();
        if told.iter().all(|(field, _)| *field != word) {
            told.push((word, "Follows from the others.".to_owned()));
        }
    }
    let meaning = docs.lines().filter_map(|line| line.strip_prefix("///"));
    Described {
        name,
        level,
        message,
        fields: told,
        meaning: meaning.collect::<String>().trim().to_owned(),
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn page() -> String {
    let mut page = "# Events\n\n\
        What the program logs. With `--log-format json`, a line is an object with `timestamp` (UTC), `level`, `event`\n\
        (the stable name), `message`, and the fields below. No field holds a personal value. Durations are in\n\
        milliseconds where a name ends in `_ms`. Lines of libraries have a `target` in place of `event`.\n\n\
        Generated from the code and compared with it by a test; `ONEFOLD_RENEW=1 cargo test --lib is_current` writes it anew.\n"
        .to_owned();
    for event in described() {
        let Described { name, level, message, fields, meaning } = event;
        write!(
            page,
            "\n## `{name}`\n\n{level}, \"{message}\": {meaning}\n\n| Field | Meaning |\n|---|---|\n"
        )
        .expect("texts take all");
        for (field, meaning) in fields {
            writeln!(page, "| `{field}` | {meaning} |").expect("texts take all");
        }
    }
    page
}

#[test]
fn the_list_of_events_is_current() {
    assert!(described().len() > 20);
    assert_is_current("schemas/events.md", &page());
}
