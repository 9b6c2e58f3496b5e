//! Files in, messages out: which files, from which row on?
//!
//! All patterns are resolved once, at the start, into a sorted list, so a run over files is
//! bounded. Each file is streamed; a position is the ordinal of a line or row, and a file that has
//! one is skipped up to there.

mod csv_rows;
mod lines;
mod location;
mod parquet_rows;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use self::csv_rows::CsvRows;
use self::lines::Lines;
use self::location::Location;
use self::parquet_rows::ParquetRows;
use super::{BATCH_BYTES_MAX, Batch, Fault, FilesPlan, Format, Limits, Message, Positions, Source};
use crate::error::{Error, Result};
use crate::record::{Origin, Reason};

/// Large reads keep the decoder busy.
const BUFFER_BYTES: usize = 256 << 10;

/// How much of a line or row that is too large goes to the dead letters.
const KEPT_BYTES: usize = 64 << 10;

/// One line or row.
struct Row {
    payload: Bytes,
    fault: Option<Fault>,
}

impl Row {
    fn whole(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), fault: None }
    }

    fn faulty(payload: impl Into<Bytes>, reason: Reason, detail: impl Into<String>) -> Self {
        Self { payload: payload.into(), fault: Some(Fault { reason, detail: detail.into() }) }
    }

    fn too_large(payload: &[u8], limit: usize) -> Self {
        let kept = Bytes::copy_from_slice(&payload[..payload.len().min(KEPT_BYTES)]);
        Self::faulty(kept, Reason::TooLarge, format!("more than {limit} bytes"))
    }
}

/// Reads all files of a source, one after the other.
pub(super) struct FileSource {
    source: Arc<str>,
    format: Option<Format>,
    delimiter: Option<u8>,
    limit: usize,
    waiting: VecDeque<(Location, u64)>,
    current: Option<Open>,
}

/// The file that is being read.
struct Open {
    location: Location,
    partition: Arc<str>,
    next: u64,
    rows: Rows,
}

/// Rows of the formats.
enum Rows {
    Lines(Lines),
    Csv(Box<CsvRows>),
    Parquet(Box<ParquetRows>),
}

/// Finds the files of a source.
pub(super) fn open(
    source: &Arc<str>,
    plan: &FilesPlan,
    limits: &Limits,
    start: &Positions,
) -> Result<FileSource> {
    let locations = location::find(&plan.patterns, &plan.options)?;
    for location in &locations {
        format_of(plan.format, location)?;
    }
    let from = |location: &Location| {
        start.get(&(Arc::clone(source), Arc::from(location.name()))).copied().unwrap_or(0)
    };
    Ok(FileSource {
        source: Arc::clone(source),
        format: plan.format,
        delimiter: plan.delimiter,
        limit: limits.payload,
        waiting: locations.into_iter().map(|l| (from(&l), l)).map(|(n, l)| (l, n)).collect(),
        current: None,
    })
}

impl Source for FileSource {
    fn next(&mut self, limit: usize, _wait: Duration) -> Result<Option<Batch>> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while batch.messages.len() < limit && bytes < BATCH_BYTES_MAX {
            match self.message() {
                Ok(Some(message)) => {
                    bytes += message.payload.len();
                    batch.messages.push(message);
                }
                Ok(None) => break,
                Err(error) => {
                    self.rewind();
                    if batch.messages.is_empty() {
                        return Err(error);
                    }
                    // What was read before is handed out first; the error comes again, or is gone.
                    break;
                }
            }
        }
        Ok((!batch.messages.is_empty()).then_some(batch))
    }
}

impl FileSource {
    fn message(&mut self) -> Result<Option<Message>> {
        while let Some(open) = self.current()? {
            let row = open.rows.next().map_err(|error| open.failed(error))?;
            let Some(row) = row else {
                self.current = None;
                continue;
            };
            let offset = open.next;
            open.next += 1;
            if let Some(Row { payload, fault }) = row {
                let partition = Arc::clone(&open.partition);
                let origin = Origin { source: Arc::clone(&self.source), partition, offset };
                return Ok(Some(Message { origin, payload, fault, envelope: None }));
            }
        }
        Ok(None)
    }

