//! When is deleted what no version of the tables needs, and by whom?
//!
//! A running job does so about seven times per retention, in a thread of its own, which reads the logs
//! anew and shares nothing with the job: it deletes nothing that is younger than a day, so it cannot
//! meet a commit under way, nor does it matter when it is cut short. When the last time was lies beside
//! the tables, so jobs that run for a minute each come to it, too. By hand it goes the same way, unless
//! less than a day is to be kept: then the job must not be running, and the tables are taken first.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Runtime;

use super::chore::Chore;
use super::opening::open_existing_state;
use super::publish::{Publisher, other_pipeline, runtime};
use crate::clock::{self, Stopwatch};
use crate::config::{Plan, PublishPlan};
use crate::error::Result;
use crate::sink::{self, Table, UNDER_WAY, Vacuum, Writers, tables};
pub use crate::sink::{VacuumAct, Vacuumed};
use crate::telemetry::{TablesVacuumed, Telemetry, VacuumFailed};

/// How often a running job looks whether it is time.
const LOOK: Duration = Duration::from_mins(10);
/// How long it has been running when it looks for the first time, unless it ends before.
const FIRST_LOOK: Duration = Duration::from_mins(1);
/// How many times within the retention there is a vacuum.
const TIMES: u32 = 7;
/// But no more often, and no less.
const BETWEEN: [Duration; 2] = [Duration::from_hours(1), UNDER_WAY];

/// Deletes what no version of the tables needs that was the present one within the retention, that of
/// the pipeline unless another is given. Says so by table; [`VacuumAct::Count`] only says so.
///
/// **Errors:** `Fenced` where less than a day is to be kept and a job runs; `Invalid` where another
/// pipeline publishes there, or a publish was cut short; `Unavailable`.
pub fn vacuum(
    plan: &Plan,
    retention: Option<Duration>,
    act: VacuumAct,
) -> Result<Vec<(&'static str, Vacuumed)>> {
    let retention = retention.unwrap_or(plan.publish.retention);
    if act == VacuumAct::Delete && retention < UNDER_WAY {
        let mut store = open_existing_state(&plan.state)?;
        let vacuumed = Publisher::open(&plan.publish, &plan.name, &mut store)?
            .vacuum(&plan.publish, retention)?;
        store.settle()?;
        return Ok(vacuumed);
    }
    Place::open(&plan.publish, &plan.name)?.vacuum(retention, act)
}

/// The place of a pipeline's tables.
struct Place {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    root: Path,
    app: String,
    url: String,
}

impl Place {
    fn open(plan: &PublishPlan, app: &str) -> Result<Self> {
        let (store, root) = sink::open_store(&plan.url, &plan.options.0)
            .map_err(|error| error.context(format!("publish.url = {}", plan.url)))?;
        let (app, url) = (app.to_owned(), plan.url.clone());
        Ok(Self { runtime: runtime()?, store, root, app, url })
    }

    fn vacuum(&self, retention: Duration, act: VacuumAct) -> Result<Vec<(&'static str, Vacuumed)>> {
        let writers = if retention < UNDER_WAY { Writers::Nobody } else { Writers::Others };
        let vacuum = Vacuum { now_ms: clock::now_micros() / 1000, retention, writers, act };
        let mut all = Vec::new();
        for spec in tables::ALL {
            let table = Table::open_existing(Arc::clone(&self.store), &self.root, spec);
            let Some(mut table) = self.runtime.block_on(table)? else { continue };
            if let Some(other) = table.other_writer(&self.app) {
                return Err(other_pipeline(spec, other));
            }
            all.push((spec.name, self.runtime.block_on(table.vacuum(&vacuum))?));
        }
        add_unfinished(&mut all, &self.url, &vacuum)?;
        Ok(all)
    }

    /// Vacuums where it is time; tells what came of it.
    fn vacuum_if_due(&self, retention: Duration, telemetry: &Telemetry) -> Result<()> {
        let clock = Stopwatch::start();
        let last = self.runtime.block_on(sink::last_vacuum(&self.store, &self.root))?;
        let since = last.map(|last| clock::now_micros() / 1000 - last);
        if since.is_some_and(|since| since < between(retention)) {
            return Ok(());
        }
        if since.is_some() {
            let all = self.vacuum(retention, VacuumAct::Delete)?;
            let sum = |of: fn(&Vacuumed) -> u64| all.iter().map(|(_, it)| of(it)).sum();
            TablesVacuumed {
                files: sum(|it| it.files + it.log_files),
                bytes: sum(|it| it.bytes),
                duration: clock.elapsed(),
            }
            .emit(telemetry);
        }
        // Where there was none before, the time starts now.
        self.runtime.block_on(sink::note_vacuum(&self.store, &self.root))
    }
}

/// Deletes unfinished uploads to tables, and adds them to what was deleted.
pub(super) fn add_unfinished(
    all: &mut [(&'static str, Vacuumed)],
    url: &str,
    vacuum: &Vacuum,
) -> Result<()> {
    for (name, vacuumed) in all {
        let (files, bytes) = sink::delete_unfinished(url, name, vacuum)?;
        vacuumed.files += files;
        vacuumed.bytes += bytes;
    }
    Ok(())
}

/// How many milliseconds there are between two vacuums.
fn between(retention: Duration) -> i64 {
    let [least, greatest] = BETWEEN;
    let between = (retention / TIMES).clamp(least, greatest);
    i64::try_from(between.as_millis()).unwrap_or(i64::MAX)
}

/// The vacuums of a running job.
pub(super) struct Vacuums {
    plan: PublishPlan,
    app: String,
    telemetry: Telemetry,
    chore: Chore,
    has_looked: bool,
}

impl Vacuums {
    pub(super) fn new(plan: &PublishPlan, app: &str, telemetry: &Telemetry) -> Self {
        Self {
            plan: plan.clone(),
            app: app.to_owned(),
            telemetry: telemetry.clone(),
            chore: Chore::new("vacuum", FIRST_LOOK),
            has_looked: false,
        }
    }

    /// Looks whether it is time for one, now and then.
    pub(super) fn look_if_due(&mut self) {
        if self.chore.is_due() {
            self.look();
        }
    }

    fn look(&mut self) {
        self.has_looked = true;
        let (plan, app, telemetry) = (self.plan.clone(), self.app.clone(), self.telemetry.clone());
        let started = self.chore.start(LOOK, move || {
            let place = Place::open(&plan, &app);
            let done = place.and_then(|place| place.vacuum_if_due(plan.retention, &telemetry));
            if let Err(error) = done {
                VacuumFailed { error: &error }.emit(&telemetry);
            }
        });
        if let Err(error) = started {
            VacuumFailed { error: &error }.emit(&self.telemetry);
        }
    }

    /// Looks at the end of a job that had no time to, and waits for what is at work.
    pub(super) fn finish(&mut self) {
        if !self.has_looked {
            self.look();
        }
        self.wait();
    }

    /// Waits for the one that is at work.
    pub(super) fn wait(&mut self) {
        if let Err(error) = self.chore.wait() {
            VacuumFailed { error: &error }.emit(&self.telemetry);
        }
    }
}

#[cfg(test)]
mod tests;
