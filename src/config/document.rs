//! A pipeline file as it is written: which value stands where, and does it have the shape of the
//! settings?
//!
//! TOML → a tree that knows its lines → variables filled in → [`Settings`]. serde stops at the
//! first thing that has another shape. That is taken note of, and taken out (or put in, where it is
//! missing), and the rest is read again, until all fits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::interpolate::{self, Env};
use super::problem::{At, Notes, Place, element, nearest, under, unknown, unknown_key};
use super::secrets::Secrets;
use super::settings::Settings;
use crate::error::{Error, Result};

/// More problems than this are not looked for.
const PROBLEMS_MAX: usize = 200;

/// Where a job's own things lie.
const PLACES: [&str; 3] = ["state.path", "state.snapshot.url", "publish.url"];

/// What may be secret however it is written: tables that are passed on to libraries, and a token.
const HIDDEN: [&str; 2] = ["options", "token"];

/// What is of use only to a job that reads its sources.
const OF_JOBS: [&str; 3] = ["source.", "dead_letters.", "publish.topics."];

/// A pipeline file with its variables filled in.
#[derive(Debug)]
pub(super) struct Document<'t> {
    root: Spanned<DeValue<'t>>,
    at: At,
}

impl<'t> Document<'t> {
    /// Reads a text and fills in its variables; where sources are `unread`, theirs need not be set,
    /// nor those of other tables that only a job uses.
    ///
    /// **Errors:** invalid, where the text is not TOML.
    pub(super) fn read(
        text: &'t str,
        file: &str,
        env: Env<'_>,
        unread: bool,
    ) -> Result<(Self, Rc<Notes>)> {
        let root = DeTable::parse(text).map_err(|error| syntax(file, text, &error))?;
        let span = root.span();
        let mut root = Spanned::new(span, DeValue::Table(root.into_inner()));
        let mut fill = Fill {
            lines: Lines::of(text),
            env,
            unread,
            places: BTreeMap::new(),
            secrets: Secrets::default(),
            open: Vec::new(),
            problems: Vec::new(),
        };
        fill.value(&mut root, "", false);
        let Fill { places, secrets, open, problems, .. } = fill;
        let notes = Rc::new(Notes::new(file, places, secrets));
        let at = At::new(Rc::clone(&notes));
        for (key, problem) in problems {
            let at = at.named(key);
            at.note(at.problem(problem));
        }
        for key in open {
            at.named(key).replace();
        }
        Ok((Self { root, at }, notes))
    }

    /// The settings, as far as they have the shape; `None` where the rest cannot be told.
    pub(super) fn settings(mut self) -> Option<(Settings, At)> {
        for _ in 0..PROBLEMS_MAX {
            match Settings::deserialize(ValueDeserializer::from(self.root.clone())) {
                Ok(settings) => return Some((settings, self.at)),
                Err(error) if self.mend(&error) => {}
                Err(_) => break,
            }
        }
        None
    }

    /// Takes note of what has another shape, and makes it fit; whether that is possible.
    fn mend(&mut self, error: &toml::de::Error) -> bool {
        let message = error.message();
        let Some(path) = self.find(error) else {
            self.at.note(self.at.problem(message));
            return false;
        };
        let at = self.at.along(&path);
        if let Some(name) =
            message.strip_prefix("missing field `").and_then(|m| m.split('`').next())
        {
            let at = at.under(name);
            at.note(at.problem("is missing; this key must be there"));
            at.replace();
            return self.put(&path, name);
        }
        match unknown(message) {
            Some((name, known)) if self.is_text(&path, name) => {
                let near = nearest(name, &known).map(|near| format!("; did you mean `{near}`?"));
                let remedy = format!("use one of {}{}", known.join(", "), near.unwrap_or_default());
                at.note(at.wrong(name, remedy));
            }
            Some((name, known)) => {
                let table = self.at.along(path.split_last().map_or(&[], |(_, above)| above));
                table.note(unknown_key(&table, message, &[]));
                // What is missing for its misspelling is not missed once more.
                let near = nearest(name, &known).map(|near| table.under(near));
                if let Some(near) = near.filter(|near| !near.is_written()) {
                    near.replace();
                }
                return self.remove(&path);
            }
            None if at.is_hidden() => at.note(at.problem(without_value(message))),
            None => at.note(at.problem(message)),
        }
        at.replace();
        self.remove(&path)
    }

