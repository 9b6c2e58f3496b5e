//! What is wrong with a pipeline file, where, and what should be done about it?
//!
//! Problems are collected, so that one look at a file tells all of them: an [`At`] is a key of the
//! file, makes a [`Problem`] of what stands there, and takes note of it. What cannot be used is
//! replaced by something that can, so that the rest is looked at, too; a problem of a key that was
//! replaced is an echo of the first one, and is not told. A value that came from a variable or a
//! file, or that stands in `options`, is never shown: it may be a secret.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::rc::Rc;

use super::document::Step;
use super::secrets::Secrets;
use crate::error::Error;

/// The result of reading a key.
pub(super) type Result<T> = std::result::Result<T, Problem>;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    line: usize,
    key: String,
    text: String,
    is_echo: bool,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a key stands, and how its value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The line, from 1 on.
    pub(super) line: usize,
    /// The value as written; none of tables and lists.
    pub(super) written: Option<String>,
    /// Whether the value is not shown.
    pub(super) is_hidden: bool,
}

/// What is known and was found out about a file.
#[derive(Debug)]
pub(super) struct Notes {
    file: String,
    places: BTreeMap<String, Place>,
    secrets: Secrets,
    replaced: RefCell<BTreeSet<String>>,
    problems: RefCell<Vec<Problem>>,
}

impl Notes {
    pub(super) fn new(file: &str, places: BTreeMap<String, Place>, secrets: Secrets) -> Self {
        let (replaced, problems) = (RefCell::default(), RefCell::default());
        Self { file: file.to_owned(), places, secrets, replaced, problems }
    }

    /// The problems by their lines, each once.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.problems.borrow().clone();
        problems.sort();
        problems.dedup();
        problems
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// All problems as one error, a line each; `None` where there is none.
    pub(super) fn error(&self) -> Option<Error> {
        let lines: Vec<String> = self.problems().iter().map(ToString::to_string).collect();
        (!lines.is_empty()).then(|| Error::invalid(lines.join("\n")))
    }

    /// Whether nothing is wrong at a key, above it or below it.
    pub(super) fn is_sound(&self, key: &str) -> bool {
        let problems = self.problems.borrow();
        let replaced = self.replaced.borrow();
        let mut wrong = problems.iter().map(|problem| &problem.key).chain(replaced.iter());
        wrong.all(|wrong| !is_within(wrong, key) && !is_within(key, wrong))
    }

    /// The place of a key, else of what it stands in, else the beginning.
    fn place(&self, key: &str) -> Option<&Place> {
        let above = std::iter::successors(Some(key), |key| above(key));
        above.filter_map(|key| self.places.get(key)).next()
    }

    /// `FILE:LINE`.
    pub(super) fn line(&self, key: &str) -> String {
        format!("{}:{}", self.file, self.place(key).map_or(1, |place| place.line))
    }

    /// The value at a key as it may be shown; `None` where the file does not say it.
    pub(super) fn written(&self, key: &str) -> Option<&str> {
        self.places.get(key)?.written.as_deref()
    }

    /// Whether what stands at a key or below may be a secret.
    fn is_hidden(&self, key: &str) -> bool {
        let below = self.places.range(key.to_owned()..).take_while(|(at, _)| at.starts_with(key));
        below.into_iter().any(|(at, place)| place.is_hidden && is_within(at, key))
    }
}

/// Whether `key` is `of` or stands within it.
fn is_within(key: &str, of: &str) -> bool {
    let rest = key.strip_prefix(of);
    of.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The key that a key stands in; dots within quotes do not part keys.
fn above(key: &str) -> Option<&str> {
    let mut is_quoted = false;
    let mut end = None;
    for (at, c) in key.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' | '[' if !is_quoted && at > 0 => end = Some(at),
            _ => {}
        }
    }
    end.map(|end| &key[..end])
}

/// A key of a pipeline file.
#[derive(Clone, Debug)]
pub(super) struct At {
    notes: Rc<Notes>,
    key: String,
}

impl At {
    /// The file itself.
    pub(super) fn new(notes: Rc<Notes>) -> Self {
        Self { notes, key: String::new() }
    }

    /// The key of that whole name.
    pub(super) fn named(&self, key: String) -> Self {
        Self { notes: Rc::clone(&self.notes), key }
    }

    /// A key under this one.
    pub(super) fn under(&self, name: &str) -> Self {
        self.named(under(&self.key, name))
    }

    /// The value that these steps lead to.
    pub(super) fn along(&self, path: &[Step]) -> Self {
        path.iter().fold(self.clone(), |at, step| match step {
            Step::Key(name) => at.under(name),
            Step::Index(index) => at.element(*index),
        })
    }

