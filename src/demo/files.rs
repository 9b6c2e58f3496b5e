//! What does the stream look like as files?

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{Channel, Stream};
use crate::error::{Context, Kind, Result};

impl Stream {
    /// Writes `web.jsonl`, `email.jsonl`, `phone.jsonl`, `store.jsonl`, `truth.csv`
    /// (`event_id,person_id`) and `malformed.csv` (`channel,event_id,kind`) into `folder`, which is
    /// made if need be.
    ///
    /// **Errors:** `Unavailable` where a file cannot be written.
    pub fn write_to(&self, folder: &Path) -> Result<()> {
        self.write_files(folder)
            .context(Kind::Unavailable, format!("write events to {}", folder.display()))
    }

    fn write_files(&self, folder: &Path) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        for channel in Channel::ALL {
            let name = format!("{}.jsonl", channel.name());
            let lines = self.lines.iter().filter(|line| line.channel == channel);
            write_lines(&folder.join(name), lines.map(|line| line.text.clone()))?;
        }
        let header = ["event_id,person_id".to_owned()].into_iter();
        let rows = self.truth.iter().map(|(event, person)| format!("{event},{person}"));
        write_lines(&folder.join("truth.csv"), header.chain(rows))?;

        let header = ["channel,event_id,kind".to_owned()].into_iter();
        let rows = self
            .malformed
            .iter()
            .map(|line| format!("{},{},{}", line.channel.name(), line.event_id, line.kind.name()));
        write_lines(&folder.join("malformed.csv"), header.chain(rows))
    }
}

fn write_lines(path: &Path, lines: impl Iterator<Item = String>) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for line in lines {
        writeln!(file, "{line}")?;
    }
    file.flush()
}
