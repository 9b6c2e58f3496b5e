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
    /// `CLUSTER_ID,RECORD_ID,DATA_SOURCE`: rows or events of several sources, as the keys of
    /// Senzing's truth sets are written. An id is then `source:id`, the source in lower case.
    Keys,
}

impl TruthKind {
    /// The one that asks for the most columns first.
    const ALL: [Self; 3] = [Self::Keys, Self::Records, Self::Events];

    /// The columns of the id, of the cluster and, where there is one, of the source.
    pub const fn columns(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Records => ("record_id", "cluster_id", None),
            Self::Events => ("event_id", "person_id", None),
            Self::Keys => ("record_id", "cluster_id", Some("data_source")),
        }
    }

    /// The id of a row or event of a source, as a truth of [`TruthKind::Keys`] names it.
    pub fn key(source: &str, id: &str) -> String {
        format!("{}:{id}", source.to_lowercase())
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

/// Reads a CSV file with the header `record_id,cluster_id` or `event_id,person_id`; with a column
/// `data_source` beside the first two, ids are of their source.
///
/// The columns may stand anywhere, in upper or lower case; others are ignored.
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
    let Columns { kind, id, cluster, source } = columns(header).ok_or_else(|| {
        Error::invalid(
            "the header must be `record_id,cluster_id`, `event_id,person_id` or \
             `cluster_id,record_id,data_source`",
        )
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
        let id = match source.map(value) {
            None => id.to_owned(),
            Some(Some(source)) => TruthKind::key(source, id),
            Some(None) => {
                return Err(Error::invalid(format!("line {line}: the data source is empty")));
            }
        };
        if !seen.insert(id.clone()) {
            return Err(Error::invalid(format!("line {line}: the id stood in an earlier line")));
        }
        rows.push((id, cluster.to_owned()));
    }
    Ok(Truth { kind, rows })
}

/// What the header makes of the file, and where its columns stand.
struct Columns {
    kind: TruthKind,
    id: usize,
    cluster: usize,
    source: Option<usize>,
}

fn columns(header: &StringRecord) -> Option<Columns> {
    let place =
        |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    TruthKind::ALL.into_iter().find_map(|kind| {
        let (id, cluster, source) = kind.columns();
        let source = match source {
            Some(source) => Some(place(source)?),
            None => None,
        };
        Some(Columns { kind, id: place(id)?, cluster: place(cluster)?, source })
    })
}
