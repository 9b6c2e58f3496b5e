//! How do profiles become columns?

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch};

use super::{batch, consent, hex, list, longs, optional_texts, optional_times, texts, times};
use crate::error::Result;
use crate::profile::{
    Profile, Quality, Seen, SourceId, Touch, Value, ValueAddress, first_day, lookup_keys as keys_of,
};
use crate::record::{Address, Issue};
use crate::sink::spec::TableSpec;
use crate::sink::tables;

/// The columns of `profiles`.
pub fn profiles(rows: &[Profile]) -> Result<RecordBatch> {
    let spec = &tables::PROFILES;
    let value = |of: fn(&Profile) -> &Option<Value>| {
        optional_texts(rows.iter().map(move |p| of(p).as_ref().map(|v| v.value.as_str())))
    };
    let completeness = rows.iter().map(|p| i32::from(p.completeness_percent));
    let mut columns = vec![
        hex(rows.iter().map(|p| &p.identity.0[..])),
        longs(rows.iter().map(|p| p.version)),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|p| Some(p.known)))),
        value(|p| &p.given),
        value(|p| &p.surname),
        value(|p| &p.birth_date),
        values(spec, "emails", rows.iter().map(|p| &p.emails[..]))?,
        values(spec, "phones", rows.iter().map(|p| &p.phones[..]))?,
        addresses(spec, rows)?,
        ids(spec, rows)?,
        consent::consent(spec, rows)?,
        activity(spec, rows)?,
        purchases(spec, rows)?,
        categories(spec, rows)?,
        longs(rows.iter().map(|p| p.events)),
        longs(rows.iter().map(|p| p.records)),
        times(rows.iter().map(|p| p.first_seen)),
        times(rows.iter().map(|p| p.last_seen)),
        Arc::new(Int64Array::from_iter(rows.iter().map(|p| p.sentiment_milli))),
        provenance(spec, rows)?,
    ];
    columns.extend(consent::contact(rows));
    columns.extend([
        other_values(spec, rows)?,
        quality(spec, rows)?,
        Arc::new(Int32Array::from_iter_values(completeness)),
        optional_texts(rows.iter().map(|p| p.household.as_deref())),
        optional_texts(rows.iter().map(|p| p.traits.language.as_deref())),
        optional_texts(rows.iter().map(|p| p.traits.country.as_deref())),
        optional_texts(rows.iter().map(|p| p.traits.timezone.as_deref())),
        months(spec, rows)?,
        products(spec, rows)?,
        reasons(spec, rows)?,
    ]);
    columns.extend(touches(rows));
    columns.push(lookup_keys(spec, rows)?);
    batch(spec, columns)
}

fn lookup_keys(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let keys: Vec<Vec<i32>> = rows.iter().map(keys_of).collect();
    let all = Int32Array::from_iter_values(keys.iter().flatten().copied());
    list(spec, "lookup_keys", keys.iter().map(Vec::len), vec![Arc::new(all)])
}

/// The columns that say where a value is from, but for its record.
fn seen<'a>(all: impl Iterator<Item = &'a Seen> + Clone) -> [ArrayRef; 3] {
    [
        times(all.clone().map(|seen| seen.at)),
        longs(all.clone().map(|seen| seen.count)),
        texts(all.map(|seen| &*seen.source)),
    ]
}

fn record<'a>(all: impl Iterator<Item = &'a Seen> + Clone) -> ArrayRef {
    hex(all.map(|seen| &seen.record.0[..]))
}

fn flags(all: impl Iterator<Item = Option<Quality>>) -> ArrayRef {
    optional_texts(all.map(|quality| quality.map(Quality::name)))
}

fn values<'a>(
    spec: &TableSpec,
    column: &str,
    rows: impl Iterator<Item = &'a [Value]> + Clone,
) -> Result<ArrayRef> {
    let all = || rows.clone().flatten();
    let mut columns = vec![texts(all().map(|value| &*value.value))];
    columns.extend(seen(all().map(|value| &value.seen)));
    columns.push(record(all().map(|value| &value.seen)));
    columns.push(times(all().map(|value| value.seen.first)));
    columns.push(flags(all().map(|value| value.quality)));
    list(spec, column, rows.map(<[_]>::len), columns)
}

fn addresses(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.addresses);
    let part = |of: fn(&Address) -> &Option<String>| {
        optional_texts(all().map(move |a: &ValueAddress| of(&a.address).as_deref()))
    };
    let mut columns = vec![
        part(|a| &a.line),
        part(|a| &a.city),
        part(|a| &a.region),
        part(|a| &a.postcode),
        part(|a| &a.country),
    ];
    columns.extend(seen(all().map(|address| &address.seen)));
    columns.push(record(all().map(|address| &address.seen)));
    columns.push(times(all().map(|address| address.seen.first)));
    columns.push(flags(all().map(|address| address.quality)));
    list(spec, "addresses", rows.iter().map(|p| p.addresses.len()), columns)
}

fn other_values(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.other_values);
    let mut columns =
        vec![texts(all().map(|other| other.field)), texts(all().map(|other| &*other.value.value))];
    columns.extend(seen(all().map(|other| &other.value.seen)));
    columns.push(times(all().map(|other| other.value.seen.first)));
    list(spec, "other_values", rows.iter().map(|p| p.other_values.len()), columns)
}

