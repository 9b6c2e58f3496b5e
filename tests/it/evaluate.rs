//! What `onefold evaluate` says of a result: figures, breakdowns and the worst mistakes, from truths of every form.

use std::fs;
use std::path::Path;

use onefold::demo;
use onefold::demo::broker::Broker;
use serde_json::Value;

use crate::support::program::{Program, onefold};
use crate::support::{folder, repository, text, wait_until};

const EVENTS: &str = "pipelines/events.toml";

/// Says on purpose that Maria's call was another's, and that Peter's order was Maria's.
const WRONG_TRUTH: &str = "event_id,person_id\nsignup-1,maria\norder-1,maria\ncall-1,caller\n\
                           order-2,maria\nvisit-1,maria\nnowhere-1,maria\n";

/// A command on the few events of a family, with its tables in `folder`.
fn family(folder: &Path, arguments: &[&str]) -> Program {
    onefold(arguments)
        .env("EVENTS_DIR", "tests/cases/family")
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
}

fn truth(folder: &Path, rows: &str) -> String {
    let path = folder.join("truth.csv");
    fs::write(&path, rows).expect("write a truth");
    text(&path).to_owned()
}

#[test]
fn mistakes_are_listed_with_the_evidence_of_the_pair_that_decided() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let truth = truth(folder.path(), WRONG_TRUTH);
    let page = folder.path().join("page.html");
    let arguments = ["evaluate", EVENTS, "--truth", &truth, "--errors", "2"];
    let html = [&arguments[..], &["--html", text(&page)]].concat();
    let said = family(folder.path(), &html).succeed().output;
    insta::assert_snapshot!("evaluate", said.replace(text(&page), "page.html"));

    let page = fs::read_to_string(&page).expect("the page was written");
    assert!(page.contains("This page shows personal values"));
    assert!(page.contains("<bdi>mariaoliver@gmail.com</bdi>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http:"));

    let json: Value = family(folder.path(), &[&arguments[..], &["--json"]].concat()).report();
    assert_eq!(json["unpublished"], 1);
    assert_eq!(json["without_evidence"], Value::Null);
    let worst = &json["errors"][0];
    assert_eq!(worst["kind"], "false_merge");
    let pair = &worst["decisive"];
    let bits = |value: &Value| value.as_f64().expect("bits");
    let fields = pair["fields"].as_array().expect("fields");
    let sum: f64 = fields.iter().map(|field| bits(&field["bits"])).sum();
    let whole = sum + bits(&pair["prior_bits"]) + bits(&pair["household_bits"]);
    assert!((whole - bits(&pair["weight_bits"])).abs() < 1e-9, "{pair}");
    // Ids and weights, but no value of a record.
    for value in ["oliver", "gmail", "7946", "1985"] {
        assert!(!json.to_string().contains(value), "{value}");
        assert!(!said.to_lowercase().contains(value), "{value}");
    }
    let none: Value =
        family(folder.path(), &["evaluate", EVENTS, "--truth", &truth, "--errors", "0", "--json"])
            .report();
    assert_eq!(none["errors"], Value::Array(Vec::new()));
    assert_eq!(none["pairwise"], json["pairwise"]);
}

#[test]
fn without_a_state_the_scores_are_told_all_the_same() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    fs::remove_dir_all(folder.path().join("state")).expect("remove the state");
    let truth = truth(folder.path(), WRONG_TRUTH);
    let said = family(folder.path(), &["evaluate", EVENTS, "--truth", &truth]).succeed().output;
    assert!(said.contains("Worst false merges (1 identity holds several people"), "{said}");
    assert!(said.contains("Without their evidence: [state] path = "), "{said}");
    assert!(said.contains("there is no state yet"), "{said}");
}

#[test]
fn while_a_job_has_the_state_the_scores_are_told_all_the_same() {
    let folder = folder();
    family(folder.path(), &["backfill", EVENTS]).succeed();
    let topics = demo::Channel::ALL.map(demo::Channel::name);
    let broker = Broker::start(&topics, 1).expect("a broker in this process");
    let mut job = family(folder.path(), &["run", "pipelines/events-kafka.toml"])
        .env("KAFKA_BROKERS", broker.bootstrap_servers())
        .env("STATE", text(&folder.path().join("job")))
        .env("OUT", text(&folder.path().join("job-out")))
        .start(folder.path());
    wait_until("the job has its state", || {
        assert!(!job.has_ended(), "{}", job.log());
        folder.path().join("job-out/profiles/_delta_log").exists()
    });
    let truth = truth(folder.path(), WRONG_TRUTH);
    let said = family(folder.path(), &["evaluate", EVENTS, "--truth", &truth])
        .env("STATE", text(&folder.path().join("job")))
        .succeed()
        .output;
    assert!(said.contains("Without their evidence: state: "), "{said}");
    assert!(said.contains("is open in another process"), "{said}");
}

/// Rows of two sources with the same ids, as in a truth set of Senzing.
#[test]
fn keys_of_several_sources_are_understood() {
    let folder = folder();
    let keys = repository("tests/data/evaluate/keys");
    let pipeline = text(&keys.join("pipeline.toml")).to_owned();
    let command = |arguments: &[&str]| family(folder.path(), arguments).env("RECORDS", text(&keys));
    command(&["backfill", &pipeline]).succeed();
    let key = text(&keys.join("truthset_key.csv")).to_owned();
    let evaluate = |truth: &str| command(&["evaluate", &pipeline, "--truth", truth, "--json"]);
    let found = evaluate(&key).report();
    assert_eq!((&found["records"], &found["unpublished"]), (&9.into(), &0.into()));
    assert_eq!(found["truth_clusters"], 4);
    for view in ["pairwise", "bcubed", "exact"] {
        assert_eq!(found[view]["f1"], 1.0, "{view}: {found}");
    }
    assert_eq!(found["across"]["truth"], 5);
    assert_eq!(found["channels"][1]["channels"], serde_json::json!(["customers", "watchlist"]));

    // The channel's name does as well as the source's.
    let text = fs::read_to_string(&key).expect("the keys");
    let by_channel = truth(folder.path(), &text.replace("WATCHLIST", "Sanctions"));
    assert_eq!(evaluate(&by_channel).report(), found);
    let other = truth(folder.path(), "CLUSTER_ID,RECORD_ID,DATA_SOURCE\n1,1001,NOBODY\n");
    let refused = evaluate(&other).run();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(
        refused.log,
        "error: none of the truth's ids is published: the column data_source names sources or channels; \
         there are customers, watchlist\n"
    );
}
