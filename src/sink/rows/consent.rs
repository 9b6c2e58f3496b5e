//! How do rows about consent and contact become columns?

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};

use super::profile::{activity, categories, months, products, purchases, touches};
use super::{batch, hex, list, longs, optional_texts, optional_times, texts, times};
use crate::error::Result;
use crate::profile::{Contact, Interaction, Profile, Reach, Suppressed};
use crate::record::{Address, Consent};
use crate::sink::spec::TableSpec;
use crate::sink::tables;

/// The columns of `profiles_marketing`, of those among `rows` who may be contacted.
pub fn profiles_marketing(rows: &[Profile]) -> Result<RecordBatch> {
    let spec = &tables::PROFILES_MARKETING;
    let shown = |profile: &Profile| match profile.agrees_to_profiling {
        true => profile.clone(),
        false => profile.clone().without_derived(),
    };
    let rows: Vec<Profile> = rows.iter().filter(|p| p.contact.is_any()).map(shown).collect();
    let rows = rows.as_slice();
    let of_address = |part: fn(&Address) -> &Option<String>| {
        optional_texts(rows.iter().map(move |p| part(p.contact.address.as_ref()?).as_deref()))
    };
    let seen = |at: fn(&Profile) -> i64| {
        optional_times(rows.iter().map(move |p| p.agrees_to_profiling.then(|| at(p))))
    };
    let mut columns = vec![
        hex(rows.iter().map(|p| &p.identity.0[..])),
        longs(rows.iter().map(|p| p.version)),
        optional_texts(rows.iter().map(|p| p.given.as_ref().map(|it| it.value.as_str()))),
        optional_texts(rows.iter().map(|p| p.surname.as_ref().map(|it| it.value.as_str()))),
    ];
    columns.extend(contact(rows));
    columns.extend([
        optional_texts(rows.iter().map(|p| p.contact.mailbox.as_deref())),
        optional_texts(rows.iter().map(|p| p.contact.number.as_deref())),
        of_address(|a| &a.line),
        of_address(|a| &a.city),
        of_address(|a| &a.region),
        of_address(|a| &a.postcode),
        of_address(|a| &a.country),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|p| Some(p.agrees_to_profiling)))),
        seen(|p| p.first_seen),
        seen(|p| p.last_seen),
        activity(spec, rows)?,
        purchases(spec, rows)?,
        categories(spec, rows)?,
        Arc::new(Int64Array::from_iter(rows.iter().map(|p| p.sentiment_milli))),
        optional_texts(rows.iter().map(|p| p.traits.language.as_deref())),
        months(spec, rows)?,
        products(spec, rows)?,
    ]);
    columns.extend(touches(rows));
    batch(spec, columns)
}

/// The four columns that say by which ways a customer may be contacted.
pub(super) fn contact(rows: &[Profile]) -> [ArrayRef; 4] {
    let ways: [fn(&Contact) -> Reach; 4] = [|c| c.email, |c| c.sms, |c| c.phone, |c| c.post];
    ways.map(|way| texts(rows.iter().map(move |p| way(&p.contact).name())))
}

pub(super) fn consent(spec: &TableSpec, rows: &[Profile]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|p| &p.consent);
    let columns = vec![
        texts(all().map(|consent| &*consent.purpose)),
        optional_texts(all().map(|consent| consent.channel.as_deref())),
        texts(all().map(|consent| consent.state.name())),
        times(all().map(|consent| consent.at)),
        optional_texts(all().map(|consent| consent.basis.as_deref())),
        texts(all().map(|consent| &*consent.source)),
        optional_texts(all().map(|consent| consent.policy_version.as_deref())),
    ];
    list(spec, "consent", rows.iter().map(|p| p.consent.len()), columns)
}

/// The columns of `consent_history`, of those among `rows` that say something of consent.
pub fn consent_history(rows: &[Interaction]) -> Result<RecordBatch> {
    let all = || rows.iter().filter_map(|row| Some((row, row.details.consent.as_ref()?)));
    let said = |of: fn(&Consent) -> &Option<String>| {
        optional_texts(all().map(move |(_, consent)| of(consent).as_deref()))
    };
    batch(
        &tables::CONSENT_HISTORY,
        vec![
            texts(all().map(|(row, _)| &*row.event_id)),
            texts(all().map(|(row, _)| &*row.channel)),
            hex(all().map(|(row, _)| &row.record.0[..])),
            texts(all().map(|(_, consent)| &*consent.purpose)),
            said(|consent| &consent.channel),
            texts(all().map(|(_, consent)| consent.state.name())),
            said(|consent| &consent.basis),
            texts(all().map(|(_, consent)| &*consent.source)),
            said(|consent| &consent.policy_version),
            times(all().map(|(row, _)| row.occurred_at)),
        ],
    )
}

/// The columns of `suppression`.
pub fn suppression(rows: &[Suppressed]) -> Result<RecordBatch> {
    batch(
        &tables::SUPPRESSION,
        vec![
            hex(rows.iter().map(|row| &row.key.0[..])),
            hex(rows.iter().map(|row| &row.record.0[..])),
            texts(rows.iter().map(|row| row.channel.name())),
            optional_texts(rows.iter().map(|row| row.fact.address.as_deref())),
            texts(rows.iter().map(|row| &*row.fact.reason)),
            times(rows.iter().map(|row| row.fact.at)),
        ],
    )
}
