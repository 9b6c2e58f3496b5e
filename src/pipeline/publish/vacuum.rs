//! The tables of a job that has taken them, down to their present versions.

use std::time::Duration;

use super::super::vacuum::add_unfinished;
use super::Publisher;
use crate::clock;
use crate::config::PublishPlan;
use crate::error::{Error, Result};
use crate::sink::{self, Latest, Vacuum, VacuumAct, Vacuumed, Writers};

impl Publisher {
    /// Deletes what no version of a table needs that was the present one within the retention; with a
    /// retention of zero, everything but the present versions. Says so by table.
    ///
    /// What is still to be published stays to be published; what the tables have must be a whole
    /// commit, for the consistent set names their present versions then.
    ///
    /// **Errors:** `Invalid` where a publish was cut short: publish first; `Fenced` where another
    /// writer has a table; `Unavailable`: the same call may be made again.
    pub(in crate::pipeline) fn vacuum(
        &mut self,
        plan: &PublishPlan,
        retention: Duration,
    ) -> Result<Vec<(&'static str, Vacuumed)>> {
        self.renew_latest()?;
        let (writers, act) = (Writers::Nobody, VacuumAct::Delete);
        let vacuum = Vacuum { now_ms: clock::now_micros() / 1000, retention, writers, act };
        let runtime = self.runtime.handle().clone();
        let vacuumed = self
            .tables_mut()
            .into_iter()
            .map(|table| Ok((table.spec().name, runtime.block_on(table.vacuum(&vacuum))?)));
        let mut vacuumed = vacuumed.collect::<Result<Vec<_>>>()?;
        add_unfinished(&mut vacuumed, &plan.url, &vacuum)?;
        Ok(vacuumed)
    }

    /// Lets the consistent set name the present versions of the tables: they moved on without a
    /// commit, by a fence or by an erasure.
    pub(in crate::pipeline) fn renew_latest(&self) -> Result<()> {
        let latest = self.runtime.block_on(sink::read_latest(&self.store, &self.root))?;
        let commit = latest.as_ref().map_or(0, |latest| latest.commit);
        if self.tables().iter().any(|table| table.txn(&self.app) > Some(commit)) {
            return Err(Error::invalid(
                "a publish was cut short, some tables are ahead of the others: run the job first",
            ));
        }
        if latest.is_none() {
            return Ok(());
        }
        let latest = Latest { commit, tables: self.versions() };
        self.runtime.block_on(sink::write_latest(&self.store, &self.root, &latest))
    }
}
