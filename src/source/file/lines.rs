//! JSON Lines: one document a line, `\n` or `\r\n`, empty lines allowed.

use std::io::{BufRead, BufReader, Read};

use super::{Failure, Row};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The lines of one file.
pub(super) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    limit: usize,
    line: Vec<u8>,
    at_start: bool,
}

impl Lines {
    /// Reads lines of up to `limit` bytes; longer ones come out faulty.
    pub(super) fn new(reader: BufReader<Box<dyn Read + Send>>, limit: usize) -> Self {
        Self { reader, limit, line: Vec::new(), at_start: true }
    }

    pub(super) fn next(&mut self) -> Result<Option<Option<Row>>, Failure> {
        self.line.clear();
        // Two bytes more than a line may have, for its end.
        let most = self.limit as u64 + 2;
        if (&mut self.reader).take(most).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let cut_off = self.line.last() != Some(&b'\n') && self.line.len() as u64 == most;
        if std::mem::take(&mut self.at_start) && self.line.starts_with(BOM) {
            self.line.drain(..BOM.len());
        }
        let line = self.line.trim_ascii();
        if cut_off || line.len() > self.limit {
            let row = Row::too_large(line, self.limit);
            if cut_off {
                self.skip_rest()?;
            }
            return Ok(Some(Some(row)));
        }
        Ok(Some((!line.is_empty()).then(|| Row::whole(line.to_vec()))))
    }

    fn skip_rest(&mut self) -> Result<(), Failure> {
        loop {
            self.line.clear();
            let read = (&mut self.reader).take(1 << 16).read_until(b'\n', &mut self.line)?;
            if read == 0 || self.line.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }
}