    /// The innermost key or element that an error is about.
    fn find(&self, error: &toml::de::Error) -> Option<Vec<Step>> {
        let shown = error.to_string();
        let keys = shown.rsplit_once("in `").and_then(|(_, key)| key.trim_end().strip_suffix('`'));
        let mut search = Search { span: error.span()?, keys: keys.unwrap_or(""), found: None };
        search.value(&self.root, &mut Vec::new());
        search.found
    }

    /// Whether a text stands there, and it is this one.
    fn is_text(&mut self, path: &[Step], text: &str) -> bool {
        self.value_mut(path).and_then(|value| value.as_str()) == Some(text)
    }

    fn value_mut(&mut self, path: &[Step]) -> Option<&mut DeValue<'t>> {
        let mut value = self.root.get_mut();
        for step in path {
            let next = match (step, value) {
                (Step::Key(name), DeValue::Table(table)) => table.get_mut(name.as_str())?,
                (Step::Index(index), DeValue::Array(array)) => array.get_mut(*index)?,
                _ => return None,
            };
            value = next.get_mut();
        }
        Some(value)
    }

    fn remove(&mut self, path: &[Step]) -> bool {
        let Some((last, above)) = path.split_last() else { return false };
        match (last, self.value_mut(above)) {
            (Step::Key(name), Some(DeValue::Table(table))) => table.remove(name.as_str()).is_some(),
            (Step::Index(index), Some(DeValue::Array(array))) => {
                // The others stay where they are. What does not take a text goes as a whole.
                let Some(element) = array.get_mut(*index) else { return false };
                if !element.get_ref().is_str() {
                    *element.get_mut() = DeValue::String("".into());
                    return true;
                }
                self.at.along(above).replace();
                self.remove(above)
            }
            _ => false,
        }
    }

    /// Puts a text where a key is missing; every key that must be there is one.
    fn put(&mut self, path: &[Step], name: &str) -> bool {
        let Some(DeValue::Table(table)) = self.value_mut(path) else { return false };
        let (key, value) = (name.to_owned().into(), DeValue::String("".into()));
        table.insert(Spanned::new(0..0, key), Spanned::new(0..0, value)).is_none()
    }
}

/// A step from a value to one within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Looks for what serde found wrong: the innermost of that span, under the keys that it names.
struct Search<'e> {
    span: Range<usize>,
    keys: &'e str,
    found: Option<Vec<Step>>,
}

