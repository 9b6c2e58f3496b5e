//! Dead letters in a file, for people who mend them.
//!
//! One JSON object a line. Its place (`source`, `partition`, `offset`) names the letter; `payload` is
//! the message: a text, or a JSON object in its stead, or `payload_hex` where the bytes are no text.
//! `reason`, `detail`, `key` and `headers` are there for who reads; a replay takes the key and headers
//! along and ignores the others.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Lines, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Letter, ListedLetter};
use crate::error::{Context, Error, Kind, Result};
use crate::record::{Envelope, Header, Origin};

/// Only who exports may read.
const MODE: u32 = 0o600;

/// Writes letters.
pub(super) struct Writer {
    file: BufWriter<File>,
    name: String,
    letters: u64,
}

impl Writer {
    /// **Errors:** `Invalid` where the file is there already.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
        let act = format!("--out {name}: cannot be made; name a file that is not there yet");
        Ok(Self { file: BufWriter::new(file.context(Kind::Invalid, act)?), name, letters: 0 })
    }

    pub(super) fn write(&mut self, letter: &Letter) -> Result<()> {
        self.letters += 1;
        let written = writeln!(self.file, "{}", as_json(letter));
        written.context(Kind::Unavailable, format!("write {}", self.name))
    }

    /// Returns how many letters were written.
    pub(super) fn finish(mut self) -> Result<u64> {
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        flushed.context(Kind::Unavailable, format!("write {}", self.name))?;
        Ok(self.letters)
    }
}

/// A letter as a JSON object.
pub(in crate::pipeline) fn as_json(letter: &Letter) -> Value {
    let Letter { listed: ListedLetter { origin, reason, detail, outcome }, payload, envelope } =
        letter;
    let mut object = Map::new();
    object.insert("source".into(), (*origin.source).into());
    object.insert("partition".into(), (*origin.partition).into());
    object.insert("offset".into(), origin.offset.into());
    object.insert("reason".into(), reason.as_str().into());
    object.insert("detail".into(), detail.as_str().into());
    if let Some(outcome) = outcome {
        object.insert("outcome".into(), outcome.as_str().into());
    }
    put(&mut object, "payload", payload);
    if let Some(envelope) = envelope {
        if let Some(key) = &envelope.key {
            put(&mut object, "key", key);
        }
        let header = |header: &Header| {
            let mut object = Map::from_iter([("name".to_owned(), json!(header.name))]);
            if let Some(value) = &header.value {
                put(&mut object, "value", value);
            }
            Value::Object(object)
        };
        let headers: Vec<Value> = envelope.headers.iter().map(header).collect();
        if !headers.is_empty() {
            object.insert("headers".into(), headers.into());
        }
    }
    Value::Object(object)
}

/// Puts bytes as a text, or as hexadecimal digits under another name.
fn put(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            object.insert(format!("{name}_hex"), digits.into())
        }
    };
}

/// Opens a file of letters.
pub(super) fn read(path: &Path) -> Result<Reader> {
    let name = path.display().to_string();
    let file = File::open(path).context(Kind::Invalid, format!("{name}: cannot be read"))?;
    Ok(Reader { lines: BufReader::new(file).lines(), name, line: 0, seen: BTreeMap::new() })
}

/// The letters of a file, in its order.
pub(super) struct Reader {
    lines: Lines<BufReader<File>>,
    name: String,
    line: u64,
    /// The line of each letter.
    seen: BTreeMap<Origin, u64>,
}

impl Iterator for Reader {
    type Item = Result<Letter>;

    fn next(&mut self) -> Option<Result<Letter>> {
        loop {
            self.line += 1;
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(_) => return Some(Err(self.wrong("it is no UTF-8"))),
            };
            if !line.trim().is_empty() {
                return Some(self.letter(&line));
            }
        }
    }
}

impl Reader {
    fn letter(&mut self, line: &str) -> Result<Letter> {
        let letter = parse(line).map_err(|why| self.wrong(why))?;
        match self.seen.insert(letter.listed.origin.clone(), self.line) {
            None => Ok(letter),
            Some(before) => Err(self.wrong(&format!("line {before} is of the same letter"))),
        }
    }

    /// A line that cannot be used. Nothing of it is told: it holds personal data.
    fn wrong(&self, why: &str) -> Error {
        Error::invalid(format!("{}: line {}: {why}", self.name, self.line))
    }
}

fn parse(line: &str) -> Result<Letter, &'static str> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|_| "no JSON object")?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let place = "it lacks `source`, `partition` or `offset` of the letter";
    let origin = Origin {
        source: text("source").ok_or(place)?.into(),
        partition: text("partition").ok_or(place)?.into(),
        offset: object.get("offset").and_then(Value::as_u64).ok_or(place)?,
    };
    let payload = match object.get("payload") {
        Some(whole @ Value::Object(_)) => whole.to_string().into_bytes(),
        _ => bytes(&object, "payload")?.ok_or("it lacks `payload`")?,
    };
    let header = |header: &Value| {
        let object = header.as_object().ok_or("a header is no object")?;
        let name = object.get("name").and_then(Value::as_str).ok_or("a header has no `name`")?;
        Ok(Header { name: name.to_owned(), value: bytes(object, "value")? })
    };
    let headers = object.get("headers").and_then(Value::as_array).into_iter().flatten();
    let headers = headers.map(header).collect::<Result<Vec<_>, &'static str>>()?;
    let envelope = Envelope { key: bytes(&object, "key")?, headers };
    let word = |name: &str| text(name).unwrap_or_default().to_owned();
    Ok(Letter {
        listed: ListedLetter {
            origin,
            reason: word("reason"),
            detail: word("detail"),
            outcome: None,
        },
        payload: Bytes::from(payload),
        envelope: (envelope != Envelope::default()).then(|| Box::new(envelope)),
    })
}

/// The bytes under a name; `None` where there are none.
fn bytes(object: &Map<String, Value>, name: &str) -> Result<Option<Vec<u8>>, &'static str> {
    match (object.get(name), object.get(&format!("{name}_hex"))) {
        (Some(Value::String(text)), None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(Value::String(digits))) => {
            let digits = digits.as_bytes();
            let (pairs, rest) = digits.as_chunks::<2>();
            let byte = |pair: &[u8; 2]| {
                let text = std::str::from_utf8(pair).ok()?;
                u8::from_str_radix(text, 16).ok()
            };
            let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
            bytes.filter(|_| rest.is_empty()).map(Some).ok_or("hexadecimal digits are broken")
        }
        (None, None) => Ok(None),
        _ => Err("bytes are given as a text, or as hexadecimal digits"),
    }
}
