//! How does somebody who was erased leave the tables?

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::ObjectStoreExt;

use super::super::erasure::{Receipt, TableTrace, Traces};
use super::super::plain::write_plain;
use super::Publisher;
use crate::config::PublishPlan;
use crate::error::{Context, Kind, Result};
use crate::failpoint::{Step, around};
use crate::sink::{Erasure, PlainWhen};
use crate::state::View;
use crate::telemetry::Activity;

impl Publisher {
    /// Takes what was erased out of every file of the tables, and deletes whatever is not of their present versions; says
    /// what that was, by table. What was committed is published before.
    ///
    /// **Errors:** `Unavailable` where the store is away: the same call may be made again; `Fenced`.
    pub(in crate::pipeline) fn erase(
        &mut self,
        plan: &PublishPlan,
        traces: &Traces,
        view: &View,
    ) -> Result<BTreeMap<String, TableTrace>> {
        let commit = self.info(view);
        let Self { runtime, telemetry, .. } = &*self;
        let (runtime, telemetry) = (runtime.handle().clone(), telemetry.clone());
        let mut removed = BTreeMap::new();
        for table in self.tables_mut() {
            telemetry.beat(Activity::Publishing);
            let trace = runtime.block_on(traces.erase_from(table, &commit))?;
            removed.insert(table.spec().name.to_owned(), trace);
        }
        for (name, vacuumed) in self.vacuum(plan, Duration::ZERO)? {
            let Some(trace) = removed.get_mut(name) else { continue };
            (trace.deleted_files, trace.deleted_log_files) = (vacuumed.files, vacuumed.log_files);
        }
        write_plain(plan, PlainWhen::Erased)?;
        Ok(removed)
    }

    /// Takes interactions out of their table that happened before a day, counted since 1970; returns how many. Their
    /// files go with the earlier versions.
    ///
    /// **Errors:** `Unavailable` where the store is away: the same call may be made again; `Fenced`.
    pub(in crate::pipeline) fn expire(&mut self, day: i64, view: &View) -> Result<u64> {
        self.telemetry.beat(Activity::Publishing);
        let commit = self.info(view);
        let before = Erasure::Before { column: "event_date", day };
        let erased = self.runtime.block_on(self.interactions.erase(before, &commit))?;
        if erased.rows > 0 {
            self.renew_latest()?;
        }
        Ok(erased.rows)
    }

    /// Puts a receipt beside the tables.
    ///
    /// **Errors:** `Unavailable` where the store is away.
    pub(in crate::pipeline) fn put_receipt(&self, receipt: &Receipt) -> Result<()> {
        let bytes =
            serde_json::to_vec_pretty(receipt).context(Kind::Internal, "encode a receipt")?;
        let name = format!("{}.json", receipt.receipt);
        let path = self.root.clone().join("_onefold").join("receipts").join(name);
        let put =
            around(Step::Receipt, || self.runtime.block_on(self.store.put(&path, bytes.into())));
        put.map(drop).context(Kind::Unavailable, "put a receipt")
    }
}
