//! Settings in, plan out: is every value one that can be meant?
//!
//! Every problem is taken note of, and a default stands in, so that all of them are found.

mod http;
mod letters;
mod mapping;
mod matching;
mod profiles;
mod source;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{
    DeadLettersMax, OnError, Plan, PublishPlan, RetentionPlan, RunPlan, SnapshotPlan, StatePlan,
};
use super::problem::{At, Notes, Result, nearest};
use super::settings::{
    DeadLettersMaxSettings, PublishSettings, RetentionSettings, RunSettings, Settings,
    SnapshotSettings, StateSettings,
};
use super::units;
use super::value::Scalar;
use crate::source::{Options, SourcePlan};

/// Memory below which a state cannot work.
const MEMORY_MIN: u64 = 16 << 20;

const DAY: Duration = Duration::from_hours(24);

/// Larger batches win nothing and cost memory.
const BATCH_MAX: usize = 1_000_000;

/// Resolves the settings of a file; of use where no problem was noted.
pub(super) fn plan(settings: &Settings, notes: &Notes, at: &At) -> Plan {
    at.take(named(&settings.name, &at.under("name")));
    if settings.source.is_empty() {
        let at = at.under("source");
        at.note(at.problem("there is none; add a `[source.NAME]`"));
    }
    let one_per_customer = settings.source.values().any(|source| source.one_per_customer);
    let (own, matching) = matching::plan(&settings.r#match, one_per_customer, &at.under("match"));
    let mut sources = Vec::new();
    for (name, source) in &settings.source {
        let at = at.under("source").under(name);
        at.take(named(name, &at));
        sources.extend(source::plan(name, source, &settings.name, &own, &at));
    }
    source::check_overlap(&sources, &at.under("source"));
    let topic = settings.dead_letters.kafka.as_ref();
    let letter_at = at.under("dead_letters").under("kafka");
    let letter_topic = topic.map(|topic| letters::plan(topic, &sources, &letter_at));
    let mut publish = publish(&settings.publish, &sources, &at.under("publish"));
    let topics_at = at.under("publish").under("topics");
    let topics = settings.publish.topics.as_ref();
    publish.topics = topics.map(|it| topics::plan(it, &sources, letter_topic.as_ref(), &topics_at));
    Plan {
        name: settings.name.clone(),
        sources,
        matching,
        state: state(&settings.state, &at.under("state")),
        publish,
        retention: retention(&settings.retention, &at.under("retention")),
        letter_topic,
        run: run(&settings.run, &at.under("run")),
        http: settings.http.as_ref().and_then(|it| http::plan(it, &at.under("http"))),
        secrets: notes.secrets().clone(),
    }
}

/// Names end up in file names, metric labels and consumer groups.
fn named(name: &str, at: &At) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(legal) {
        return Err(at.wrong(name, "a name is made of letters, digits, `_`, `-` and `.`"));
    }
    Ok(())
}

fn state(settings: &StateSettings, at: &At) -> StatePlan {
    let path = settings.path.as_deref().unwrap_or("./state");
    let place = at.under("path");
    if path.trim().is_empty() {
        place.note(place.wrong(path, "give a local folder"));
    }
    if path.contains("://") {
        place.note(place.wrong(path, "the state lies in a local folder, not at a URL"));
    }
    let place = at.under("memory");
    let given = settings.memory.as_deref();
    let memory = size(given, "2GiB", &place).and_then(|memory| match given {
        Some(text) if memory < MEMORY_MIN => Err(place.wrong(text, "give at least 16MiB")),
        _ => Ok(memory),
    });
    let snapshot = settings.snapshot.as_ref().map(|it| self::snapshot(it, &at.under("snapshot")));
    let place = at.under("event_window");
    let event_window = settings.event_window.as_deref().map(|text| days(text, &place));
    let place = at.under("disk_reserve");
    let disk_reserve = at.take(size(settings.disk_reserve.as_deref(), "256MiB", &place));
    StatePlan {
        path: path.into(),
        memory: at.take(memory).unwrap_or(MEMORY_MIN),
        disk_reserve: disk_reserve.unwrap_or_default(),
        event_window,
        snapshot,
    }
}

fn snapshot(settings: &SnapshotSettings, at: &At) -> SnapshotPlan {
    if settings.url.trim().is_empty() {
        let at = at.under("url");
        at.note(at.wrong("", "give a folder, or an object store URL"));
    }
    let keep = settings.keep.unwrap_or(3);
    if keep == 0 {
        let at = at.under("keep");
        at.note(at.wrong(keep, "keep at least 1"));
    }
    let place = at.under("interval");
    SnapshotPlan {
        url: settings.url.clone(),
        interval: settings.interval.as_deref().map(|text| pace(Some(text), text, &place)),
        keep,
        options: options(&settings.options),
    }
}

