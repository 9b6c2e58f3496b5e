//! How do rows become columns?
//!
//! Each function takes the rows of one table and returns them as columns of its [`TableSpec`], in
//! the order given. Callers hand in some thousand rows at a time: a batch's text and bytes must
//! stay below 2 GiB a column.

mod consent;
mod profile;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;

pub use self::consent::{consent_history, profiles_marketing, suppression};
pub use self::profile::profiles;
use super::spec::TableSpec;
use super::tables;
use crate::error::{Context, Error, Kind, Result};
use crate::profile::{Change, Interaction, Mapping, Move};
use crate::record::{Consent, DeadLetter, Micros, Money, MoneyKind, Replay};

/// Bytes of payloads in one batch at most.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// The columns of `identity_map`.
pub fn identity_map(rows: &[Mapping]) -> Result<RecordBatch> {
    batch(
        &tables::IDENTITY_MAP,
        vec![
            hex(rows.iter().map(|m| &m.record.0[..])),
            texts(rows.iter().map(|m| &*m.source)),
            optional_texts(rows.iter().map(|m| m.record_id.as_deref())),
            hex(rows.iter().map(|m| &m.identity.0[..])),
        ],
    )
}

/// The columns of `identity_changes`, of what happened to identities.
pub fn identity_changes(rows: &[Change]) -> Result<RecordBatch> {
    let other = rows.iter().map(|c| c.other.map(|other| hex_text(&other.0)));
    batch(
        &tables::IDENTITY_CHANGES,
        vec![
            texts(rows.iter().map(|c| c.kind.name())),
            hex(rows.iter().map(|c| &c.identity.0[..])),
            Arc::new(other.collect::<StringArray>()),
            texts(rows.iter().map(|c| &*c.cause)),
            longs(rows.iter().map(|c| c.epoch)),
            times(rows.iter().map(|c| c.occurred_at)),
            new_null_array(&DataType::Utf8, rows.len()),
            new_null_array(&DataType::Utf8, rows.len()),
            new_null_array(&DataType::Utf8, rows.len()),
        ],
    )
}

/// The columns of `identity_changes`, of what happened to records.
pub fn moves(rows: &[Move]) -> Result<RecordBatch> {
    let other = rows.iter().map(|m| m.other.map(|other| hex_text(&other.0)));
    batch(
        &tables::IDENTITY_CHANGES,
        vec![
            texts(rows.iter().map(Move::name)),
            hex(rows.iter().map(|m| &m.identity.0[..])),
            Arc::new(other.collect::<StringArray>()),
            texts(rows.iter().map(|m| m.cause.name())),
            longs(rows.iter().map(|m| m.epoch)),
            times(rows.iter().map(|m| m.occurred_at)),
            hex(rows.iter().map(|m| &m.record.0[..])),
            texts(rows.iter().map(|m| &*m.source)),
            optional_texts(rows.iter().map(|m| m.record_id.as_deref())),
        ],
    )
}

/// The columns of `interactions`.
pub fn interactions(rows: &[Interaction]) -> Result<RecordBatch> {
    let money = || rows.iter().map(|i| i.details.money.as_ref());
    let consent = || rows.iter().map(|i| i.details.consent.as_ref());
    batch(
        &tables::INTERACTIONS,
        vec![
            texts(rows.iter().map(|i| &*i.event_id)),
            texts(rows.iter().map(|i| &*i.channel)),
            texts(rows.iter().map(|i| &*i.kind)),
            times(rows.iter().map(|i| i.occurred_at)),
            hex(rows.iter().map(|i| &i.record.0[..])),
            texts(rows.iter().map(|i| &*i.source)),
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|i| day(i.occurred_at)))),
            optional_texts(money().map(|money| Some(money_name(money?)))),
            optional_texts(money().map(|money| Some(&*money?.currency))),
            Arc::new(Int32Array::from_iter(money().map(|money| Some(i32::from(money?.decimals))))),
            Arc::new(Int64Array::from_iter(money().map(|money| Some(money?.minor)))),
            optional_texts(consent().map(|consent| Some(&*consent?.purpose))),
            optional_texts(consent().map(|consent: Option<&Consent>| Some(consent?.state.name()))),
            optional_texts(rows.iter().map(|i| i.details.category.as_deref())),
            optional_texts(rows.iter().map(|i| i.details.campaign.as_deref())),
            Arc::new(Int64Array::from_iter(
                rows.iter().map(|i| i.details.sentiment_milli.map(i64::from)),
            )),
            optional_texts(consent().map(|consent| consent?.channel.as_deref())),
            optional_texts(rows.iter().map(|i| i.details.product.as_deref())),
            optional_longs(rows.iter().map(|i| i.details.items)),
            optional_texts(rows.iter().map(|i| i.details.reason.as_deref())),
            Arc::new(BooleanArray::from_iter(rows.iter().map(|i| i.details.resolved))),
        ],
    )
}

