//! How far is a pipeline: its positions, its state, its tables?
//!
//! Reads what lies there and changes nothing. The state of a running job cannot be looked at from
//! outside: then the tables say how far it is, and the job itself over HTTP.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::opening::state_options;
use super::publish::runtime;
use super::snapshot::snapshots;
use crate::config::Plan;
use crate::error::{Kind, Result};
use crate::sink::{self, Latest, Table, tables};
use crate::source::Positions;
use crate::state::{Counters, Reader};

/// How far a pipeline is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The pipeline's name.
    pub pipeline: String,
    /// Where its state is.
    pub state_path: PathBuf,
    /// Its state.
    pub state: StateStatus,
    /// Where its tables are.
    pub publish_url: String,
    /// The consistent set of table versions that was published last; `None` before the first.
    pub latest: Option<Latest>,
    /// Each table that there is.
    pub tables: Vec<TableStatus>,
    /// The latest snapshot of the state: its commit; `None` where there is none, or no place for them.
    pub snapshot: Option<u64>,
    /// Where the job answers, if it runs and was told so.
    pub http: Option<std::net::SocketAddr>,
}

/// How a state stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateStatus {
    /// There is none.
    Absent,
    /// A process has it open.
    Running,
    /// Nobody has it open.
    AtRest {
        /// The last commit.
        sequence: u64,
        /// The last commit that is in all tables.
        published: u64,
        /// How often it was opened by a writer.
        epoch: u64,
        /// What became of the messages.
        counters: Counters,
        /// The next offset of each partition.
        positions: Positions,
        /// Whether it is read without a replay of journals, as after a job that ended well.
        is_settled: bool,
    },
}

/// How a table stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u64,
    /// The last commit of the pipeline that it has.
    pub commit: Option<u64>,
    /// The epoch of its latest writer.
    pub epoch: Option<u64>,
    /// Its rows.
    pub rows: u64,
    /// Its data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Status {
    /// How many commits wait to be published; `None` where that cannot be told.
    pub fn unpublished(&self) -> Option<u64> {
        match &self.state {
            StateStatus::AtRest { sequence, published, .. } => Some(sequence - published),
            StateStatus::Absent | StateStatus::Running => None,
        }
    }
}

/// Looks how far a pipeline is.
///
/// **Errors:** `Data` where state or tables are damaged; `Unavailable` where the tables' store is away.
pub fn status(plan: &Plan) -> Result<Status> {
    let (latest, tables) = published(plan)?;
    let snapshot = match plan.state.snapshot {
        Some(_) => snapshots(plan)?.first().map(|snapshot| snapshot.sequence),
        None => None,
    };
    Ok(Status {
        pipeline: plan.name.clone(),
        state_path: plan.state.path.clone(),
        state: of_state(plan)?,
        publish_url: plan.publish.url.clone(),
        latest,
        tables,
        snapshot,
        http: plan.http.as_ref().map(|http| http.address),
    })
}

fn of_state(plan: &Plan) -> Result<StateStatus> {
    let reader = match Reader::open(&plan.state.path, &state_options(&plan.state)) {
        Ok(reader) => reader,
        Err(error) if error.kind() == Kind::Fenced => return Ok(StateStatus::Running),
        Err(error) if error.kind() == Kind::Invalid => return Ok(StateStatus::Absent),
        Err(error) => return Err(error),
    };
    Ok(StateStatus::AtRest {
        sequence: reader.sequence(),
        published: reader.published(),
        epoch: reader.epoch(),
        counters: reader.counters(),
        positions: reader.positions()?,
        is_settled: reader.is_settled(),
    })
}

fn published(plan: &Plan) -> Result<(Option<Latest>, Vec<TableStatus>)> {
    let named =
        |error: crate::error::Error| error.context(format!("publish.url = {}", plan.publish.url));
    let (store, root) =
        sink::open_store(&plan.publish.url, &plan.publish.options.0).map_err(named)?;
    let read = runtime()?.block_on(async {
        let mut found = Vec::new();
        for spec in tables::ALL {
            let table = Table::open_existing(Arc::clone(&store), &root, spec).await?;
            found.extend(table.map(|table| of_table(&table, &plan.name)));
        }
        Ok((sink::read_latest(&store, &root).await?, found))
    });
    read.map_err(named)
}

fn of_table(table: &Table, app: &str) -> TableStatus {
    let (files, bytes) = table.files();
    TableStatus {
        name: table.spec().name,
        version: table.version(),
        commit: table.txn(app),
        epoch: table.epoch(app),
        rows: table.rows(),
        files,
        bytes,
    }
}

/// The positions of each source, by partition.
pub fn by_source(positions: &Positions) -> BTreeMap<&str, BTreeMap<&str, u64>> {
    let mut sources: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for ((source, partition), next) in positions {
        sources.entry(source).or_default().insert(partition, *next);
    }
    sources
}
