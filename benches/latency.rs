//! How long does it take to decide on one record, with many there already?
//!
//! `cargo bench --bench latency -- PIPELINE MODEL [BASE] [NEW]`, with what PIPELINE reads from the environment and a model
//! file, or `built-in`: the first BASE records of its sources (500,000 unless told, or all but NEW), by key, are resolved
//! together, and the next NEW (5,000) one by one, each with all that it changes: blocks, edges, clusters. Prints one figure a
//! line; work is the mean of a record.

mod measure;

use std::path::Path;

use measure::report;
use onefold::clock::Stopwatch;
use onefold::config;
use onefold::error::{Context, Error, Kind, Result};
use onefold::pipeline::gather;
use onefold::record::{Identity, RecordKey};
use onefold::resolve::{Insert, NodeId, Resolver, Work};
use onefold::score::Model;

fn main() -> Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [pipeline, model, counts @ ..] = arguments.as_slice() else {
        return Err(Error::invalid(
            "usage: cargo bench --bench latency -- PIPELINE MODEL [BASE] [NEW]",
        ));
    };
    let count = |at: usize, default| counts.get(at).map_or(Some(default), |it| it.parse().ok());
    let (Some(base), Some(new)) = (count(0, 500_000), count(1, 5_000)) else {
        return Err(Error::invalid("BASE and NEW are numbers of records"));
    };
    let plan = config::load(Path::new(pipeline), &|name| std::env::var(name).ok())?;
    let mut model = match model.as_str() {
        "built-in" => Model::default_with(100_000.0),
        path => {
            let text = std::fs::read_to_string(path).context(Kind::Invalid, "read the model")?;
            Model::from_json(&text)?
        }
    };
    model.parameters.block_cap = plan.matching.block_cap;
    let mut resolver = Resolver::new(model);
    let records = gather(&plan)?.records;
    let base = base.min(records.len().saturating_sub(new));
    let mut inserts = records.into_iter().zip(0..).map(insert);

    let clock = Stopwatch::start();
    resolver.put_off(&[], inserts.by_ref().take(base).collect());
    resolver.catch_up();
    report("base", base as f64);
    report("base_resolved_s", clock.elapsed().as_secs_f64());
    let mut resolved: Vec<(f64, Work)> = inserts
        .take(new)
        .map(|insert| {
            let clock = Stopwatch::start();
            let outcome = resolver.apply(&[], vec![insert]);
            (clock.elapsed().as_secs_f64() * 1e3, outcome.work)
        })
        .collect();
    resolved.sort_unstable_by(|(left, _), (right, _)| left.total_cmp(right));
    let at = |share: f64| {
        let at = (resolved.len() as f64 * share) as usize;
        at.min(resolved.len().saturating_sub(1))
    };
    report("records", resolved.len() as f64);
    for (name, share) in [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("max_ms", 1.0)] {
        report(name, resolved.get(at(share)).map_or(f64::NAN, |(milliseconds, _)| *milliseconds));
    }
    for (name, some) in [("all", &*resolved), ("slowest_percent", &resolved[at(0.99)..])] {
        let mean = |of: fn(&Work) -> u64| {
            some.iter().map(|(_, work)| of(work) as f64).sum::<f64>() / some.len() as f64
        };
        report(&format!("{name}_candidates"), mean(|work| work.candidates));
        report(&format!("{name}_components"), mean(|work| work.components));
        report(&format!("{name}_component_pairs"), mean(|work| work.component_pairs));
    }
    Ok(())
}

fn insert(((key, identity), node): ((RecordKey, Identity), NodeId)) -> Insert {
    Insert { node, key, identity }
}