    /// An element of the list at this key.
    pub(super) fn element(&self, index: usize) -> Self {
        self.named(element(&self.key, index))
    }

    /// The same, where one value may stand for a list of one.
    pub(super) fn item(&self, index: usize) -> Self {
        let element = self.element(index);
        if element.is_written() { element } else { self.clone() }
    }

    /// The value here is wrong.
    pub(super) fn wrong(&self, value: impl Display, remedy: impl Display) -> Problem {
        let value = match self.notes.written(&self.key) {
            _ if !self.notes.is_hidden(&self.key) => value.to_string(),
            Some(written) => written.to_owned(),
            None => "<hidden>".to_owned(),
        };
        self.told(format!("{} = \"{value}\"", self.key), remedy)
    }

    /// Something is wrong here that is not one value, or a value that must not be shown.
    pub(super) fn problem(&self, remedy: impl Display) -> Problem {
        self.told(self.key.clone(), remedy)
    }

    /// The same in words that are not ours, and may hold a value.
    pub(super) fn problem_in_words(&self, words: &str) -> Problem {
        self.problem(self.notes.secrets.hidden_in(words))
    }

    /// What is wrong here is told elsewhere.
    pub(super) fn echo(&self) -> Problem {
        Problem { is_echo: true, ..self.problem("") }
    }

    fn told(&self, what: String, remedy: impl Display) -> Problem {
        let what = if what.is_empty() { what } else { format!("{what}: ") };
        let replaced = self.notes.replaced.borrow();
        // A table of which something was taken may lack just that.
        let is_echo = replaced.iter().any(|replaced| {
            is_within(&self.key, replaced) || above(replaced).unwrap_or("") == self.key
        });
        Problem {
            line: self.notes.place(&self.key).map_or(1, |place| place.line),
            key: self.key.clone(),
            text: format!("{}: {what}{remedy}", self.notes.line(&self.key)),
            is_echo,
        }
    }

    /// Takes note of a problem.
    pub(super) fn note(&self, problem: Problem) {
        if problem.is_echo {
            // It is as unusable as what it is an echo of.
            self.notes.replaced.borrow_mut().insert(problem.key);
        } else {
            self.notes.problems.borrow_mut().push(problem);
        }
    }

    /// The value, where there is one; else takes note of the problem.
    pub(super) fn take<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|problem| self.note(problem)).ok()
    }

    /// The values that there are; takes note of the problems.
    pub(super) fn take_all<T>(&self, results: impl IntoIterator<Item = Result<T>>) -> Vec<T> {
        results.into_iter().filter_map(|result| self.take(result)).collect()
    }

    /// From now on, what is wrong here is an echo.
    pub(super) fn replace(&self) {
        self.notes.replaced.borrow_mut().insert(self.key.clone());
    }

    /// Whether what is wrong here has been told.
    pub(super) fn is_replaced(&self) -> bool {
        self.notes.replaced.borrow().contains(&self.key)
    }

    /// Whether the file says anything here.
    pub(super) fn is_written(&self) -> bool {
        self.notes.places.contains_key(&self.key)
    }

    /// Whether what stands here may be a secret.
    pub(super) fn is_hidden(&self) -> bool {
        self.notes.is_hidden(&self.key)
    }
}

/// The name of a key under another.
pub(super) fn under(key: &str, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = if name.chars().all(plain) { name.to_owned() } else { format!("\"{name}\"") };
    if key.is_empty() { name } else { format!("{key}.{name}") }
}

/// The name of an element of a list.
pub(super) fn element(key: &str, index: usize) -> String {
    format!("{key}[{index}]")
}

/// A key is unknown, in serde's words for it; those of the file's own are known, too.
pub(super) fn unknown_key(at: &At, message: &str, own: &[&str]) -> Problem {
    let Some((name, mut known)) = unknown(message) else { return at.problem(message) };
    known.extend(own);
    let near = nearest(name, &known);
    let at = at.under(name);
    at.problem(match near {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None if known.is_empty() => "unknown key; there are none here".to_owned(),
        None => format!("unknown key; known here: {}", known.join(", ")),
    })
}

/// The unknown name and the known ones, out of serde's words for it.
pub(super) fn unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest =
        message.strip_prefix("unknown field ").or(message.strip_prefix("unknown variant "))?;
    let mut names = rest.split('`').skip(1).step_by(2);
    Some((names.next()?, names.collect()))
}

/// The known name that is most like `name`, if one is.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |k: &&str| strsim::osa_distance(name, k);
    let near = known.iter().min_by_key(|k| distance(k))?;
    // A name without its unit, `threshold` for `threshold_bits`.
    let longer = |k: &&&str| k.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
    let is_near = distance(near) <= 1 + name.len() / 4;
    if is_near { Some(near) } else { known.iter().find(longer).copied() }
}
