//! How are judgements written in files?
//!
//! One entry a row: `left`, `right`, `judgement` (`together`, `apart` or `withdrawn`), `reason`, `author`, `at`. As CSV,
//! as JSON Lines, or as a JSON array, by the end of the file's name. Other columns are left alone, and a row whose
//! judgement is empty is none, so the file of a review is one of judgements once it is filled in.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};
use crate::record::{Judgement, Micros, Pair, RecordKey, Verdict};

/// A judgement as a file has it.
pub(super) struct Entry {
    /// Where it stands, for errors: `FILE, line 7`.
    pub(super) place: String,
    /// The records, as a person names them.
    pub(super) records: [String; 2],
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) author: Option<String>,
    pub(super) at: Option<Micros>,
}

/// The ways to write rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    JsonLines,
    JsonArray,
}

impl Format {
    /// The format that a file's name asks for.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            "json" => Ok(Self::JsonArray),
            _ => Err(Error::invalid(format!(
                "{}: end the name with .csv, .json or .jsonl: it says how the file is written",
                path.display()
            ))),
        }
    }
}

/// A row as it is read; what is not there is empty.
#[derive(Deserialize)]
struct Read {
    left: Option<String>,
    right: Option<String>,
    judgement: Option<String>,
    reason: Option<String>,
    author: Option<String>,
    at: Option<String>,
}

/// A row as it is written.
#[derive(Serialize)]
struct Written<'a> {
    left: String,
    right: String,
    judgement: &'static str,
    reason: &'a str,
    author: &'a str,
    at: String,
}

/// The columns of [`Written`].
const COLUMNS: [&str; 6] = ["left", "right", "judgement", "reason", "author", "at"];

/// Reads the judgements of a file.
///
/// **Errors:** `Invalid` with file and line where it cannot be read or says what cannot be meant.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>> {
    let format = Format::of(path)?;
    let name = path.display();
    let text =
        fs::read_to_string(path).context(Kind::Invalid, format!("{name}: read judgements"))?;
    let text = text.trim_start_matches('\u{feff}');
    let rows = match format {
        Format::Csv => csv_rows(text, path)?,
        Format::JsonLines => {
            let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
            let rows = lines.map(|(line, number)| {
                let place = format!("{name}, line {number}");
                let row = serde_json::from_str(line).map_err(|_| unreadable(&place))?;
                Ok((place, row))
            });
            rows.collect::<Result<Vec<_>>>()?
        }
        Format::JsonArray => {
            let rows: Vec<serde_json::Value> = serde_json::from_str(text)
                .map_err(|_| Error::invalid(format!("{name}: expected a JSON array of objects")))?;
            let rows = rows.into_iter().zip(1..).map(|(row, number)| {
                let place = format!("{name}, entry {number}");
                let row = serde_json::from_value(row).map_err(|_| unreadable(&place))?;
                Ok((place, row))
            });
            rows.collect::<Result<Vec<_>>>()?
        }
    };
    rows.into_iter().filter_map(|(place, row)| entry(place, row).transpose()).collect()
}

fn csv_rows(text: &str, path: &Path) -> Result<Vec<(String, Read)>> {
    let name = path.display();
    // Spreadsheets of some countries write semicolons.
    let header = text.lines().next().unwrap_or_default();
    let delimiter = if header.contains(';') && !header.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| unreadable(&format!("{name}, line 1")))?.clone();
    for column in &COLUMNS[..3] {
        if !header.is_empty() && !header.iter().any(|name| name == *column) {
            return Err(Error::invalid(format!(
                "{name}, line 1: no column `{column}`: a row needs left, right and judgement"
            )));
        }
    }
    let rows = reader.records().map(|row| {
        let row = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            unreadable(&format!("{name}, line {line}"))
        })?;
        let place = format!("{name}, line {}", row.position().map_or(0, csv::Position::line));
        let row = row.deserialize(Some(&header)).map_err(|_| unreadable(&place))?;
        Ok((place, row))
    });
    rows.collect()
}

