//! What does the truth file say, and of what: records or events?

use std::collections::BTreeSet;
use std::path::Path;

use csv::StringRecord;

use crate::error::{Context, Error, Kind, Result};

/// What the ids of a truth file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruthKind {
    /// `record_id,cluster_id`: rows of an export.
    Records,
    /// `event_id,person_id`: events of a stream.
    Events,
}

impl TruthKind {
    const ALL: [Self; 2] = [Self::Records, Self::Events];

    /// The columns of the id and of the cluster.
    pub const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Records => ("record_id", "cluster_id"),
            Self::Events => ("event_id", "person_id"),
        }
    }
}

/// A known partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What the ids name.
    pub kind: TruthKind,
    /// `(id, cluster)` in the order of the file; no id twice.
    pub rows: Vec<(String, String)>,
}

/// Reads a CSV file with the header `record_id,cluster_id` or `event_id,person_id`.
///
/// The two columns may stand anywhere; others are ignored.
///
/// **Errors:** `Invalid` where the file cannot be read, has neither header, an empty id or cluster,
/// or an id twice. Messages name lines, never values.
pub fn read_truth(path: &Path) -> Result<Truth> {
    read(path).map_err(|e| e.context(format!("read truth {}", path.display())))
}

fn read(path: &Path) -> Result<Truth> {
    let mut reader =
        csv::ReaderBuilder::new().from_path(path).context(Kind::Invalid, "open file")?;
    let header = reader.headers().context(Kind::Invalid, "read header")?;
    let (kind, id, cluster) = columns(header).ok_or_else(|| {
        Error::invalid("the header must be `record_id,cluster_id` or `event_id,person_id`")
    })?;

    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for row in reader.records() {
        let row = row.context(Kind::Invalid, "read row")?;
        let line = row.position().map_or(0, csv::Position::line);
        let value = |column| row.get(column).filter(|value| !value.is_empty());
        let (Some(id), Some(cluster)) = (value(id), value(cluster)) else {
            return Err(Error::invalid(format!("line {line}: the id or its cluster is empty")));
        };
        if !seen.insert(id.to_owned()) {
            return Err(Error::invalid(format!("line {line}: the id stood in an earlier line")));
        }
        rows.push((id.to_owned(), cluster.to_owned()));
    }
    Ok(Truth { kind, rows })
}

/// What the header makes of the file, and where the two columns stand.
fn columns(header: &StringRecord) -> Option<(TruthKind, usize, usize)> {
    let place = |name| header.iter().position(|column| column.trim() == name);
    TruthKind::ALL.into_iter().find_map(|kind| {
        let (id, cluster) = kind.columns();
        Some((kind, place(id)?, place(cluster)?))
    })
}
