//! Where the messages of a source stand, resolved.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Mapping;
use crate::normalise;

/// One source of the pipeline, resolved: where its messages stand and what they mean.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// The name in the pipeline file.
    pub name: Arc<str>,
    /// Where the messages stand.
    pub input: Input,
    /// What they mean.
    pub mapping: Mapping,
    /// What the source says of its values; the date order of one event is in
    /// [`Event::month_first`].
    ///
    /// [`Event::month_first`]: crate::record::Event::month_first
    pub normalise: normalise::Settings,
}

/// Where the messages of a source stand.
#[derive(Clone, Debug)]
pub enum Input {
    /// In files, which end.
    Files(FilesPlan),
    /// In Kafka topics, which do not.
    Kafka(KafkaPlan),
}

/// Files of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesPlan {
    /// Local paths or object store URLs; `*`, `?` and `[...]` match within one path segment, `**`
    /// over several.
    pub patterns: Vec<String>,
    /// The format; `None` lets the ending of each file's name decide.
    pub format: Option<Format>,
    /// What separates the cells of a CSV row; `None` is a comma, a tab in `.tsv`.
    pub delimiter: Option<u8>,
    /// Options of the object store, over those of the environment.
    pub options: Options,
}

/// Topics of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaPlan {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// The topics.
    pub topics: Vec<String>,
    /// The consumer group under which offsets are committed.
    pub group: String,
    /// What is done about offsets that the broker no longer has.
    pub on_gap: OnGap,
    /// Further librdkafka settings, over those of Onefold.
    pub options: Options,
}

/// What is done where the broker no longer has what comes next: it is told and counted, and then?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGap {
    /// Reading goes on with the oldest message that is there.
    #[default]
    Continue,
    /// The job stops.
    Stop,
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the formats' own")]
pub enum Format {
    Jsonl,
    Csv,
    Parquet,
}

impl Format {
    /// The name in pipeline files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// The format that the ending of a file's name says, before `.gz` or `.zst`.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" | "tsv" => Some(Self::Csv),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Options of a client library, passed through; their values may be secret, so they never print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options(pub BTreeMap<String, String>);

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|key| (key, "<redacted>"))).finish()
    }
}
