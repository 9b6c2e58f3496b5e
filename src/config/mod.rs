//! A pipeline file in, a plan out: what shall run, and is it written so that it can?
//!
//! TOML → `${VAR}` filled in → [`Settings`], as written → [`Plan`], resolved and checked: every
//! pointer read, every unit converted, every default applied. What comes after sees only a valid
//! plan. An error names file, key, value and remedy, but never the value of an option or variable,
//! which may be a secret.

mod interpolate;
#[cfg(test)]
mod mapping_tests;
mod plan;
mod problem;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod units;
mod value;

use std::path::Path;

pub use plan::{
    DeadLettersMax, MatchPlan, OnError, OperatingPoint, Plan, PublishPlan, RunPlan, StatePlan,
};
pub use settings::{
    ConsentSettings, DeadLettersMaxSettings, DetailSettings, KafkaSettings, LimitSettings,
    MatchSettings, MoneySettings, PublishSettings, RuleSettings, RunSettings, Settings,
    SourceSettings, StateSettings, TimeSettings,
};
pub use units::duration;
pub use value::{OneOrMany, Reference, Scalar};

use crate::error::{Error, Result};

/// Reads a pipeline file; `env` looks up the variables that it names.
///
/// **Errors:** invalid, with file, key, value and remedy.
pub fn load(path: &Path, env: Env<'_>) -> Result<Plan> {
    read(path, env, Use::Run)
}

/// Reads a pipeline file for a command that reads no source: a variable that only sources use need
/// not be set.
///
/// **Errors:** as of [`load`].
pub fn load_without_sources(path: &Path, env: Env<'_>) -> Result<Plan> {
    read(path, env, Use::Ask)
}

/// How a variable of the environment is looked up.
type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// What a pipeline file is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// To work.
    Run,
    /// To ask what was done: no source is opened.
    Ask,
}

fn read(path: &Path, env: Env<'_>, purpose: Use) -> Result<Plan> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::invalid(format!("{file}: cannot be read; check the path of the pipeline file"))
            .caused_by(error)
    })?;
    parse_for(&text, &file, env, purpose)
}

/// Reads the text of a pipeline file; `file` is its name in errors.
pub fn parse(text: &str, file: &str, env: Env<'_>) -> Result<Plan> {
    parse_for(text, file, env, Use::Run)
}

fn parse_for(text: &str, file: &str, env: Env<'_>, purpose: Use) -> Result<Plan> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|error| problem::syntax(file, text, &error))?;
    let at = problem::At::new(file);
    for (name, value) in &mut table {
        // A name that stands for itself keeps the sources' places apart, as they would be.
        let or_itself = |name: &str| Some(env(name).unwrap_or_else(|| name.to_owned()));
        let is_unread = purpose == Use::Ask && name == "source";
        let env: Env<'_> = if is_unread { &or_itself } else { env };
        interpolate::value(value, &at.under(name), env)?;
    }
    let settings: Settings = table.try_into().map_err(|error| problem::shape(file, &error))?;
    resolve::plan(&settings, file)
}