/// The columns of `dead_letters`.
///
/// **Errors:** `Internal` where the payloads come to more than 1 GiB.
pub fn dead_letters(rows: &[DeadLetter]) -> Result<RecordBatch> {
    if rows.iter().map(|d| d.payload.len()).sum::<usize>() > PAYLOAD_BYTES_MAX {
        return Err(Error::internal("too many bytes of dead letters for one batch"));
    }
    batch(
        &tables::DEAD_LETTERS,
        vec![
            texts(rows.iter().map(|d| &*d.origin.source)),
            texts(rows.iter().map(|d| &*d.origin.partition)),
            longs(rows.iter().map(|d| d.origin.offset)),
            texts(rows.iter().map(|d| d.reason.name())),
            texts(rows.iter().map(|d| &*d.detail)),
            Arc::new(BinaryArray::from_iter_values(rows.iter().map(|d| &d.payload[..]))),
            Arc::new(BinaryArray::from_iter(
                rows.iter().map(|d| d.envelope.as_ref()?.key.as_ref()),
            )),
            headers(rows)?,
        ],
    )
}

fn headers(rows: &[DeadLetter]) -> Result<ArrayRef> {
    let of = |letter: &DeadLetter| letter.envelope.as_ref().map_or(0, |e| e.headers.len());
    let all = || rows.iter().filter_map(|d| d.envelope.as_ref()).flat_map(|e| &e.headers);
    let columns = vec![
        texts(all().map(|header| &*header.name)),
        Arc::new(BinaryArray::from_iter(all().map(|header| header.value.as_ref()))) as ArrayRef,
    ];
    list(&tables::DEAD_LETTERS, "headers", rows.iter().map(of), columns)
}

/// The columns of `dead_letter_replays`.
pub fn dead_letter_replays(rows: &[Replay]) -> Result<RecordBatch> {
    batch(
        &tables::DEAD_LETTER_REPLAYS,
        vec![
            texts(rows.iter().map(|r| &*r.origin.source)),
            texts(rows.iter().map(|r| &*r.origin.partition)),
            longs(rows.iter().map(|r| r.origin.offset)),
            texts(rows.iter().map(|r| r.outcome.name())),
            longs(rows.iter().map(|r| r.epoch)),
        ],
    )
}

pub(super) fn batch(spec: &TableSpec, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let batch = RecordBatch::try_new(spec.schema(), columns);
    batch.context(Kind::Internal, format!("make columns of {}", spec.name))
}

/// A list column: how long each row's list is, and the fields of all entries one after another.
fn list(
    spec: &TableSpec,
    column: &str,
    lengths: impl Iterator<Item = usize>,
    columns: Vec<ArrayRef>,
) -> Result<ArrayRef> {
    let act = || format!("make column {column}");
    let schema = spec.schema();
    let field = schema.field_with_name(column).context(Kind::Internal, act())?;
    let DataType::List(element) = field.data_type() else {
        return Err(Error::internal(format!("column {column} is no list")));
    };
    let DataType::Struct(fields) = element.data_type() else {
        return Err(Error::internal(format!("column {column} holds no structs")));
    };
    let entries = StructArray::try_new(fields.clone(), columns, None);
    let entries = entries.context(Kind::Internal, act())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let array = ListArray::try_new(element.clone(), offsets, Arc::new(entries), None);
    Ok(Arc::new(array.context(Kind::Internal, act())?))
}

pub(super) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn optional_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(super) fn longs(values: impl Iterator<Item = u64>) -> ArrayRef {
    let values = values.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    Arc::new(Int64Array::from_iter_values(values))
}

pub(super) fn optional_longs(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    let long = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Arc::new(Int64Array::from_iter(values.map(|value| value.map(long))))
}

fn times(values: impl Iterator<Item = Micros>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
}

fn optional_times(values: impl Iterator<Item = Option<Micros>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("UTC"))
}

pub(super) fn hex<'a>(keys: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
    let mut texts = StringBuilder::with_capacity(keys.size_hint().0, keys.size_hint().0 * 32);
    let mut text = String::new();
    for key in keys {
        text.clear();
        put_hex(key, &mut text);
        texts.append_value(&text);
    }
    Arc::new(texts.finish())
}

fn hex_text(key: &[u8]) -> String {
    let mut text = String::new();
    put_hex(key, &mut text);
    text
}

/// As the keys' own `Display`, which is slow a million times over.
fn put_hex(key: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(key.len() * 2);
    for byte in key {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
}

/// The UTC day of a time, in days since 1970.
fn day(at: Micros) -> i32 {
    const MICROS_A_DAY: i64 = 86_400_000_000;
    i32::try_from(at.div_euclid(MICROS_A_DAY)).expect("an i64 of microseconds spans 2^27 days")
}

fn money_name(money: &Money) -> &'static str {
    match money.kind {
        MoneyKind::Purchase => "purchase",
        MoneyKind::Return => "return",
    }
}

#[cfg(test)]
mod tests;