impl Search<'_> {
    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &mut Vec<Step>) {
        if value.span() == self.span && self.is_named(path) {
            self.found = Some(path.clone());
        }
        match value.get_ref() {
            DeValue::Table(table) => {
                for (name, value) in table {
                    let is_here = name.span() == self.span && self.is_named(path);
                    path.push(Step::Key(name.get_ref().to_string()));
                    if is_here {
                        self.found = Some(path.clone());
                    }
                    self.value(value, path);
                    path.pop();
                }
            }
            DeValue::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    path.push(Step::Index(index));
                    self.value(value, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn is_named(&self, path: &[Step]) -> bool {
        let keys = path.iter().filter_map(|step| match step {
            Step::Key(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        keys.collect::<Vec<_>>().join(".") == self.keys
    }
}

/// Fills in the texts of a file, and takes note where everything stands.
struct Fill<'e> {
    lines: Lines,
    env: Env<'e>,
    unread: bool,
    places: BTreeMap<String, Place>,
    secrets: Secrets,
    /// The keys whose values are not known.
    open: Vec<String>,
    problems: Vec<(String, String)>,
}

impl Fill<'_> {
    /// Fills in a value; `is_option` where it may be secret however it is written.
    fn value(&mut self, value: &mut Spanned<DeValue<'_>>, key: &str, is_option: bool) {
        let line = self.lines.at(value.span().start);
        let place = Place { line, written: None, is_hidden: is_option };
        // A key has the line of its name.
        self.places.entry(key.to_owned()).or_insert(place);
        let mut written = None;
        match value.get_mut() {
            DeValue::Table(table) => {
                for (name, value) in table.iter_mut() {
                    let is_option = is_option || HIDDEN.contains(&&**name.get_ref());
                    let key = under(key, name.get_ref());
                    let line = self.lines.at(name.span().start);
                    let place = Place { line, written: None, is_hidden: is_option };
                    self.places.insert(key.clone(), place);
                    self.value(value, &key, is_option);
                }
            }
            DeValue::Array(array) => {
                for (index, value) in array.iter_mut().enumerate() {
                    self.value(value, &element(key, index), is_option);
                }
            }
            DeValue::String(text) => {
                let is_of_job = OF_JOBS.iter().any(|table| key.starts_with(table));
                let is_unread = self.unread && is_of_job;
                let filled = interpolate::text(text, self.env, is_unread);
                let is_place = is_shown_place(key, &filled);
                for (secret, name) in filled.secrets.iter().filter(|_| !is_place) {
                    self.secrets.add(secret, name);
                }
                if is_option && is_named_secret(key) {
                    self.secrets.add(&filled.text, &format!("<{key}>"));
                } else if is_option {
                    self.secrets.add_word(&filled.text, &format!("<{key}>"));
                }
                self.open.extend(filled.is_open.then(|| key.to_owned()));
                let problems = filled.problems.into_iter();
                self.problems.extend(problems.map(|problem| (key.to_owned(), problem)));
                let shown = filled.shown.filter(|_| !is_place);
                written = Some((shown.is_some(), shown.unwrap_or_else(|| filled.text.clone())));
                *text = filled.text.into();
            }
            DeValue::Integer(number) => written = Some((false, number.to_string())),
            DeValue::Float(number) => written = Some((false, number.to_string())),
            DeValue::Boolean(is_true) => written = Some((false, is_true.to_string())),
            DeValue::Datetime(_) => {
                let remedy = "no setting is a date or a time; put it in quotes, or leave it out";
                self.problems.push((key.to_owned(), remedy.to_owned()));
                self.open.push(key.to_owned());
                *value.get_mut() = DeValue::String("".into());
            }
        }
        let place = self.places.get_mut(key).expect("it was put there above");
        if let Some((is_filled, text)) = written {
            place.is_hidden |= is_filled;
            let is_known = is_filled || !is_option;
            place.written = Some(if is_known { text } else { "<hidden>".to_owned() });
        }
    }
}

/// Whether the name of an option says that its value is a secret. The others may be words that mean
/// something elsewhere.
fn is_named_secret(key: &str) -> bool {
    let name = key.rsplit(HIDDEN[0]).next().unwrap_or(key).to_ascii_lowercase();
    let words =
        ["pass", "secret", "token", "key", "credential", "account", "jaas", "sas", "pem", "cert"];
    words.iter().any(|word| name.replace("sasl", "").contains(word))
}

/// Whether a value says where something of ours lies, which people must be told, and can hold no secret: all of it is
/// one variable's, and it is no URL with a user or parameters.
fn is_shown_place(key: &str, filled: &interpolate::Filled) -> bool {
    let [(text, name)] = filled.secrets.as_slice() else { return false };
    let is_variable = *text == filled.text && !name.starts_with("${file:");
    PLACES.contains(&key) && is_variable && !text.contains(['@', '?'])
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// The line, from 1 on, of a byte.
    fn at(&self, byte: usize) -> usize {
        1 + self.0.partition_point(|start| *start <= byte)
    }
}

/// The file is not TOML. The line itself is not shown: it may hold a password.
fn syntax(file: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| Lines::of(text).at(span.start));
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    Error::invalid(format!("{file}:{line}: not TOML: {message}"))
}

/// What serde says of a wrong type, without the value that has it.
fn without_value(message: &str) -> String {
    let kinds = ["string", "integer", "floating point", "boolean", "map", "sequence"];
    let given = message.split_once(": ").map_or("", |(_, given)| given);
    let kind = kinds.iter().find(|kind| given.starts_with(**kind)).unwrap_or(&"value");
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("invalid type: {kind}, expected {expected}"),
        None => "the value cannot be used".to_owned(),
    }
}
