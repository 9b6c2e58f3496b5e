//! `${VAR}` and `${VAR:-default}` in text values: which value does the environment give?
//!
//! Values are filled in after parsing, so what a variable holds is never read as TOML. `$${` is a
//! plain `${`. As in a shell, the default also stands in for an empty variable.

use toml::Value;

use super::problem::At;
use crate::error::Result;

type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Fills in the texts of a value, of whatever kind.
pub(super) fn value(value: &mut Value, at: &At, env: Env<'_>) -> Result<()> {
    match value {
        Value::String(string) => *string = text(string, at, env)?,
        Value::Array(elements) => {
            for (i, element) in elements.iter_mut().enumerate() {
                self::value(element, &at.element(i), env)?;
            }
        }
        Value::Table(inner) => {
            for (name, entry) in inner.iter_mut() {
                self::value(entry, &at.under(name), env)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn text(text: &str, at: &At, env: Env<'_>) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        filled.push_str(&rest[..start]);
        if filled.ends_with('$') {
            filled.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        let inner = &rest[start + 2..];
        let end = inner
            .find('}')
            .ok_or_else(|| at.problem("`${` without `}`; write `$${` for a plain `${`"))?;
        filled.push_str(&variable(&inner[..end], at, env)?);
        rest = &inner[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn variable(expression: &str, at: &At, env: Env<'_>) -> Result<String> {
    let (name, default) = match expression.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (expression, None),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) {
        return Err(at.problem("`${...}` must name a variable: letters, digits and `_`"));
    }
    match (env(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(at.problem(format!(
            "the environment variable {name} is not set; set it, or give a default with \
             `${{{name}:-...}}`"
        ))),
    }
}
