//! How fast could a pipeline be at most? The same input through only its first stages, on all cores.
//!
//! `cargo bench --bench roofline -- PIPELINE [MODEL]`, with what PIPELINE reads from the environment: reads all sources to
//! their end and parses what they hold; then does so again and normalises; then again and makes blocking keys too. Prints
//! a JSON object a pass: messages a second of wall time, and seconds of processor time.

mod measure;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use measure::cpu_seconds;
use onefold::clock::Stopwatch;
use onefold::config::{self, Plan};
use onefold::error::{Context, Error, Kind, Result};
use onefold::normalise;
use onefold::resolve::chains_of;
use onefold::score::Model;
use onefold::source::{self, Message, Positions, SourcePlan};
use rayon::prelude::*;

/// As a job takes them.
const MESSAGES_AT_ONCE: usize = 20_000;

/// How far messages are taken.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Depth {
    Parsed,
    Normalised,
    Keyed,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let usage = || Error::invalid("usage: cargo bench --bench roofline -- PIPELINE [MODEL]");
    let plan = config::load(Path::new(&arguments.next().ok_or_else(usage)?), &|name| {
        std::env::var(name).ok()
    })?;
    let model = match arguments.next() {
        Some(path) => {
            let text = std::fs::read_to_string(&path).context(Kind::Invalid, "read the model")?;
            Model::from_json(&text)?
        }
        None => Model::default_with(10_000.0),
    };
    let passes =
        [("read_parse", Depth::Parsed), ("normalise", Depth::Normalised), ("keys", Depth::Keyed)];
    // Once for nothing: pages, plans and phone numbers are at hand from the first pass that counts.
    pass(&plan, &model, Depth::Keyed)?;
    for (name, depth) in passes {
        let (clock, cpu) = (Stopwatch::start(), cpu_seconds());
        let messages = pass(&plan, &model, depth)?;
        let (wall, cpu) = (clock.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let rate = messages as f64 / wall;
        _ = writeln!(
            std::io::stdout(),
            r#"{{"through": "{name}", "messages": {messages}, "wall_s": {wall:.3}, "cpu_s": {cpu:.3}, "per_s": {rate:.0}}}"#
        );
    }
    Ok(())
}

/// Takes all messages so far; how many there are.
fn pass(plan: &Plan, model: &Model, depth: Depth) -> Result<usize> {
    let mut count = 0;
    for plan in &plan.sources {
        let mut source = source::open(plan, &Positions::new())?;
        while let Some(batch) = source.next(MESSAGES_AT_ONCE, Duration::from_secs(1))? {
            count += batch.messages.len();
            let keys = batch.messages.par_iter().map(|message| take(message, plan, model, depth));
            std::hint::black_box(keys.sum::<usize>());
        }
    }
    Ok(count)
}

/// Takes one message so far; something that depends on all of it.
fn take(message: &Message, plan: &SourcePlan, model: &Model, depth: Depth) -> usize {
    let Ok(event) = plan.mapping.read(message) else { return 0 };
    if depth < Depth::Normalised {
        return event.event_id.len();
    }
    let normalised = normalise::identity(&event.identity, &plan.normalise);
    if depth < Depth::Keyed {
        return normalised.identity.values.len();
    }
    chains_of(&normalised.identity, model).len()
}