    /// Puts the file back, so that a retry opens it anew: a decoder that failed is of no more use.
    fn rewind(&mut self) {
        if let Some(open) = self.current.take() {
            self.waiting.push_front((open.location, open.next));
        }
    }

    /// The file that is being read, or the next one.
    fn current(&mut self) -> Result<Option<&mut Open>> {
        if self.current.is_none() {
            let Some((location, from)) = self.waiting.front() else { return Ok(None) };
            let (location, from) = (location.clone(), *from);
            let partition: Arc<str> = location.name().into();
            let rows = self.rows(&location)?;
            let mut open = Open { location, partition, next: from, rows };
            let skipped = open.rows.skip(from).map_err(|error| open.failed(error))?;
            if skipped < from {
                return Err(Error::data(format!(
                    "`{}` has {skipped} rows, but {from} were read from it before: it was \
                     replaced; give the new file a new name",
                    open.partition
                )));
            }
            self.waiting.pop_front();
            self.current = Some(open);
        }
        Ok(self.current.as_mut())
    }

    fn rows(&self, location: &Location) -> Result<Rows> {
        let failed = |error| broken(location.name(), 0, error);
        Ok(match format_of(self.format, location)? {
            Format::Jsonl => Rows::Lines(Lines::new(decoded(location)?, self.limit)),
            Format::Csv => {
                let tab = location.name().to_ascii_lowercase().contains(".tsv");
                let delimiter = self.delimiter.unwrap_or(if tab { b'\t' } else { b',' });
                let rows = CsvRows::new(decoded(location)?, delimiter, self.limit);
                Rows::Csv(Box::new(rows.map_err(failed)?))
            }
            Format::Parquet => {
                let rows = ParquetRows::new(location.chunks()?, self.limit);
                Rows::Parquet(Box::new(rows.map_err(failed)?))
            }
        })
    }
}

impl Open {
    fn failed(&self, error: Failure) -> Error {
        broken(&self.partition, self.next, error)
    }
}

impl Rows {
    /// The next row; `Some(None)` for one that holds nothing, like an empty line.
    fn next(&mut self) -> std::result::Result<Option<Option<Row>>, Failure> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Csv(rows) => rows.next(),
            Self::Parquet(rows) => rows.next(),
        }
    }

    /// Passes over rows; returns how many there were.
    fn skip(&mut self, rows: u64) -> std::result::Result<u64, Failure> {
        if let Self::Parquet(parquet) = self {
            return parquet.skip(rows);
        }
        let mut skipped = 0;
        while skipped < rows && self.next()?.is_some() {
            skipped += 1;
        }
        Ok(skipped)
    }
}

/// What a reader stumbled over.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An error that names the file and the row; unavailable where the store is at fault, else data.
fn broken(name: &str, row: u64, failure: Failure) -> Error {
    let act = format!("read `{name}` at row {row}");
    let error =
        if location::is_away(&*failure) { Error::unavailable(act) } else { Error::data(act) };
    error.caused_by(failure)
}

fn format_of(format: Option<Format>, location: &Location) -> Result<Format> {
    format.or_else(|| Format::of_name(location.name())).ok_or_else(|| {
        Error::invalid(format!(
            "cannot tell the format of `{}` from its name: set `format` to jsonl, csv or parquet",
            location.name()
        ))
    })
}

/// The bytes of a file, decompressed by the ending of its name.
fn decoded(location: &Location) -> Result<BufReader<Box<dyn Read + Send>>> {
    let raw = location.bytes()?;
    let name = location.name().to_ascii_lowercase();
    let plain: Box<dyn Read + Send> = if name.ends_with(".gz") {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, raw)))
    } else if name.ends_with(".zst") {
        let decoder = zstd::stream::read::Decoder::new(raw);
        Box::new(decoder.map_err(|error| broken(location.name(), 0, error.into()))?)
    } else {
        raw
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, plain))
}
