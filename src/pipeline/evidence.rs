//! How does the state's every merge become a table?
//!
//! Identities ascending, some at a time: their records are read and their merges weighed on all
//! cores, their rows appended. Memory is that of some identities at once.

use futures::stream;
use rayon::prelude::*;

use super::publish::runtime;
use super::query::Inspection;
use crate::config::{Plan, PublishPlan};
use crate::error::Result;
use crate::explain::{EvidenceRow, How};
use crate::record::IdentityId;
use crate::sink::{self, Table, Written, tables};
use crate::state::NodeId;

/// Records whose merges are in memory at once, about.
const RECORDS_AT_ONCE: usize = 10_000;

/// Writes the table `match_evidence` to a place: why the records of each identity of more than one
/// were merged. A place that has it of the state's last commit already is left as it is.
///
/// **Errors:** `Unavailable` where the place is away; `Data` of the state.
pub fn write_evidence(
    plan: &Plan,
    inspection: &Inspection,
    place: &PublishPlan,
) -> Result<Written> {
    let runtime = runtime()?;
    let opened = sink::open_store(&place.url, &place.options.0);
    let (store, root) = opened.map_err(|error| error.context(format!("--out {}", place.url)))?;
    let commit = inspection.commit(&plan.name);
    let rows = Batches { clusters: inspection.clusters()?, inspection, waiting: None }
        .map(|rows| sink::match_evidence(&rows?, commit.commit));
    runtime.block_on(async {
        let mut table = Table::open(store, &root, &tables::MATCH_EVIDENCE).await?;
        table.append(stream::iter(rows), &commit).await
    })
}

/// The rows of all identities, some identities at a time.
struct Batches<'a, I> {
    inspection: &'a Inspection,
    clusters: I,
    /// The member that was read last, of the next identity.
    waiting: Option<(IdentityId, NodeId)>,
}

impl<I: Iterator<Item = Result<(IdentityId, NodeId)>> + Send> Batches<'_, I> {
    /// The next identities with their members; none at the end.
    fn identities(&mut self) -> Result<Vec<(IdentityId, Vec<NodeId>)>> {
        let mut some: Vec<(IdentityId, Vec<NodeId>)> = Vec::new();
        let mut records = 0;
        while let Some((identity, node)) =
            self.waiting.take().map(Ok).or_else(|| self.clusters.next()).transpose()?
        {
            match some.last_mut() {
                Some((last, members)) if *last == identity => members.push(node),
                _ if records >= RECORDS_AT_ONCE => {
                    self.waiting = Some((identity, node));
                    break;
                }
                _ => some.push((identity, vec![node])),
            }
            records += 1;
        }
        Ok(some)
    }

    fn rows(&mut self) -> Result<Option<Vec<EvidenceRow>>> {
        loop {
            let some = self.identities()?;
            if some.is_empty() {
                return Ok(None);
            }
            let merged = some.into_iter().filter(|(_, members)| members.len() > 1);
            let merged: Vec<_> = merged.collect();
            let answers: Vec<Result<How>> = merged
                .into_par_iter()
                .map(|(identity, members)| self.inspection.how_of(identity, members))
                .collect();
            let mut rows = Vec::new();
            for how in answers {
                let how = how?;
                rows.extend(how.steps.iter().flat_map(|step| step.rows(how.identity)));
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
    }
}

impl<I: Iterator<Item = Result<(IdentityId, NodeId)>> + Send> Iterator for Batches<'_, I> {
    type Item = Result<Vec<EvidenceRow>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows().transpose()
    }
}
