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

pub use plan::{MatchPlan, OperatingPoint, Plan, PublishPlan, RunPlan, StatePlan};
pub use settings::{
    ConsentSettings, DetailSettings, KafkaSettings, LimitSettings, MatchSettings, MoneySettings,
    PublishSettings, RuleSettings, RunSettings, Settings, SourceSettings, StateSettings,
    TimeSettings,
};
pub use units::duration;
pub use value::{OneOrMany, Reference, Scalar};

use crate::error::{Error, Result};

/// Reads a pipeline file; `env` looks up the variables that it names.
///
/// **Errors:** invalid, with file, key, value and remedy.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Plan> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::invalid(format!("{file}: cannot be read; check the path of the pipeline file"))
            .caused_by(error)
    })?;
    parse(&text, &file, env)
}

/// Reads the text of a pipeline file; `file` is its name in errors.
pub fn parse(text: &str, file: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Plan> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|error| problem::syntax(file, text, &error))?;
    interpolate::table(&mut table, &problem::At::new(file), env)?;
    let settings: Settings = table.try_into().map_err(|error| problem::shape(file, &error))?;
    resolve::plan(&settings, file)
}
