//! Does everything in the state fit together?

use std::collections::BTreeMap;

use super::keyspace::{JUDGEMENT_PREFIX, Space, judgement_key, key_bytes};
use super::row::{NodeId, Status, decode};
use super::view::View;
use crate::error::{Error, Result};
use crate::record::{IdentityId, Judgement};

/// What a state holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The last commit.
    pub sequence: u64,
    /// Record nodes.
    pub records: u64,
    /// Edges between them.
    pub edges: u64,
    /// Identities with members.
    pub identities_live: u64,
    /// Identities that were merged into another or lost all members.
    pub identities_gone: u64,
    /// Events in the facts of all nodes.
    pub facts_events: u64,
    /// Events that would be recognised.
    pub events: u64,
    /// Pairs of records of which something was judged, withdrawals too.
    pub judgements: u64,
    /// Disk space. **Units:** bytes.
    pub disk_bytes: u64,
}

/// Checks that every record belongs to one live identity, but for those that wait to be resolved, and every live identity
/// has a member, that edges and facts are those of records, that lookups by key and by identity find them, that each
/// judgement stands at its pair, and that the counts are those that the head names.
pub(super) fn verify(view: &View, disk_bytes: u64) -> Result<Report> {
    let mut report = Report { sequence: view.sequence(), disk_bytes, ..Report::default() };
    let nodes = record_nodes(view)?;
    report.records = nodes.iter().filter(|there| **there).count() as u64;
    if report.records != view.nodes() {
        return Err(contradiction("the number of records is not that of the head"));
    }
    let assigned = verify_identities(view, &nodes, &mut report)?;
    verify_lookups(view, report.records, assigned)?;
    let is_there = |node: NodeId| nodes.get(node as usize).is_some_and(|there| *there);
    for row in view.edges() {
        let (node, edges) = row?;
        if !is_there(node) || edges.iter().any(|edge| edge.lower >= node || !is_there(edge.lower)) {
            return Err(contradiction("an edge leads to a node that is not there or not lower"));
        }
        report.edges += edges.len() as u64;
    }
    for row in view.all_facts() {
        let (node, facts) = row?;
        if !is_there(node) {
            return Err(contradiction("facts belong to a node that is not there"));
        }
        report.facts_events += facts.events();
    }
    for row in view.scan(Space::Events, &[]) {
        let (key, value) = row?;
        key_bytes::<16>(Space::Events, &key)?;
        if decode::<NodeId>("events", &value)? >= view.next_node() {
            return Err(contradiction("an event belongs to a node that never was"));
        }
        report.events += 1;
    }
    report.judgements = verify_judgements(view)?;
    verify_outbox(view)?;
    Ok(report)
}

/// For each node up to the last whether there is a record.
fn record_nodes(view: &View) -> Result<Vec<bool>> {
    let mut nodes = vec![false; view.next_node() as usize];
    for row in view.records() {
        match nodes.get_mut(row?.0 as usize) {
            Some(there) => *there = true,
            None => return Err(contradiction("a record has a node that was never given out")),
        }
    }
    Ok(nodes)
}

/// Returns how many records belong to an identity.
fn verify_identities(view: &View, nodes: &[bool], report: &mut Report) -> Result<u64> {
    let mut members = BTreeMap::<IdentityId, u64>::new();
    let mut assigned = 0;
    for row in view.members() {
        let (node, identity) = row?;
        if !nodes.get(node as usize).is_some_and(|there| *there) {
            return Err(contradiction("a member is not there"));
        }
        *members.entry(identity).or_default() += 1;
        assigned += 1;
    }
    if assigned != report.records && !view.is_unresolved()? {
        return Err(contradiction("a record belongs to no identity"));
    }
    for row in view.identities() {
        let row = row?;
        let has_members = members.remove(&row.id).is_some();
        if has_members != (row.status == Status::Live) {
            return Err(contradiction("an identity is live without members, or gone with them"));
        }
        match has_members {
            true => report.identities_live += 1,
            false => report.identities_gone += 1,
        }
    }
    if members.is_empty() {
        Ok(assigned)
    } else {
        Err(contradiction("a member belongs to an identity that is not there"))
    }
}

/// What is read the other way round says the same.
fn verify_lookups(view: &View, records: u64, assigned: u64) -> Result<()> {
    for row in view.records() {
        let (node, row) = row?;
        if view.node_of_record(&row.key)? != Some(node) {
            return Err(contradiction("a record is not found by its key"));
        }
    }
    let keys = view.scan(Space::Nodes, &[]).try_fold(0, |keys, row| row.map(|_| keys + 1))?;
    if keys != records {
        return Err(contradiction("a key leads to a record that is not there"));
    }
    let mut members = 0;
    for row in view.clusters() {
        let (identity, node) = row?;
        if view.identity_of(node)? != Some(identity) {
            return Err(contradiction("an identity lists a record that is not its own"));
        }
        members += 1;
    }
    if members != assigned {
        return Err(contradiction("an identity does not list a record of its own"));
    }
    for row in view.shared() {
        if row?.1 <= 1.0 {
            return Err(contradiction("an identifier is shared by one person"));
        }
    }
    view.capped().try_for_each(|row| row.map(drop))
}

fn verify_judgements(view: &View) -> Result<u64> {
    let mut count = 0;
    for row in view.scan(Space::Meta, &[JUDGEMENT_PREFIX]) {
        let (key, value) = row?;
        let judgement: Judgement = decode("judgements", &value)?;
        if !judgement.pair.is_ordered() || *key != judgement_key(&judgement.pair) {
            return Err(contradiction("a judgement does not stand at its pair"));
        }
        count += 1;
    }
    Ok(count)
}

fn verify_outbox(view: &View) -> Result<()> {
    view.interactions(0).try_for_each(|row| row.map(drop))?;
    view.dead_letters(0).try_for_each(|row| row.map(drop))?;
    view.letters_waiting()?;
    view.topics_waiting()?;
    view.changes(0).try_for_each(|row| row.map(drop))?;
    view.touched()?;
    view.mappings()?;
    view.positions()?;
    Ok(())
}

fn contradiction(what: &str) -> Error {
    Error::data(format!("state: {what}"))
}