fn publish(settings: &PublishSettings, sources: &[SourcePlan], at: &At) -> PublishPlan {
    let url = settings.url.as_deref().unwrap_or("./out");
    if url.trim().is_empty() {
        let at = at.under("url");
        at.note(at.wrong(url, "give a local folder, or an object store URL"));
    }
    let carried = settings.carry_ids_from.as_deref().map(str::trim).filter(|url| !url.is_empty());
    let plain = |url: &str| url.trim().trim_end_matches('/').to_owned();
    if let Some(same) = carried.filter(|from| plain(from) == plain(url)) {
        let remedy = "ids are carried over to another place: set publish.url to a new one";
        let at = at.under("carry_ids_from");
        at.note(at.wrong(same, remedy));
    }
    let place = at.under("retention");
    let retention = pace(settings.retention.as_deref(), "7d", &place);
    if let Some(text) = settings.retention.as_deref().filter(|_| retention < DAY) {
        place.note(place.wrong(text, "give at least 1d: a commit under way must not be deleted"));
    }
    let place = at.under("plain_interval");
    let plain = settings.plain_interval.as_deref();
    PublishPlan {
        retention,
        erasure_bound: pace(settings.erasure_bound.as_deref(), "1d", &at.under("erasure_bound")),
        plain_interval: plain.map(|text| pace(Some(text), text, &place)),
        url: url.to_owned(),
        carry_ids_from: carried.map(ToOwned::to_owned),
        interval: pace(settings.interval.as_deref(), "30s", &at.under("interval")),
        options: options(&settings.options),
        profiles: profiles::plan(settings, sources, at),
        topics: None,
    }
}

fn retention(settings: &RetentionSettings, at: &At) -> RetentionPlan {
    let after =
        |text: &Option<String>, key: &str| text.as_deref().map(|text| days(text, &at.under(key)));
    RetentionPlan {
        inactive: after(&settings.inactive, "inactive"),
        interactions: after(&settings.interactions, "interactions"),
    }
}

fn run(settings: &RunSettings, at: &At) -> RunPlan {
    let batch = settings.batch.unwrap_or(50_000);
    if !(1..=BATCH_MAX).contains(&batch) {
        let at = at.under("batch");
        at.note(at.wrong(batch, format!("give 1 to {BATCH_MAX} messages")));
    }
    let interval = settings.commit_interval.as_deref();
    let timeout = settings.shutdown_timeout.as_deref();
    RunPlan {
        batch,
        commit_interval: pace(interval, "1s", &at.under("commit_interval")),
        shutdown_timeout: pace(timeout, "30s", &at.under("shutdown_timeout")),
        on_error: on_error(settings.on_error.as_deref(), &at.under("on_error")),
        dead_letters_max: dead_letters_max(
            &settings.dead_letters_max,
            &at.under("dead_letters_max"),
        ),
    }
}

fn on_error(word: Option<&str>, at: &At) -> OnError {
    let ways = [("dead-letter", OnError::DeadLetter), ("stop", OnError::Stop)];
    let chosen = word.and_then(|word| at.take(one_of(word, &ways, at)));
    chosen.unwrap_or_default()
}

fn dead_letters_max(settings: &DeadLettersMaxSettings, at: &At) -> DeadLettersMax {
    let share = settings.share.unwrap_or(0.9);
    if !(0.0..=1.0).contains(&share) {
        let at = at.under("share");
        at.note(at.wrong(share, "give a share of 0 to 1"));
    }
    let per = pace(settings.per.as_deref(), "1m", &at.under("per"));
    DeadLettersMax { share, per, at_least: settings.at_least.unwrap_or(1000) }
}

/// A duration above zero; takes note where it is none.
fn pace(given: Option<&str>, default: &str, at: &At) -> Duration {
    let text = given.unwrap_or(default);
    let read = units::duration(text).filter(|duration| !duration.is_zero());
    let remedy = "give a duration above zero, such as 500ms, 30s or 5m";
    at.take(read.ok_or_else(|| at.wrong(text, remedy))).unwrap_or(Duration::MAX)
}

/// A time after which something is forgotten, which is done by whole days.
fn days(text: &str, at: &At) -> Duration {
    let time = pace(Some(text), text, at);
    if time < DAY {
        at.note(at.wrong(text, "give at least 1d: what is forgotten is so by whole days"));
    }
    time
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

/// Settings of a client of Kafka, but for those that are `reserved`, each with what to do instead.
fn client(
    brokers: &str,
    given: &BTreeMap<String, Scalar>,
    reserved: &[(&str, &str)],
    at: &At,
) -> Options {
    if brokers.trim().is_empty() {
        let at = at.under("brokers");
        at.note(at.wrong(brokers, "give host:port, several with commas"));
    }
    let named = [("bootstrap.servers", "use `brokers`"), ("metadata.broker.list", "use `brokers`")];
    for (key, remedy) in named.iter().chain(reserved) {
        if given.contains_key(*key) {
            let at = at.under("options").under(key);
            at.note(at.problem(remedy));
        }
    }
    options(given)
}

fn options(given: &BTreeMap<String, Scalar>) -> Options {
    Options(given.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect())
}
