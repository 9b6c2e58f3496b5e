//! Some messages of a source: does its mapping mean them?
//!
//! Who writes a mapping sees here, before a run, whether most of what comes would be a dead letter,
//! and which pointers point at nothing. It counts, and tells no value.

use std::collections::BTreeMap;
use std::time::Duration;

use super::json::{self, Json};
use super::{Input, Message, Positions, SourcePlan, kafka, open};
use crate::error::Result;
use crate::record::Reason;

/// What some messages say of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many messages were read.
    pub read: usize,
    /// How many of them would be dead letters, by reason.
    pub dead: BTreeMap<Reason, usize>,
    /// The fields of identity that none of them has, each as its pointers.
    pub absent: Vec<String>,
}

/// Reads some messages, the first of files, the last of topics, and moves nothing: no position, no
/// group. Topics are read for `wait` at most; files as long as they take.
///
/// **Errors:** as of [`open`] and [`Source::next`](super::Source::next).
pub fn sample(plan: &SourcePlan, limit: usize, wait: Duration) -> Result<Sample> {
    let messages = match &plan.input {
        Input::Kafka(topics) => kafka::sample(&plan.name, topics, limit, wait)?,
        Input::Files(_) => {
            let mut source = open(plan, &Positions::new())?;
            source.next(limit, wait)?.map(|batch| batch.messages).unwrap_or_default()
        }
    };
    Ok(of(plan, &messages))
}

fn of(plan: &SourcePlan, messages: &[Message]) -> Sample {
    let mapping = &plan.mapping;
    let mut sample = Sample { read: messages.len(), ..Sample::default() };
    let mut is_there = vec![false; mapping.identity.len()];
    for message in messages {
        if let Err(letter) = mapping.read(message) {
            *sample.dead.entry(letter.reason).or_default() += 1;
        }
        let Ok(root @ Json::Object(_)) = json::parse(&message.payload, &mapping.limits) else {
            continue;
        };
        for ((_, choices), is_there) in mapping.identity.iter().zip(&mut is_there) {
            *is_there |= choices.iter().any(|choice| choice.path.find(&root).is_some());
        }
    }
    let absent = mapping.identity.iter().zip(is_there).filter(|(_, is_there)| !is_there);
    sample.absent = absent
        .map(|((_, choices), _)| {
            let paths: Vec<&str> = choices.iter().map(|choice| choice.path.as_str()).collect();
            paths.join(" or ")
        })
        .collect();
    sample
}
