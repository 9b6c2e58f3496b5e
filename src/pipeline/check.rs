//! Could a pipeline run?
//!
//! Asks every place that a run would need, and nothing more: no state is made, no message is read,
//! no table is made or changed.

use std::thread;

use super::carry;
use super::publish::runtime;
use crate::config::{Plan, PublishPlan};
use crate::error::{Error, Kind, Result};
use crate::sink::{self, Table, tables};
use crate::source::{self, Input, SourcePlan};
use crate::state;

use super::{ledger, model};

/// Everything that keeps a pipeline from running, each error beginning with the key it is about;
/// empty where it could run.
///
/// The model file and the file of judgements are read, brokers are asked for their topics, files are listed, the state's folder
/// is looked at where there is one, and the place to publish must take a file and keep two writers
/// apart, which leaves one small file there ([`sink::check_store`]).
pub fn check(plan: &Plan) -> Vec<Error> {
    let mut problems = Vec::new();
    // How many customers there are does not decide whether a model can be read.
    problems.extend(model::wanted(plan, 1.0).err());
    let ledger = plan.matching.judgements.as_deref().map(ledger::judgements);
    problems.extend(ledger.and_then(Result::err));
    problems.extend(thread::scope(|scope| {
        // A broker that is away takes its time to be so.
        let asked = plan.sources.iter().map(|source| scope.spawn(|| check_source(source)));
        let asked: Vec<_> = asked.collect();
        let panicked = |_| Err(Error::internal("the check of a source panicked"));
        let answers = asked.into_iter().map(|asked| asked.join().unwrap_or_else(panicked));
        answers.filter_map(Result::err).collect::<Vec<_>>()
    }));
    problems.extend(carry::check(plan).err());
    let path = &plan.state.path;
    let state = state::check(path);
    problems.extend(state.err().map(|e| e.context(format!("state.path = {}", path.display()))));
    let publish = check_publish(&plan.publish);
    let url = &plan.publish.url;
    problems.extend(publish.err().map(|error| error.context(format!("publish.url = {url}"))));
    problems
}

fn check_source(plan: &SourcePlan) -> Result<()> {
    let (key, remedy) = match plan.input {
        Input::Files(_) => ("files", "check the URL, the rights, and that it answers from here"),
        Input::Kafka(_) => ("kafka", "check `brokers`, and that they answer from here"),
    };
    source::check(plan).map_err(|error| {
        let away = error.kind() == Kind::Unavailable;
        let key = format!("source.{}.{key}", plan.name);
        error.context(if away { format!("{key}: {remedy}") } else { key })
    })
}

fn check_publish(plan: &PublishPlan) -> Result<()> {
    let (store, root) = sink::open_store(&plan.url, &plan.options.0)?;
    runtime()?.block_on(async {
        sink::check_store(&store, &root).await?;
        for spec in tables::ALL {
            Table::open_existing(store.clone(), &root, spec).await?;
        }
        Ok(())
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

        [publish]
        url = "${OUT}"
    "#;

    fn problems(variables: &[(&str, &str)]) -> Vec<String> {
        let env = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let plan = config::parse(PIPELINE, "shop.toml", &env).unwrap();
        check(&plan).iter().map(ToString::to_string).collect()
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
            assert_eq!(names(&folder.path().join("out")), ["_onefold"]);
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
            format!("match.model = {model}: "),
            "source.till.kafka: ".to_owned(),
            "source.web.files: ".to_owned(),
            format!("state.path = {place}/state: "),
            "publish.url = ftp://host/x: unknown scheme".to_owned(),
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(&starts) {
            assert!(problem.starts_with(start.as_str()), "{problem}\n{start}");
        }
        assert_eq!(names(&folder.path().join("state")), ["holiday.jpg"]);
    }
}
