//! `${VAR}`, `${VAR:-default}` and `${file:/path}` in text values: what do environment and files
//! give?
//!
//! Values are filled in after parsing, so what a variable holds is never read as TOML. `$${` is a
//! plain `${`. As in a shell, the default also stands in for an empty variable. A file's content is
//! taken without the line break at its end, as `docker`, `kubernetes` and `systemd` put secrets.

use std::fs::File;
use std::io::Read;

/// How a variable of the environment is looked up.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// More than a password, key or certificate chain has.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A text with its places filled in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// The text; a place that could not be filled is filled with its name.
    pub(super) text: String,
    /// The text as it may be shown: names stand for values. `None` where nothing was filled in.
    pub(super) shown: Option<String>,
    /// What was filled in from outside of the file, each with its name.
    pub(super) secrets: Vec<(String, String)>,
    /// Whether a name stands where its value is not known.
    pub(super) is_open: bool,
    /// What could not be filled, and the remedy.
    pub(super) problems: Vec<String>,
}

/// Fills in a text; where it `is_unread`, no variable need be set and no file is read.
pub(super) fn text(text: &str, env: Env<'_>, is_unread: bool) -> Filled {
    let mut filled = Filled { text: String::with_capacity(text.len()), ..Filled::default() };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        filled.text.push_str(&rest[..start]);
        shown.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        if rest[..start].ends_with('$') {
            filled.text.push('{');
            shown.push('{');
            rest = inner;
            continue;
        }
        let Some(end) = inner.find('}') else {
            filled.is_open = true;
            filled.problems.push("`${` without `}`; write `$${` for a plain `${`".to_owned());
            rest = inner;
            continue;
        };
        filled.place(&inner[..end], &mut shown, env, is_unread);
        rest = &inner[end + 1..];
    }
    filled.text.push_str(rest);
    shown.push_str(rest);
    let is_filled = filled.is_open || !filled.secrets.is_empty();
    filled.shown = is_filled.then_some(shown);
    filled
}

impl Filled {
    fn place(&mut self, expression: &str, shown: &mut String, env: Env<'_>, is_unread: bool) {
        let (name, default) = match expression.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (expression, None),
        };
        let shown_name = format!("${{{name}}}");
        let found = match name.strip_prefix("file:") {
            Some(_) if is_unread => Err(String::new()),
            Some(path) => file(path),
            None => variable(name, env),
        };
        match (found, default) {
            (Ok(value), None) => self.put_secret(value, shown_name, shown),
            (Ok(value), Some(_)) if !value.is_empty() => {
                self.put_secret(value, shown_name, shown);
            }
            (_, Some(default)) => {
                self.text.push_str(default);
                shown.push_str(default);
            }
            (Err(problem), None) => {
                // A name that stands for itself keeps places apart, as what it names would be.
                self.text.push_str(name);
                shown.push_str(&shown_name);
                self.is_open = true;
                if !is_unread {
                    self.problems.push(problem);
                }
            }
        }
    }

    fn put_secret(&mut self, value: String, name: String, shown: &mut String) {
        self.text.push_str(&value);
        shown.push_str(&name);
        self.secrets.push((value, name));
    }
}

fn variable(name: &str, env: Env<'_>) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) {
        let remedy = "`${...}` must name a variable: letters, digits and `_`, or a file: \
                      ${file:/run/secrets/name}";
        return Err(remedy.to_owned());
    }
    env(name).ok_or_else(|| {
        format!(
            "the environment variable {name} is not set; set it, or give a default with \
             `${{{name}:-...}}`"
        )
    })
}

fn file(path: &str) -> Result<String, String> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    // The error's kind says enough, and nothing of the content.
    let text = read().map_err(|error| {
        format!(
            "the file {path} cannot be read: {}; create it, or check its path and rights",
            error.kind()
        )
    })?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("the file {path} is larger than 64KiB; name a file with one secret"));
    }
    let text = text.strip_suffix('\n').map_or(&*text, |text| text.trim_end_matches('\r'));
    Ok(text.to_owned())
}
