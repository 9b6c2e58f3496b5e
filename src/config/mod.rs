//! A pipeline file in, a plan out: what shall run, and is it written so that it can?
//!
//! TOML → `${VAR}` filled in → [`Settings`], as written → [`Plan`], resolved and checked: every
//! pointer read, every unit converted, every default applied. What comes after sees only a valid
//! plan. All problems of a file are told at once, each with its line, key, value and remedy, but
//! never the value of an option or variable, which may be a secret.

#[cfg(test)]
mod contract_tests;
mod document;
mod interpolate;
#[cfg(test)]
mod mapping_tests;
mod plan;
mod problem;
#[cfg(test)]
mod problem_tests;
mod reference;
mod resolve;
mod schema;
mod secrets;
mod settings;
#[cfg(test)]
mod tests;
mod units;
mod value;

use std::path::Path;
use std::rc::Rc;

pub use plan::{
    DeadLettersMax, HttpPlan, LetterTopicPlan, MatchPlan, OnError, OperatingPoint, Plan,
    PublishPlan, RunPlan, SnapshotPlan, StatePlan, TlsPlan, Token, TopicsPlan,
};
pub use problem::Problem;
pub use reference::reference;
pub use schema::{schema, schema_text};
pub use secrets::Secrets;
pub use settings::{
    ConsentSettings, DeadLettersMaxSettings, DeadLettersSettings, DetailSettings, HttpSettings,
    KafkaSettings, LetterTopicSettings, LimitSettings, MatchSettings, MoneySettings,
    PublishSettings, RuleSettings, RunSettings, Settings, SnapshotSettings, SourceSettings,
    StateSettings, SuppressionSettings, SurvivorshipSettings, TimeSettings, TlsSettings,
};
pub use units::{duration, in_words};
pub use value::{OneOrMany, Reference, Scalar};

use self::document::Document;
use self::interpolate::Env;
use self::problem::Notes;
use crate::error::{Error, Result};

/// Reads a pipeline file; `env` looks up the variables that it names.
///
/// **Errors:** invalid: all that is wrong, a line each, with file, line, key, value and remedy.
pub fn load(path: &Path, env: Env<'_>) -> Result<Plan> {
    read(path, env, Use::Run)?.plan()
}

/// Reads a pipeline file for a command that reads no source: a variable or file that only sources,
/// or the topic of the dead letters, use need not be there.
///
/// **Errors:** as of [`load`].
pub fn load_without_sources(path: &Path, env: Env<'_>) -> Result<Plan> {
    read(path, env, Use::Ask)?.plan()
}

/// Reads a pipeline file as far as it can be read.
///
/// **Errors:** invalid, where it cannot be opened or is not TOML.
pub fn examine(path: &Path, env: Env<'_>) -> Result<Examined> {
    read(path, env, Use::Run)
}

/// Reads the text of a pipeline file; `file` is its name in errors.
///
/// **Errors:** as of [`load`].
pub fn parse(text: &str, file: &str, env: Env<'_>) -> Result<Plan> {
    parse_for(text, file, env, Use::Run)?.plan()
}

/// What a pipeline file is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// To work.
    Run,
    /// To ask what was done: no source is opened.
    Ask,
}

/// A pipeline file, read as far as it can be.
#[derive(Debug)]
pub struct Examined {
    draft: Option<Plan>,
    notes: Rc<Notes>,
}

impl Examined {
    /// The plan.
    ///
    /// **Errors:** invalid, where there is any problem; its text has a line for each.
    pub fn plan(self) -> Result<Plan> {
        match (self.notes.error(), self.draft) {
            (None, Some(plan)) => Ok(plan),
            (Some(error), _) => Err(error),
            (None, None) => Err(Error::internal("a pipeline file was refused without a reason")),
        }
    }

    /// All that is wrong, in the order of the lines.
    pub fn problems(&self) -> Vec<Problem> {
        self.notes.problems()
    }

    /// The plan, with defaults for what is wrong; `None` where not even that can be told. Of use
    /// only where [`is_sound`](Self::is_sound) says so.
    pub fn draft(&self) -> Option<&Plan> {
        self.draft.as_ref()
    }

    /// Whether nothing is wrong at a key, above it or below it.
    pub fn is_sound(&self, key: &str) -> bool {
        self.notes.is_sound(key)
    }

    /// What is to be said of a key, after `FILE:LINE: KEY = VALUE`, without secrets.
    pub fn about(&self, key: &str, text: &str) -> String {
        let value = self.notes.written(key).map(|value| format!(" = \"{value}\""));
        let text = self.notes.secrets().hidden_in(text);
        format!("{}: {key}{}: {text}", self.notes.line(key), value.unwrap_or_default())
    }
}

fn read(path: &Path, env: Env<'_>, purpose: Use) -> Result<Examined> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::invalid(format!("{file}: cannot be read; check the path of the pipeline file"))
            .caused_by(error)
    })?;
    parse_for(&text, &file, env, purpose)
}

fn parse_for(text: &str, file: &str, env: Env<'_>, purpose: Use) -> Result<Examined> {
    let (document, notes) = Document::read(text, file, env, purpose == Use::Ask)?;
    let settings = document.settings();
    let draft = settings.map(|(settings, at)| resolve::plan(&settings, &notes, &at));
    Ok(Examined { draft, notes })
}
