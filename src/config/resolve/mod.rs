//! Settings in, plan out: is every value one that can be meant?

mod mapping;
mod matching;
mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{DeadLettersMax, OnError, Plan, PublishPlan, RunPlan, StatePlan};
use super::problem::{At, nearest};
use super::settings::{
    DeadLettersMaxSettings, PublishSettings, RunSettings, Settings, StateSettings,
};
use super::units;
use super::value::Scalar;
use crate::error::Result;
use crate::source::Options;

/// Memory below which a state cannot work.
const MEMORY_MIN: u64 = 16 << 20;

/// Larger batches win nothing and cost memory.
const BATCH_MAX: usize = 1_000_000;

/// Resolves the settings of a file.
pub(super) fn plan(settings: &Settings, file: &str) -> Result<Plan> {
    let at = At::new(file);
    named(&settings.name, &at.under("name"))?;
    if settings.source.is_empty() {
        return Err(at.under("source").problem("there is none; add a `[source.NAME]`"));
    }
    let one_per_customer = settings.source.values().any(|source| source.one_per_customer);
    let (own, matching) = matching::plan(&settings.r#match, one_per_customer, &at.under("match"))?;
    let mut sources = Vec::new();
    for (name, source) in &settings.source {
        let at = at.under("source").under(name);
        named(name, &at)?;
        sources.push(source::plan(name, source, &settings.name, &own, &at)?);
    }
    source::check_overlap(&sources, &at.under("source"))?;
    Ok(Plan {
        name: settings.name.clone(),
        sources,
        matching,
        state: state(&settings.state, &at.under("state"))?,
        publish: publish(&settings.publish, &at.under("publish"))?,
        run: run(&settings.run, &at.under("run"))?,
    })
}

/// Names end up in file names, metric labels and consumer groups.
fn named(name: &str, at: &At) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(legal) {
        return Err(at.wrong(name, "a name is made of letters, digits, `_`, `-` and `.`"));
    }
    Ok(())
}

fn state(settings: &StateSettings, at: &At) -> Result<StatePlan> {
    let path = settings.path.as_deref().unwrap_or("./state");
    if path.trim().is_empty() {
        return Err(at.under("path").wrong(path, "give a local folder"));
    }
    if path.contains("://") {
        return Err(at.under("path").wrong(path, "the state lies in a local folder, not at a URL"));
    }
    let memory = size(settings.memory.as_deref(), "2GiB", &at.under("memory"))?;
    if memory < MEMORY_MIN {
        return Err(at.under("memory").wrong(memory, "give at least 16MiB"));
    }
    Ok(StatePlan { path: path.into(), memory })
}

fn publish(settings: &PublishSettings, at: &At) -> Result<PublishPlan> {
    let url = settings.url.as_deref().unwrap_or("./out");
    if url.trim().is_empty() {
        return Err(at.under("url").wrong(url, "give a local folder, or an object store URL"));
    }
    let carried = settings.carry_ids_from.as_deref().map(str::trim).filter(|url| !url.is_empty());
    let plain = |url: &str| url.trim().trim_end_matches('/').to_owned();
    if let Some(same) = carried.filter(|from| plain(from) == plain(url)) {
        let remedy = "ids are carried over to another place: set publish.url to a new one";
        return Err(at.under("carry_ids_from").wrong(same, remedy));
    }
    Ok(PublishPlan {
        url: url.to_owned(),
        carry_ids_from: carried.map(ToOwned::to_owned),
        interval: pace(settings.interval.as_deref(), "30s", &at.under("interval"))?,
        options: options(&settings.options),
    })
}

fn run(settings: &RunSettings, at: &At) -> Result<RunPlan> {
    let batch = settings.batch.unwrap_or(5000);
    if !(1..=BATCH_MAX).contains(&batch) {
        return Err(at.under("batch").wrong(batch, format!("give 1 to {BATCH_MAX} messages")));
    }
    Ok(RunPlan {
        batch,
        commit_interval: pace(
            settings.commit_interval.as_deref(),
            "1s",
            &at.under("commit_interval"),
        )?,
        shutdown_timeout: pace(
            settings.shutdown_timeout.as_deref(),
            "30s",
            &at.under("shutdown_timeout"),
        )?,
        on_error: match settings.on_error.as_deref() {
            None => OnError::default(),
            Some(word) => {
                let ways = [("dead-letter", OnError::DeadLetter), ("stop", OnError::Stop)];
                one_of(word, &ways, &at.under("on_error"))?
            }
        },
        dead_letters_max: dead_letters_max(
            &settings.dead_letters_max,
            &at.under("dead_letters_max"),
        )?,
    })
}

fn dead_letters_max(settings: &DeadLettersMaxSettings, at: &At) -> Result<DeadLettersMax> {
    let share = settings.share.unwrap_or(0.9);
    if !(0.0..=1.0).contains(&share) {
        return Err(at.under("share").wrong(share, "give a share of 0 to 1"));
    }
    let per = pace(settings.per.as_deref(), "1m", &at.under("per"))?;
    Ok(DeadLettersMax { share, per, at_least: settings.at_least.unwrap_or(1000) })
}

/// A duration above zero.
fn pace(given: Option<&str>, default: &str, at: &At) -> Result<Duration> {
    let text = given.unwrap_or(default);
    units::duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| at.wrong(text, "give a duration above zero, such as 500ms, 30s or 5m"))
}

/// A number of bytes above zero.
fn size(given: Option<&str>, default: &str, at: &At) -> Result<u64> {
    let text = given.unwrap_or(default);
    units::bytes(text)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| at.wrong(text, "give a size with its unit, such as 64KiB, 128MiB or 2GiB"))
}

/// One of several words.
fn one_of<T: Clone>(word: &str, words: &[(&str, T)], at: &At) -> Result<T> {
    if let Some((_, meaning)) = words.iter().find(|(name, _)| *name == word) {
        return Ok(meaning.clone());
    }
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let hint = nearest(word, &names).map(|near| format!("; did you mean `{near}`?"));
    let known = names.join(", ");
    Err(at.wrong(word, format!("use one of {known}{}", hint.unwrap_or_default())))
}

fn options(given: &BTreeMap<String, Scalar>) -> Options {
    Options(given.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect())
}