fn ids(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.ids);
    let columns = vec![
        texts(all().map(|id: &SourceId| &*id.kind)),
        texts(all().map(|id| &*id.source)),
        texts(all().map(|id| &*id.value)),
        times(all().map(|id| id.first)),
        times(all().map(|id| id.last)),
    ];
    list(spec, "ids", rows.iter().map(|p| p.ids.len()), columns)
}

pub(super) fn activity(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.activity);
    let columns = vec![
        texts(all().map(|row| &*row.channel)),
        texts(all().map(|row| &*row.kind)),
        longs(all().map(|row| row.events)),
        times(all().map(|row| row.last)),
    ];
    list(spec, "activity", rows.iter().map(|p| p.activity.len()), columns)
}

pub(super) fn months(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.months);
    let columns = vec![
        Arc::new(Date32Array::from_iter_values(all().map(|(month, _, _)| first_day(*month)))),
        texts(all().map(|(_, channel, _)| &**channel)),
        longs(all().map(|(_, _, events)| *events)),
    ];
    list(spec, "months", rows.iter().map(|p| p.months.len()), columns)
}

pub(super) fn purchases(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.money);
    let columns: Vec<ArrayRef> = vec![
        texts(all().map(|money| &*money.currency)),
        Arc::new(Int32Array::from_iter_values(all().map(|money| i32::from(money.decimals)))),
        longs(all().map(|money| money.purchases)),
        Arc::new(Int64Array::from_iter_values(all().map(|money| money.purchase_minor))),
        longs(all().map(|money| money.returns)),
        Arc::new(Int64Array::from_iter_values(all().map(|money| money.return_minor))),
        longs(all().map(|money| money.items)),
        Arc::new(Int64Array::from_iter_values(all().map(|money| money.largest_minor))),
        optional_times(all().map(|money| money.last_purchase)),
    ];
    list(spec, "purchases", rows.iter().map(|p| p.money.len()), columns)
}

pub(super) fn categories(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    counted(spec, "categories", rows, |p| &p.categories)
}

pub(super) fn products(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    counted(spec, "products", rows, |p| &p.products)
}

fn counted(
    spec: &TableSpec,
    column: &str,
    rows: &[Profile],
    of: fn(&Profile) -> &Vec<(String, u64)>,
) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(of);
    let columns =
        vec![texts(all().map(|(name, _)| &**name)), longs(all().map(|(_, events)| *events))];
    list(spec, column, rows.iter().map(|p| of(p).len()), columns)
}

fn reasons(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.reasons);
    let columns = vec![
        texts(all().map(|row| &*row.reason)),
        longs(all().map(|row| row.contacts)),
        longs(all().map(|row| row.resolved)),
        longs(all().map(|row| row.unresolved)),
        Arc::new(Int64Array::from_iter(all().map(|row| row.sentiment_milli))),
    ];
    list(spec, "reasons", rows.iter().map(|p| p.reasons.len()), columns)
}

/// The channels and campaigns of the first and the last event.
pub(super) fn touches(rows: &[Profile]) -> [ArrayRef; 4] {
    let first = || rows.iter().map(|p| p.touches.first.as_ref());
    let last = || rows.iter().map(|p| p.touches.last.as_ref());
    let campaign = |touch: Option<&'_ Touch>| touch.and_then(|touch| touch.campaign.clone());
    let campaigns = |all: Vec<Option<String>>| optional_texts(all.iter().map(Option::as_deref));
    [
        optional_texts(first().map(|touch| Some(&*touch?.channel))),
        optional_texts(last().map(|touch| Some(&*touch?.channel))),
        campaigns(first().map(campaign).collect()),
        campaigns(last().map(campaign).collect()),
    ]
}

fn quality(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.issues);
    let columns = vec![
        texts(all().map(|(issue, _)| issue_name(*issue).0)),
        texts(all().map(|(issue, _)| issue_name(*issue).1)),
        longs(all().map(|(_, events)| *events)),
    ];
    list(spec, "quality", rows.iter().map(|p| p.issues.len()), columns)
}

/// The field and what was the matter with it.
fn issue_name(issue: Issue) -> (&'static str, &'static str) {
    match issue {
        Issue::Placeholder(field) => (field.name(), "placeholder"),
        Issue::Unreadable(field) => (field.name(), "unreadable"),
        Issue::Repaired(field) => (field.name(), "repaired"),
        Issue::Disposable => ("email", "disposable"),
    }
}

/// The fields of a profile that survivorship chose, where they are set.
fn chosen(profile: &Profile) -> impl Iterator<Item = (&'static str, &Seen)> + Clone {
    let fields = [
        ("given_name", &profile.given),
        ("surname", &profile.surname),
        ("birth_date", &profile.birth_date),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, &value.as_ref()?.seen)))
}

fn provenance(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(chosen);
    let columns = vec![
        texts(all().map(|(field, _)| field)),
        texts(all().map(|(_, seen)| &*seen.source)),
        hex(all().map(|(_, seen)| &seen.record.0[..])),
        times(all().map(|(_, seen)| seen.at)),
        longs(all().map(|(_, seen)| seen.count)),
        times(all().map(|(_, seen)| seen.first)),
    ];
    list(spec, "provenance", rows.iter().map(|p| chosen(p).count()), columns)
}