/// What a row says; `None` where it judges nothing.
fn entry(place: String, row: Read) -> Result<Option<Entry>> {
    let filled = |cell: Option<String>| {
        cell.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let Some(word) = filled(row.judgement) else { return Ok(None) };
    let wrong = |what: &str| Error::invalid(format!("{place}: {what}"));
    let verdict = Verdict::of_name(&word.to_ascii_lowercase()).ok_or_else(|| {
        wrong("`judgement` must be together, apart or withdrawn, or empty where nothing is judged")
    })?;
    let record = |cell: Option<String>, column: &str| {
        filled(cell).ok_or_else(|| wrong(&format!("`{column}` is empty: it names a record")))
    };
    let records = [record(row.left, "left")?, record(row.right, "right")?];
    let at = filled(row.at).map(|text| {
        time(&text).ok_or_else(|| {
            wrong("`at` must be a time such as 2026-03-01T09:00:00Z, or empty for now")
        })
    });
    Ok(Some(Entry {
        records,
        verdict,
        reason: filled(row.reason).unwrap_or_default(),
        author: filled(row.author),
        at: at.transpose()?,
        place,
    }))
}

/// Says where, and never what: a cell may hold anything.
fn unreadable(place: &str) -> Error {
    Error::invalid(format!(
        "{place}: not a row of judgements: give left, right and judgement, each a text"
    ))
}

/// The judgements of the file that a pipeline names. Records are named by their keys; what has no time is older than
/// all that has one.
///
/// **Errors:** `Invalid` where there is no such file, or it says what cannot be meant.
pub(super) fn judgements(path: &Path) -> Result<Vec<Judgement>> {
    if !path.exists() {
        return Err(Error::invalid(format!(
            "match.judgements = {}: there is no such file: write it with `onefold judge PIPELINE export FILE`, \
             or make an empty one",
            path.display()
        )));
    }
    let entries = read(path).map_err(|error| error.context("match.judgements"))?;
    let judgement = |entry: Entry| {
        let wrong =
            |what: &str| Error::invalid(format!("match.judgements: {}: {what}", entry.place));
        let key = |text: &String| {
            text.parse::<RecordKey>().map_err(|()| {
                wrong("records are named by their keys here; `onefold judge` makes them of other names")
            })
        };
        let [left, right] = &entry.records;
        let pair = Pair::of(key(left)?, key(right)?);
        Ok(Judgement {
            pair: pair.ok_or_else(|| wrong("left and right are one record"))?,
            verdict: entry.verdict,
            reason: entry.reason,
            author: entry.author.unwrap_or_default(),
            at: entry.at.unwrap_or_default(),
        })
    };
    entries.into_iter().map(judgement).collect()
}

/// Writes judgements to a file, all of it or nothing.
pub(super) fn write(path: &Path, judgements: &[Judgement]) -> Result<()> {
    let rows: Vec<Written> = judgements.iter().map(written).collect();
    write_rows(path, &COLUMNS, &rows)
}

/// Writes rows to a file, all of it or nothing; `columns` are those of a row.
pub(super) fn write_rows<T: Serialize>(path: &Path, columns: &[&str], rows: &[T]) -> Result<()> {
    let act = || format!("write {}", path.display());
    let mut bytes = Vec::new();
    match Format::of(path)? {
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(&mut bytes);
            writer.write_record(columns).context(Kind::Internal, act())?;
            for row in rows {
                writer.serialize(row).context(Kind::Internal, act())?;
            }
            writer.flush().context(Kind::Internal, act())?;
        }
        Format::JsonLines => {
            for row in rows {
                serde_json::to_writer(&mut bytes, row).context(Kind::Internal, act())?;
                bytes.push(b'\n');
            }
        }
        Format::JsonArray => {
            serde_json::to_writer_pretty(&mut bytes, rows).context(Kind::Internal, act())?;
            bytes.push(b'\n');
        }
    }
    write_whole(path, &bytes)
}

/// Writes a file durably, so that it is there whole or as it was.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    around(Step::Ledger, write).context(Kind::Unavailable, format!("write {}", path.display()))
}

