//! When are the tables written as plain files besides, and by whom?
//!
//! With `publish.plain_interval`, by a running job in a thread of its own: it reads the versions that
//! the consistent set names, which nobody changes, and shares nothing with the job. When a job ends by
//! itself it is done once more; one that is told to stop leaves it.

use std::sync::Arc;
use std::time::Duration;

use super::chore::Chore;
use super::publish::runtime;
use crate::clock::Stopwatch;
use crate::config::PublishPlan;
use crate::error::Result;
use crate::sink::{self, PlainWhen, PlainWritten, Table, tables};
use crate::telemetry::{PlainTablesFailed, PlainTablesWritten};

/// Writes the tables of the latest set as plain files; returns its commit, and what was written.
///
/// **Errors:** `Data` where a table is vacuumed meanwhile; `Unavailable`.
pub(super) fn write_plain(
    plan: &PublishPlan,
    when: PlainWhen,
) -> Result<Option<(u64, PlainWritten)>> {
    let (store, root) = sink::open_store(&plan.url, &plan.options.0)
        .map_err(|error| error.context(format!("publish.url = {}", plan.url)))?;
    runtime()?.block_on(async {
        let Some(latest) = sink::read_latest(&store, &root).await? else { return Ok(None) };
        let mut opened = Vec::new();
        for spec in tables::ALL {
            opened.extend(Table::open_existing(Arc::clone(&store), &root, spec).await?);
        }
        let written = sink::write_plain(&store, &root, opened, &latest, when).await?;
        Ok(written.map(|written| (latest.commit, written)))
    })
}

/// The plain files of a running job.
pub(super) struct Plains {
    plan: PublishPlan,
    chore: Chore,
}

impl Plains {
    pub(super) fn new(plan: &PublishPlan) -> Self {
        let first = plan.plain_interval.unwrap_or(Duration::MAX);
        Self { plan: plan.clone(), chore: Chore::new("plain", first) }
    }

    /// Begins to write them, where it is time.
    pub(super) fn write_if_due(&mut self) {
        if self.plan.plain_interval.is_some() && self.chore.is_due() {
            self.write();
        }
    }

    fn write(&mut self) {
        let Some(interval) = self.plan.plain_interval else { return };
        let plan = self.plan.clone();
        let started = self.chore.start(interval, move || {
            let clock = Stopwatch::start();
            match write_plain(&plan, PlainWhen::Newer) {
                Ok(None) => {}
                Ok(Some((sequence, PlainWritten { rows, bytes }))) => {
                    PlainTablesWritten { sequence, rows, bytes, duration: clock.elapsed() }.emit();
                }
                Err(error) => PlainTablesFailed { error: &error }.emit(),
            }
        });
        if let Err(error) = started {
            PlainTablesFailed { error: &error }.emit();
        }
    }

    /// Writes what was published last.
    pub(super) fn finish(&mut self) {
        self.write();
        self.wait();
    }

    /// Waits for those that are being written.
    pub(super) fn wait(&mut self) {
        if let Err(error) = self.chore.wait() {
            PlainTablesFailed { error: &error }.emit();
        }
    }
}

#[cfg(test)]
mod tests;
