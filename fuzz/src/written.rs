//! What people and other programs write: pipeline files and models.

use std::collections::BTreeMap;

use onefold::config;
use onefold::score::Model;
use onefold::splink;

/// What the pipeline file is called in problems.
const FILE: &str = "fuzz.toml";

/// A pipeline file is a plan, or problems that stand in lines of it.
pub fn pipeline(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Another file is not part of the input.
    if text.contains("file:") {
        return;
    }
    match config::parse(text, FILE, &|_| None) {
        Ok(plan) => {
            assert!(!plan.sources.is_empty() && plan.run.batch > 0);
            assert!(!format!("{plan:?}").is_empty());
        }
        Err(error) => {
            let said = error.to_string();
            let lines: Vec<usize> = said.lines().filter_map(line_of).collect();
            let last = text.lines().count().max(1);
            assert!(!lines.is_empty(), "no line is named: {said}");
            assert!(lines.iter().all(|line| (1..=last + 1).contains(line)), "{last} lines: {said}");
        }
    }
}

/// The line that a problem names.
fn line_of(problem: &str) -> Option<usize> {
    let rest = problem.strip_prefix(FILE)?.strip_prefix(':')?;
    rest.split(':').next()?.parse().ok()
}

/// A model is refused, or is the same when it is written and read again; so is one of Splink's.
pub fn model(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(model) = Model::from_json(text) {
        stays(&model);
    }
    if let Ok(import) = splink::import(text, &BTreeMap::new()) {
        assert!(!import.notes.is_empty(), "nothing is told of an import");
        stays(&import.model);
    }
}

fn stays(model: &Model) {
    let written = model.to_json();
    let again = Model::from_json(&written).expect("what was written can be read");
    assert!(again == *model, "a model changes when it is written");
}