fn written(judgement: &Judgement) -> Written<'_> {
    let [left, right] = judgement.pair.keys();
    Written {
        left: left.to_string(),
        right: right.to_string(),
        judgement: judgement.verdict.name(),
        reason: &judgement.reason,
        author: &judgement.author,
        at: time_text(judgement.at),
    }
}

/// Microseconds of a time such as `2026-03-01T09:00:00Z`.
pub fn time(text: &str) -> Option<Micros> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
}

/// A time as `2026-03-01T09:00:00Z`, with what it has of a second's parts.
pub fn time_text(at: Micros) -> String {
    let time = DateTime::from_timestamp_micros(at).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> RecordKey {
        RecordKey([byte; 16])
    }

    fn given() -> Vec<Judgement> {
        let judgement = |byte, verdict, reason: &str, at| Judgement {
            pair: Pair::of(key(0), key(byte)).unwrap(),
            verdict,
            reason: reason.into(),
            author: "ada, \"the\" clerk".into(),
            at,
        };
        vec![
            judgement(1, Verdict::Together, "same phone;\nasked", 1_700_000_000_000_001),
            judgement(2, Verdict::Apart, "", 1_700_000_000_000_000),
            judgement(3, Verdict::Withdrawn, "öç", 0),
        ]
    }

    #[test]
    fn what_is_written_is_read_back_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x.csv", "x.json", "x.jsonl"] {
            let path = folder.path().join(name);
            write(&path, &given()).unwrap();
            assert_eq!(judgements(&path).unwrap(), given(), "{name}");
            write(&path, &[]).unwrap();
            assert_eq!(judgements(&path).unwrap(), [], "{name}");
        }
    }

    #[test]
    fn what_a_spreadsheet_makes_of_a_review_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filled.csv");
        let (a, b) = (key(1), key(2));
        let text = format!(
            "\u{feff}rank;judgement;left;right;left_given\r\n1; Together ;{a};{b};ann\r\n2;;{a};{b};\r\n"
        );
        fs::write(&path, text).unwrap();
        let entries = read(&path).unwrap();
        let [entry] = entries.as_slice() else { panic!("{} entries", entries.len()) };
        assert_eq!((entry.verdict, &entry.records[1]), (Verdict::Together, &b.to_string()));
        assert_eq!((entry.at, entry.author.as_deref()), (None, None));
    }

    #[test]
    fn a_bad_row_is_named_by_its_line_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (key(1), key(2));
        let header = "left,right,judgement,at\n";
        let cases = [
            ("x.txt", String::new(), "x.txt: end the name with"),
            ("x.csv", "left,judgement\nsecret,apart\n".into(), "line 1: no column `right`"),
            ("x.csv", format!("{header}{a},{b},apart,\n{a},{b},secret,\n"), "line 3: `judgement`"),
            ("x.csv", format!("{header}{a},,apart,\n"), "line 2: `right` is empty"),
            ("x.csv", format!("{header}{a},{b},apart,secret\n"), "line 2: `at` must be"),
            ("x.csv", format!("{header}{a},secret,apart,\n"), "line 2: records are named by"),
            ("x.csv", format!("{header}{a},{a},apart,\n"), "line 2: left and right are one"),
            ("x.jsonl", "\n{\"left\": \"secret\"\n".into(), "line 2: not a row"),
            ("x.jsonl", "{\"left\": 5}\n".into(), "line 1: not a row"),
            ("x.json", "{\"secret\": 5}".into(), "expected a JSON array"),
            ("x.json", "[{\"judgement\": \"apart\"}]".into(), "entry 1: `left` is empty"),
        ];
        for (name, text, expected) in cases {
            let path = folder.path().join(name);
            fs::write(&path, &text).unwrap();
            let error = judgements(&path).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            let said = error.to_string();
            assert!(said.contains(expected) && !said.contains("secret"), "{expected}: {said}");
        }
        let missing = judgements(&folder.path().join("none.csv")).unwrap_err();
        assert!(missing.to_string().contains("there is no such file"), "{missing}");
    }
}
