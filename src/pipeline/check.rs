//! Could a pipeline run?
//!
//! Asks every place that a run would need, and nothing more: no state is made, no table is made or
//! changed, no position moves. A few messages of each source are read, to see whether its mapping
//! means them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::carry;
use super::letters::letter_topic;
use super::publish::runtime;
use super::topics::customer_topic;
use crate::config::{Plan, PublishPlan, in_words};
use crate::error::{Error, Kind, Result};
use crate::sink::topic::Topic;
use crate::sink::{self, Table, tables};
use crate::source::{self, Input, Sample, SourcePlan};
use crate::state;

use super::{ledger, model};

/// How many messages of a source are looked at.
const SAMPLE: usize = 200;

/// Of fewer messages, what none of them has may be rare.
const SAMPLE_TELLING: usize = 20;

/// How long that may take.
const SAMPLE_WAIT: Duration = Duration::from_secs(5);

/// Something about a key of the pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key.
    pub key: String,
    /// What is the matter, and the remedy.
    pub text: String,
}

impl Finding {
    /// An error that may begin with its key and the value of it.
    fn of(key: &str, error: &Error) -> Self {
        let text = error.to_string();
        let rest = text.strip_prefix(key).and_then(|rest| {
            let value = rest.strip_prefix(" = ").and_then(|rest| rest.split_once(": "));
            rest.strip_prefix(": ").or(value.map(|(_, rest)| rest))
        });
        Self { key: key.to_owned(), text: rest.unwrap_or(&text).to_owned() }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What keeps the pipeline from running.
    pub problems: Vec<Finding>,
    /// What looks wrong, but need not be.
    pub warnings: Vec<Finding>,
}

/// What keeps a pipeline from running, and what looks wrong. Only keys that `is_sound` says so of
/// are looked at.
///
/// The model file and the file of judgements are read, brokers are asked for their topics, files are listed, the state's folder
/// is looked at where there is one, and the place to publish must take a file and keep two writers
/// apart, which leaves one small file there ([`sink::check_store`]); so must the place of snapshots.
/// Published tables must have the columns that would be written, and their versions should be kept for as long as the
/// snapshots of the state that need them.
pub fn check(plan: &Plan, is_sound: &dyn Fn(&str) -> bool) -> Findings {
    let mut found = Findings::default();
    let mut note = |key: &str, result: Result<()>| {
        found.problems.extend(result.err().map(|error| Finding::of(key, &error)));
    };
    if is_sound("match") {
        // How many customers there are does not decide whether a model can be read.
        note("match.model", model::wanted(plan, 1.0).map(drop));
    }
    let ledger = plan.matching.judgements.as_deref().filter(|_| is_sound("match.judgements"));
    if let Some(path) = ledger {
        note("match.judgements", ledger::judgements(path).map(drop));
    }
    let sources = plan.sources.iter();
    let sources = sources.filter(|source| is_sound(&format!("source.{}", source.name)));
    let topic = plan.letter_topic.as_ref().filter(|_| is_sound("dead_letters"));
    let of_brokers = thread::scope(|scope| {
        // A broker that is away takes its time to be so.
        let mut asked: Vec<_> =
            sources.map(|source| scope.spawn(move || check_source(source))).collect();
        let topic = topic.map(|it| ("dead_letters.kafka".to_owned(), letter_topic(it, &plan.name)));
        let topics = topic.into_iter().chain(customer_topics(plan, is_sound));
        asked.extend(topics.map(|(key, topic)| scope.spawn(move || check_topic(key, &topic))));
        let panicked = |_| Findings {
            problems: vec![Finding::of(
                "source",
                &Error::internal("the check of a broker panicked"),
            )],
            ..Findings::default()
        };
        let answers = asked.into_iter().map(|asked| asked.join().unwrap_or_else(panicked));
        answers.collect::<Vec<_>>()
    });
    for of_broker in of_brokers {
        found.problems.extend(of_broker.problems);
        found.warnings.extend(of_broker.warnings);
    }
    let mut note = |key: &str, result: Result<()>| {
        found.problems.extend(result.err().map(|error| Finding::of(key, &error)));
    };
    if is_sound("publish.carry_ids_from") && is_sound("publish.options") {
        note("publish.carry_ids_from", carry::check(plan));
    }
    if is_sound("state.path") {
        note("state.path", state::check(&plan.state.path));
    }
    if let Some(snapshot) = plan.state.snapshot.as_ref().filter(|_| is_sound("state.snapshot")) {
        note("state.snapshot.url", check_place(&snapshot.url, &snapshot.options));
    }
    if is_sound("publish.url") && is_sound("publish.options") {
        let errors = check_publish(&plan.publish).unwrap_or_else(|error| vec![error]);
        errors.into_iter().for_each(|error| note("publish.url", Err(error)));
    }
    if ["publish.retention", "state.snapshot"].into_iter().all(is_sound) {
        found.warnings.extend(unrestorable(plan));
    }
    found
}

/// Snapshots that are kept for longer than the versions of the tables that restoring them needs.
fn unrestorable(plan: &Plan) -> Option<Finding> {
    let snapshot = plan.state.snapshot.as_ref()?;
    let keep = u32::try_from(snapshot.keep).unwrap_or(u32::MAX);
    // The oldest goes when the next is taken.
    let oldest = snapshot.interval?.saturating_mul(keep);
    let retention = plan.publish.retention;
    (retention < oldest).then(|| Finding {
        key: "publish.retention".to_owned(),
        text: format!(
            "versions of the tables go after {}, but of {keep} snapshots the oldest is up to {} old, and restoring it \
             needs the version of its time; give at least {1}, or a smaller state.snapshot.keep or interval",
            in_words(retention),
            in_words(oldest),
        ),
    })
}

/// Whether files can be put at a place.
fn check_place(url: &str, options: &source::Options) -> Result<()> {
    let (store, root) = sink::open_store(url, &options.0)?;
    runtime()?.block_on(sink::check_store(&store, &root))
}

/// The topics of customers, each with its key.
fn customer_topics(plan: &Plan, is_sound: &dyn Fn(&str) -> bool) -> Vec<(String, Topic)> {
    let Some(topics) = plan.publish.topics.as_ref().filter(|_| is_sound("publish.topics")) else {
        return Vec::new();
    };
    let named = [("profiles", &topics.profiles), ("changes", &topics.changes)];
    let named = named.into_iter().filter_map(|(key, topic)| Some((key, topic.as_ref()?)));
    let topic = |topic: &String| customer_topic(topics, topic, &plan.name);
    named.map(|(key, name)| (format!("publish.topics.{key}"), topic(name))).collect()
}

/// Whether a topic that is produced to is there.
fn check_topic(key: String, topic: &Topic) -> Findings {
    let checked = topic.check().map_err(|error| match error.kind() {
        Kind::Unavailable => error.context("check `brokers`, and that they answer from here"),
        _ => error,
    });
    let problems = checked.err().map(|error| Finding::of(&key, &error));
    Findings { problems: problems.into_iter().collect(), ..Findings::default() }
}

fn check_source(plan: &SourcePlan) -> Findings {
    let (key, remedy) = match plan.input {
        Input::Files(_) => ("files", "check the URL, the rights, and that it answers from here"),
        Input::Kafka(_) => ("kafka", "check `brokers`, and that they answer from here"),
    };
    let key = format!("source.{}.{key}", plan.name);
    let mut found = Findings::default();
    if let Err(error) = source::check(plan) {
        let away = error.kind() == Kind::Unavailable;
        let error = if away { error.context(remedy) } else { error };
        found.problems.push(Finding::of(&key, &error));
        return found;
    }
    match sampled(plan) {
        Ok(Some(sample)) => found.warnings.extend(drift(plan, &sample)),
        Ok(None) => {
            let text = "there was no answer in time to look at some messages".to_owned();
            found.warnings.push(Finding { key, text });
        }
        Err(error) if error.kind() == Kind::Invalid => {
            found.problems.push(Finding::of(&key, &error));
        }
        Err(error) => {
            let error = error.context("some messages cannot be looked at");
            found.warnings.push(Finding::of(&key, &error));
        }
    }
    found
}

/// A sample of a source; `None` where its time ran out.
fn sampled(plan: &SourcePlan) -> Result<Option<Sample>> {
    let (sender, receiver) = mpsc::channel();
    let plan = plan.clone();
    // A place that does not answer in time is left to itself; the process ends soon.
    thread::spawn(move || sender.send(source::sample(&plan, SAMPLE, SAMPLE_WAIT)));
    receiver.recv_timeout(SAMPLE_WAIT * 2).ok().transpose()
}

/// What a sample says of a mapping that may be another than the messages'.
fn drift(plan: &SourcePlan, sample: &Sample) -> Vec<Finding> {
    let mut found = Vec::new();
    let dead: usize = sample.dead.values().sum();
    let read = sample.read;
    if dead * 2 > read {
        let reasons = sample.dead.iter().map(|(why, count)| format!("{} {count}", why.name()));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let text = format!(
            "{dead} of {read} messages looked at would be dead letters ({reasons}); check the \
             pointers and the time's format"
        );
        found.push(Finding { key: format!("source.{}", plan.name), text });
    }
    let understood = read - dead;
    if understood >= SAMPLE_TELLING && !sample.absent.is_empty() {
        let absent = sample.absent.join(", ");
        let text =
            format!("none of {read} messages looked at has any of: {absent}; check the pointers");
        found.push(Finding { key: format!("source.{}.identity", plan.name), text });
    }
    found
}

/// What is wrong with the place to publish and the tables there.
fn check_publish(plan: &PublishPlan) -> Result<Vec<Error>> {
    check_place(&plan.url, &plan.options)?;
    let (store, root) = sink::open_store(&plan.url, &plan.options.0)?;
    runtime()?.block_on(async {
        let mut errors = Vec::new();
        for spec in tables::ALL {
            errors.extend(Table::open_existing(store.clone(), &root, spec).await.err());
        }
        Ok(errors)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;
    use crate::demo::broker::Broker;

    const PIPELINE: &str = r#"
        name = "shop"

        [source.web]
        files = "${FOLDER}/web*.jsonl"
        channel = "web"
        event_id = "/id"
        type = "/type"
        occurred_at = { path = "/at", format = "epoch_seconds" }
        identity = { email = "/email" }

        [source.till]
        kafka = { brokers = "${BROKERS}", topic = "till", group = "g", options = { "security.protocol" = "${PROTOCOL:-plaintext}" } }
        channel = "till"
        event_id = "/id"
        type = "/type"
        occurred_at = { path = "/at", format = "epoch_seconds" }
        identity = { email = "/email" }

        [match]
        model = "${MODEL:-}"

        [state]
        path = "${FOLDER}/state"
        snapshot = { url = "${OUT}/snapshots" }

        [publish]
        url = "${OUT}"
    "#;

    fn findings(variables: &[(&str, &str)]) -> Findings {
        let env = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let plan = config::parse(PIPELINE, "shop.toml", &env).unwrap();
        check(&plan, &|_| true)
    }

    fn problems(variables: &[(&str, &str)]) -> Vec<String> {
        let found = findings(variables);
        assert_eq!(found.warnings, []);
        found.problems.iter().map(|found| format!("{}: {}", found.key, found.text)).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().display().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_could_run_has_no_problem_and_stays_as_it_is() {
        let broker = Broker::start(&["till"], 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("web.jsonl"), "").unwrap();
        let place = folder.path().display().to_string();
        let out = format!("{place}/out");
        let variables =
            [("FOLDER", place.as_str()), ("BROKERS", broker.bootstrap_servers()), ("OUT", &out)];
        for _ in 0..2 {
            assert_eq!(problems(&variables), Vec::<String>::new());
            assert_eq!(names(folder.path()), ["out", "web.jsonl"], "no state was made");
            assert_eq!(names(&folder.path().join("out")), ["_onefold", "snapshots"]);
            assert_eq!(names(&folder.path().join("out/_onefold")), ["check"]);
        }
    }

    #[test]
    fn every_problem_is_told_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        std::fs::write(folder.path().join("state/holiday.jpg"), "").unwrap();
        let place = folder.path().display().to_string();
        let model = format!("{place}/model.json");
        let problems = problems(&[
            ("FOLDER", place.as_str()),
            ("BROKERS", "localhost:1"),
            ("PROTOCOL", "carrier pigeon"),
            ("MODEL", &model),
            ("OUT", "ftp://host/x"),
        ]);
        let starts = [
            "match.model: ".to_owned(),
            "source.till.kafka: ".to_owned(),
            "source.web.files: ".to_owned(),
            "state.path: ".to_owned(),
            "state.snapshot.url: unknown scheme".to_owned(),
            "publish.url: unknown scheme".to_owned(),
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(&starts) {
            assert!(problem.starts_with(start.as_str()), "{problem}\n{start}");
        }
        assert_eq!(names(&folder.path().join("state")), ["holiday.jpg"]);
    }

    #[test]
    fn the_topic_of_dead_letters_must_be_there() {
        let broker = Broker::start(&["letters"], 2).unwrap();
        let checked = |brokers: &str, topic: &str| {
            let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
            let options = source::Options::default();
            let topic = letter_topic(&config::LetterTopicPlan { brokers, topic, options }, "shop");
            check_topic("dead_letters.kafka".to_owned(), &topic).problems
        };
        assert_eq!(checked(broker.bootstrap_servers(), "letters"), []);
        for (brokers, topic, said) in [
            (broker.bootstrap_servers(), "leters", "topic `leters` is not there"),
            ("127.0.0.1:1", "letters", "check `brokers`, and that they answer from here"),
        ] {
            let problems = checked(brokers, topic);
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].key, "dead_letters.kafka");
            assert!(problems[0].text.contains(said), "{problems:?}");
        }
    }

    #[test]
    fn the_topics_of_customers_must_be_there() {
        let broker = Broker::start(&["customers"], 2).unwrap();
        let env = |name: &str| (name == "BROKERS" || name == "OUT").then(|| "nowhere:1".to_owned());
        let mut plan = config::parse(&PIPELINE.replace("${FOLDER}", "/nowhere"), "shop.toml", &env);
        let plan = plan.as_mut().unwrap();
        plan.publish.topics = Some(config::TopicsPlan {
            brokers: broker.bootstrap_servers().to_owned(),
            profiles: Some("customers".to_owned()),
            changes: Some("chnges".to_owned()),
            options: source::Options::default(),
        });
        let found = check(plan, &|key| key == "publish.topics").problems;
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(found.key, "publish.topics.changes");
        assert!(found.text.contains("topic `chnges` is not there"), "{}", found.text);
    }

    const NO_BROKER: (&str, &str) = ("BROKERS", "localhost:1");

    #[test]
    fn messages_that_are_not_understood_are_counted_and_not_shown() {
        let broker = Broker::start(&["till"], 3).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let bad = r#"{"id":"canary","type":"t","at":"canary"}"#;
        let good = r#"{"id":"canary","type":"t","at":1700000000,"mail":"canary"}"#;
        let web =
            format!("{}{}canary\n", format!("{bad}\n").repeat(39), format!("{good}\n").repeat(20));
        std::fs::write(folder.path().join("web.jsonl"), web).unwrap();
        let out = format!("{place}/out");
        let variables =
            [("FOLDER", place.as_str()), ("BROKERS", broker.bootstrap_servers()), ("OUT", &out)];
        let found = findings(&variables);
        assert_eq!(found.problems, []);
        let warnings: Vec<_> =
            found.warnings.iter().map(|f| (f.key.as_str(), f.text.as_str())).collect();
        let dead = "40 of 60 messages looked at would be dead letters (malformed 1, bad_time 39); \
                    check the pointers and the time's format";
        let absent = "none of 60 messages looked at has any of: /email; check the pointers";
        assert_eq!(warnings, [("source.web", dead), ("source.web.identity", absent)]);
    }

    #[test]
    fn only_what_is_sound_is_looked_at() {
        let env = |name: &str| (name == "BROKERS" || name == "OUT").then(|| "ftp://x".to_owned());
        let text = PIPELINE.replace("${FOLDER}/web", "${NONE:-}/nowhere/web");
        let text = text.replace("${FOLDER}", "/nowhere");
        let plan = config::parse(&text, "shop.toml", &env).unwrap();
        assert_eq!(check(&plan, &|_| false), Findings::default());
        let found = check(&plan, &|key| key == "publish.url" || key == "publish.options");
        let keys: Vec<_> = found.problems.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(keys, ["publish.url"]);
    }

    #[test]
    fn snapshots_should_not_outlive_the_versions_that_they_need() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        for (snapshot, publish, said) in [
            ("", "", None),
            (", keep = 9999", "", None),
            (", interval = \"1d\"", "", None),
            (", interval = \"1d\", keep = 7", "", None),
            (", interval = \"36h\", keep = 7", "", Some(("7d", "252h"))),
            (", interval = \"1h\", keep = 25", "retention = \"1d\"", Some(("1d", "25h"))),
            (", interval = \"1d\", keep = 30", "retention = \"30d\"", None),
        ] {
            let snapshot = format!("url = \"{place}\"{snapshot}");
            let text = PIPELINE.replace("url = \"${OUT}/snapshots\"", &snapshot);
            let text = format!("{text}\n{publish}");
            let plan = config::parse(&text, "shop.toml", &|_| Some("x".to_owned())).unwrap();
            let sound = |key: &str| key == "publish.retention" || key == "state.snapshot";
            let found = unrestorable(&plan);
            assert_eq!(check(&plan, &sound).warnings, Vec::from_iter(found.clone()));
            let text = found.map(|found| format!("{}: {}", found.key, found.text));
            let expected = said.map(|(retention, oldest)| {
                format!(
                    "publish.retention: versions of the tables go after {retention}, but of {} snapshots the oldest \
                     is up to {oldest} old, and restoring it needs the version of its time; give at least {oldest}, \
                     or a smaller state.snapshot.keep or interval",
                    plan.state.snapshot.as_ref().unwrap().keep
                )
            });
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn tables_of_other_columns_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("web.jsonl"), "").unwrap();
        let place = folder.path().display().to_string();
        let out = format!("{place}/out");
        let (store, root) = sink::open_store(&out, &Default::default()).unwrap();
        for spec in tables::ALL {
            let made = Table::open(store.clone(), &root, spec);
            runtime().unwrap().block_on(made).unwrap();
        }
        let table = tables::ALL[0];
        let column = table.columns[1].name;
        let log = format!("{out}/{}/_delta_log/00000000000000000000.json", table.name);
        let entry = std::fs::read_to_string(&log).unwrap();
        let quoted = |name: &str| format!("\\\"name\\\":\\\"{name}\\\"");
        assert!(entry.contains(&quoted(column)), "{entry}");
        std::fs::write(&log, entry.replace(&quoted(column), &quoted("colour"))).unwrap();
        let found = findings(&[("FOLDER", &place), NO_BROKER, ("OUT", &out)]).problems;
        let of_tables = found.iter().find(|found| found.key == "publish.url").unwrap();
        let expected = format!(
            "open table {}: the table has other columns than this version writes (it lacks \
             `{column}`, it has `colour`); publish to a new folder",
            table.name
        );
        assert_eq!(of_tables.text, expected);
    }
}
