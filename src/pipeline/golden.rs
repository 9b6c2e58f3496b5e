//! Are the clusters of a fixed set still those that they always were?
//!
//! `tests/data/golden`: records as the normaliser once left them, a model, and who was one person under it. Neither a
//! better normaliser nor a better built-in model touches them; what does is a change of blocking, weighing or
//! clustering, and each such change must be meant.
//!
//! Where it is meant, write what is there anew, look at the difference, and say in the commit why it is right:
//!
//! - `ONEFOLD_GOLDEN=clusters cargo nextest run --lib golden`: after a change of what the matcher decides.
//! - `ONEFOLD_GOLDEN=model …`: where the program cannot read the model file any more, since its format has a new
//!   version: today's built-in model in today's format, and the clusters. Better, upgrade the file by hand.
//! - `ONEFOLD_GOLDEN=records …`: all of it, from `tests/data/people` and `tests/data/events` by today's normaliser.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batch::Readers;
use crate::config;
use crate::record::{Identity, RecordKey};
use crate::resolve::{Insert, NodeId, Resolver};
use crate::score::Model;
use crate::source::{self, Positions};

/// Records that come in one change; the clusters are the same for any number.
const BATCH: usize = 37;

/// A line of `records.jsonl`.
#[derive(Serialize, Deserialize)]
struct Kept {
    record: String,
    identity: Identity,
}

type Partition = BTreeSet<BTreeSet<RecordKey>>;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn golden(name: &str) -> PathBuf {
    repository("tests/data/golden").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(golden(name)).unwrap()
}

fn records() -> Vec<(RecordKey, Identity)> {
    let kept = |line: &str| {
        let kept: Kept = serde_json::from_str(line).unwrap();
        (kept.record.parse().unwrap(), kept.identity)
    };
    read("records.jsonl").lines().map(kept).collect()
}

fn model() -> Model {
    Model::from_json(&read("model.json")).unwrap_or_else(|error| {
        panic!("model.json cannot be read any more ({error}): see the page of this test")
    })
}

fn expected() -> Partition {
    let mut clusters: BTreeMap<String, BTreeSet<RecordKey>> = BTreeMap::new();
    for row in read("clusters.csv").lines().skip(1) {
        let (record, cluster) = row.split_once(',').unwrap();
        clusters.entry(cluster.to_owned()).or_default().insert(record.parse().unwrap());
    }
    clusters.into_values().collect()
}

fn resolve(model: Model, records: &[(RecordKey, Identity)]) -> Partition {
    let mut resolver = Resolver::new(model);
    let mut cluster_of: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    let inserts: Vec<Insert> = (0..)
        .zip(records)
        .map(|(node, (key, identity))| Insert { node, key: *key, identity: identity.clone() })
        .collect();
    for batch in inserts.chunks(BATCH) {
        for cluster in resolver.apply(&[], batch.to_vec()).clusters {
            let members: BTreeSet<NodeId> = cluster.iter().copied().collect();
            cluster_of.extend(cluster.into_iter().map(|node| (node, members.clone())));
        }
    }
    let key = |node: &NodeId| records[*node as usize].0;
    cluster_of.values().map(|members| members.iter().map(key).collect()).collect()
}

/// The contents of the exports and events that the repository holds.
fn write_records() {
    let places = [
        ("pipelines/people.toml", "RECORDS", "tests/data/people/fake_1000/records.csv", 500),
        ("pipelines/events.toml", "EVENTS_DIR", "tests/data/events", usize::MAX),
    ];
    let mut kept: BTreeMap<RecordKey, Identity> = BTreeMap::new();
    for (pipeline, variable, place, limit) in places {
        let text = fs::read_to_string(repository(pipeline)).unwrap();
        let place = repository(place).display().to_string();
        let plan =
            config::parse(&text, pipeline, &|name| (name == variable).then(|| place.clone()));
        let plan = plan.unwrap();
        let readers = Readers::new(&plan);
        for source in &plan.sources {
            let mut source = source::open(source, &Positions::new()).unwrap();
            let batch = source.next(limit.min(10_000), Duration::ZERO).unwrap().unwrap();
            for prepared in readers.prepare(&batch.messages).into_iter().flatten() {
                let identity = prepared.normalised.identity;
                let record = match prepared.event.record_id.as_deref() {
                    Some(id) => RecordKey::of_row(&prepared.event.origin.source, id),
                    None => identity.record_key(prepared.key),
                };
                kept.insert(record, identity);
            }
        }
    }
    let lines: Vec<String> = kept
        .into_iter()
        .map(|(record, identity)| Kept { record: record.to_string(), identity })
        .map(|kept| serde_json::to_string(&kept).unwrap())
        .collect();
    fs::write(golden("records.jsonl"), lines.join("\n") + "\n").unwrap();
}

/// The built-in model, with caps that this small set exceeds.
fn write_model() {
    let mut model = Model::default_with(400.0);
    model.provenance = "built in, frozen for a golden test".into();
    model.parameters.threshold_bits = -1.0;
    model.parameters.block_cap = 4;
    model.parameters.component_cap = 8;
    fs::write(golden("model.json"), model.to_json() + "\n").unwrap();
}

fn write_clusters(partition: &Partition) {
    let mut text = "record,cluster\n".to_owned();
    for cluster in partition {
        let name = cluster.first().unwrap();
        cluster.iter().for_each(|record| writeln!(text, "{record},{name}").unwrap());
    }
    fs::write(golden("clusters.csv"), text).unwrap();
}

#[test]
fn the_clusters_of_a_fixed_set_stay_as_they_are() {
    let wanted = std::env::var("ONEFOLD_GOLDEN").unwrap_or_default();
    if wanted == "records" {
        write_records();
    }
    if ["records", "model"].contains(&wanted.as_str()) {
        write_model();
    }
    let records = records();
    let found = resolve(model(), &records);
    if !wanted.is_empty() {
        write_clusters(&found);
    }
    let expected = expected();
    let (missing, surplus) = (expected.difference(&found), found.difference(&expected));
    let (missing, surplus): (Vec<_>, Vec<_>) = (missing.collect(), surplus.collect());
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{} clusters are gone, {} are new:\n- {missing:?}\n+ {surplus:?}\n\
         Is that meant? Then ONEFOLD_GOLDEN=clusters writes them anew; see the page of this test",
        missing.len(),
        surplus.len(),
    );
    // The set is worth pinning: most records found somebody, and the caps are exceeded.
    let together: usize = found.iter().map(BTreeSet::len).filter(|size| *size > 1).sum();
    assert!(2 * together > records.len(), "{together} of {}", records.len());
    let mut uncapped = model();
    uncapped.parameters.block_cap = records.len();
    uncapped.parameters.component_cap = records.len();
    assert!(resolve(uncapped, &records) != found, "the caps are not exceeded");
}
