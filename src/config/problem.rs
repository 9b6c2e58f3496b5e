//! What is wrong with a pipeline file, and what should be done about it?

use std::fmt::Display;

use crate::error::Error;

/// A place in a pipeline file.
#[derive(Clone, Debug)]
pub(super) struct At {
    file: String,
    key: String,
}

impl At {
    /// The file itself.
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), key: String::new() }
    }

    /// A key under this one.
    pub(super) fn under(&self, name: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = if name.chars().all(plain) { name.to_owned() } else { format!("\"{name}\"") };
        let key = if self.key.is_empty() { name } else { format!("{}.{name}", self.key) };
        Self { file: self.file.clone(), key }
    }

    /// An element of the list at this key.
    pub(super) fn element(&self, index: usize) -> Self {
        Self { file: self.file.clone(), key: format!("{}[{index}]", self.key) }
    }

    /// The value here is wrong.
    pub(super) fn wrong(&self, value: impl Display, remedy: impl Display) -> Error {
        Error::invalid(format!("{}: {} = \"{value}\": {remedy}", self.file, self.key))
    }

    /// Something is wrong here that is not one value, or a value that must not be shown.
    pub(super) fn problem(&self, remedy: impl Display) -> Error {
        Error::invalid(format!("{}: {}: {remedy}", self.file, self.key))
    }
}

/// The file is not TOML. The line itself is not shown: it may hold a password.
pub(super) fn syntax(file: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| {
        1 + text.as_bytes()[..span.start.min(text.len())].iter().filter(|b| **b == b'\n').count()
    });
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    Error::invalid(format!("{file}: line {line}: not TOML: {message}"))
}

/// The file has another shape than the settings.
pub(super) fn shape(file: &str, error: &toml::de::Error) -> Error {
    let shown = error.to_string();
    let key = shown.rsplit_once("in `").and_then(|(_, key)| key.trim_end().strip_suffix('`'));
    let at = At { file: file.to_owned(), key: key.unwrap_or_default().to_owned() };
    let message = error.message();
    match unknown(message) {
        Some(_) => unknown_key(&at, message, &[]),
        None if at.key.is_empty() => Error::invalid(format!("{file}: {message}")),
        None => at.problem(message),
    }
}

/// A key is unknown, in serde's words for it; those of the file's own are known, too.
pub(super) fn unknown_key(at: &At, message: &str, own: &[&str]) -> Error {
    let Some((name, mut known)) = unknown(message) else { return at.problem(message) };
    known.extend(own);
    let remedy = match nearest(name, &known) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => format!("unknown key; known here: {}", known.join(", ")),
    };
    at.under(name).problem(remedy)
}

/// The unknown name and the known ones, out of serde's words for it.
fn unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest =
        message.strip_prefix("unknown field ").or(message.strip_prefix("unknown variant "))?;
    let mut names = rest.split('`').skip(1).step_by(2);
    Some((names.next()?, names.collect()))
}

/// The known name that is most like `name`, if one is.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |k: &&str| strsim::osa_distance(name, k);
    let near = known.iter().min_by_key(|k| distance(k))?;
    (distance(near) <= 1 + name.len() / 4).then_some(near)
}
