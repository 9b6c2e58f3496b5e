//! CSV with a header: each row as a JSON object of column name to text; an empty cell is absent.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder, WriterBuilder};

use super::{Failure, Row};
use crate::record::Reason;

/// A row longer than this is a quote that was never closed: the rest of the file is no table.
const ROW_BYTES_MAX: usize = 64 << 20;

/// The rows of one file.
pub(super) struct CsvRows {
    reader: Reader<Metered>,
    meter: Arc<AtomicUsize>,
    delimiter: u8,
    /// `"column":` in JSON, by position.
    columns: Vec<Vec<u8>>,
    record: ByteRecord,
    limit: usize,
}

/// Counts bytes, and refuses to go on when a row gets out of hand: the CSV reader itself has no
/// limit.
struct Metered {
    inner: BufReader<Box<dyn Read + Send>>,
    since_row: Arc<AtomicUsize>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.load(Ordering::Relaxed) > ROW_BYTES_MAX {
            return Err(io::Error::other("a quote is opened and never closed"));
        }
        let read = self.inner.read(buffer)?;
        self.since_row.fetch_add(read, Ordering::Relaxed);
        Ok(read)
    }
}

impl CsvRows {
    pub(super) fn new(
        inner: BufReader<Box<dyn Read + Send>>,
        delimiter: u8,
        limit: usize,
    ) -> Result<Self, Failure> {
        let meter = Arc::new(AtomicUsize::new(0));
        let metered = Metered { inner, since_row: Arc::clone(&meter) };
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(metered);
        let mut names: Vec<&str> = Vec::new();
        for name in reader.headers()? {
            if !name.is_empty() && names.contains(&name) {
                return Err(format!("the header names column `{name}` twice").into());
            }
            names.push(name);
        }
        let column = |name: &&str| {
            let mut json = serde_json::to_vec(name)?;
            json.push(b':');
            Ok::<_, serde_json::Error>(json)
        };
        let columns = names.iter().map(column).collect::<Result<_, _>>()?;
        Ok(Self { reader, meter, delimiter, columns, record: ByteRecord::new(), limit })
    }

    pub(super) fn next(&mut self) -> Result<Option<Option<Row>>, Failure> {
        self.meter.store(0, Ordering::Relaxed);
        if !self.reader.read_byte_record(&mut self.record)? {
            return Ok(None);
        }
        Ok(Some(Some(self.row()?)))
    }

    fn row(&self) -> Result<Row, Failure> {
        if self.record.as_slice().len() > self.limit {
            return Ok(Row::too_large(&self.written()?, self.limit));
        }
        let (cells, columns) = (self.record.len(), self.columns.len());
        if cells != columns {
            let detail = format!("{cells} cells, expected {columns} as in the header");
            return Ok(Row::faulty(self.written()?, Reason::Malformed, detail));
        }
        let mut json = Vec::with_capacity(self.record.as_slice().len() + 16 * columns);
        json.push(b'{');
        for (i, (cell, column)) in self.record.iter().zip(&self.columns).enumerate() {
            let Ok(cell) = std::str::from_utf8(cell) else {
                let detail = format!("column {}: expected UTF-8", i + 1);
                return Ok(Row::faulty(self.written()?, Reason::Malformed, detail));
            };
            if !cell.is_empty() {
                if json.len() > 1 {
                    json.push(b',');
                }
                json.extend_from_slice(column);
                serde_json::to_writer(&mut json, cell)?;
            }
        }
        json.push(b'}');
        Ok(Row::whole(json))
    }

    /// The row as a line of CSV.
    fn written(&self) -> Result<Vec<u8>, Failure> {
        let mut writer =
            WriterBuilder::new().delimiter(self.delimiter).flexible(true).from_writer(Vec::new());
        writer.write_byte_record(&self.record)?;
        let mut line = writer.into_inner().map_err(|error| error.to_string())?;
        line.pop();
        Ok(line)
    }
}
