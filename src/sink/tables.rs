//! Which tables are published, with which columns?
//!
//! The names are a contract: `schemas/tables` documents them, and a test compares the two.

mod consent;
mod profiles;

pub use consent::{CONSENT_HISTORY, PROFILES_MARKETING, SUPPRESSION};
pub use profiles::PROFILES;

use super::spec::Type::{Binary, Boolean, Date, Double, Integer, List, Long, Text, Timestamp};
use super::spec::{Column, Layout, TableSpec};

/// Shorthand of [`Column::new`].
const fn column(name: &'static str, kind: super::Type, about: &'static str) -> Column {
    Column::new(name, kind, about)
}

/// Which identity each record belongs to.
pub static IDENTITY_MAP: TableSpec = TableSpec {
    name: "identity_map",
    about: "One current row per record: which identity it belongs to.",
    layout: Layout::Upsert { key: "record_key" },
    statistics: &["record_key"],
    columns: &[
        column("record_key", Text, "The record."),
        column("source", Text, "The source of its earliest event.").few(),
        column("record_id", Text, "The source's own row key; null for records made of events.")
            .or_null(),
        column("identity_id", Text, "The identity.").bloom(),
    ],
};

/// What happened to identities, and to the records' place among them.
pub static IDENTITY_CHANGES: TableSpec = TableSpec {
    name: "identity_changes",
    about: "What happened to identities, and which identity each record belongs to from when on, \
            append-only.",
    layout: Layout::Append { sort: &["epoch", "identity_id"] },
    statistics: &["epoch", "occurred_at"],
    columns: &[
        column(
            "change",
            Text,
            "Of an identity: created, merged, split, carried, erased, or reduced: some of its \
             records were erased. Of a record: assigned or removed.",
        )
        .few(),
        column(
            "identity_id",
            Text,
            "The identity it happened to; the one that the record belongs to from then on, or \
             belonged to.",
        )
        .bloom(),
        column(
            "other_identity_id",
            Text,
            "The identity merged into, or split from; the one that the record belonged to, null \
             for a new one.",
        )
        .or_null()
        .bloom(),
        column("cause", Text, "Why: records, judgement, model, erasure, backfill or upgrade.")
            .few(),
        column("epoch", Long, "The commit that made it."),
        column("occurred_at", Timestamp, "The time of the latest event in that commit."),
        column("record_key", Text, "The record; null where it is about an identity.").or_null(),
        column("source", Text, "The record's source, as in identity_map.").or_null().few(),
        column("record_id", Text, "The source's own row key, as in identity_map.").or_null(),
    ],
};

/// Every accepted event.
pub static INTERACTIONS: TableSpec = TableSpec {
    name: "interactions",
    about: "Every accepted event, once, append-only.",
    layout: Layout::Append { sort: &["occurred_at", "event_id"] },
    statistics: &["occurred_at", "event_date"],
    columns: &[
        column("event_id", Text, "The source's name for the event, unique in its channel."),
        column("channel", Text, "The channel.").few(),
        column("type", Text, "The type within the channel.").few(),
        column("occurred_at", Timestamp, "When it happened."),
        column("record_key", Text, "The record it belongs to; join through identity_map.").bloom(),
        column("source", Text, "The source it was read from.").few(),
        column("event_date", Date, "The UTC day of occurred_at."),
        column("money_kind", Text, "purchase or return.").or_null().few(),
        column("currency", Text, "ISO 4217 code.").or_null().few(),
        column("decimals", Integer, "The decimals of the minor unit: 2 means hundredths.")
            .or_null(),
        column("amount_minor", Long, "The amount in minor units, not negative for returns.")
            .or_null(),
        column("consent_purpose", Text, "What consent was given or withdrawn for.").or_null().few(),
        column("consent_state", Text, "granted or withdrawn.").or_null().few(),
        column("category", Text, "The product category.").or_null().few(),
        column("campaign", Text, "The campaign that caused the event.").or_null().few(),
        column("sentiment_milli", Long, "Mood in thousandths, −1000 to 1000.").or_null(),
        column("consent_channel", Text, "The way of contact the consent is for; null for all.")
            .or_null()
            .few(),
        column("product", Text, "The product that was looked at or bought.").or_null(),
        column("items", Long, "How many things were bought or given back.").or_null(),
        column("reason", Text, "What the customer got in touch for.").or_null().few(),
        column("resolved", Boolean, "Whether that was resolved.").or_null().few(),
    ],
};

/// Messages that could not be used.
pub static DEAD_LETTERS: TableSpec = TableSpec {
    name: "dead_letters",
    about: "Every message that could not be used, whole, append-only.",
    layout: Layout::Append { sort: &["source", "partition", "offset"] },
    statistics: &[],
    columns: &[
        column("source", Text, "The source's name in the pipeline file.").few(),
        column("partition", Text, "topic/partition, or the file's URL or path.").few(),
        column("offset", Long, "The Kafka offset, or the 0-based ordinal within the file."),
        column(
            "reason",
            Text,
            "malformed, missing_field, wrong_type, bad_time, too_large or too_late.",
        )
        .few(),
        column("detail", Text, "What was expected where; never a value of the message."),
        column("payload", Binary, "The message's bytes as read."),
        column("key", Binary, "The key of the Kafka message.").or_null(),
        column("headers", List(HEADER), "The headers of the Kafka message, in their order.")
            .or_null(),
    ],
};

const HEADER: &[Column] =
    &[column("name", Text, "The header's name."), column("value", Binary, "Its bytes.").or_null()];

/// Dead letters that are closed.
pub static DEAD_LETTER_REPLAYS: TableSpec = TableSpec {
    name: "dead_letter_replays",
    about: "Every dead letter that was replayed and could be used, append-only: those of \
            dead_letters that are not here are still open.",
    layout: Layout::Append { sort: &["source", "partition", "offset"] },
    statistics: &["epoch"],
    columns: &[
        column("source", Text, "The letter's source.").few(),
        column("partition", Text, "The letter's partition.").few(),
        column("offset", Long, "The letter's offset."),
        column("outcome", Text, "resolved, or duplicate where its event was known.").few(),
        column("epoch", Long, "The commit that holds its event."),
    ],
};

/// Why the records of each identity were merged; written on request.
pub static MATCH_EVIDENCE: TableSpec = TableSpec {
    name: "match_evidence",
    about: "Why the records of each identity were merged: one row per merge and term, whose bits \
            add up to the merge's weight. Written on request, whole each time, by epoch; without \
            personal data.",
    layout: Layout::Append { sort: &["identity_id", "step"] },
    statistics: &["identity_id", "epoch"],
    columns: &[
        column("epoch", Long, "The commit of the state that was explained."),
        column("identity_id", Text, "The identity."),
        column("step", Long, "The merge, numbered from 1 in the order of those that made it."),
        column("kept_record_key", Text, "The group that stayed, by its lowest record."),
        column("joined_record_key", Text, "The group that joined it, by its lowest record."),
        column("kept_records", Long, "How many records the group that stayed had."),
        column("joined_records", Long, "How many records the group that joined it had."),
        column("judged", Boolean, "Whether a judgement made the merge, whatever the terms say."),
        column("term", Text, "prior, a field, or household: what household mates take off.").few(),
        column("level", Integer, "The agreement of the best pair of records; 1 is the best.")
            .or_null()
            .few(),
        column("agreement", Text, "That level in words.").or_null().few(),
        column("bits", Double, "What the term says, in bits."),
        column("household_bits", Double, "What it says against household mates, in bits.")
            .or_null(),
        column("pairs", Long, "How many pairs of records have a value.").or_null(),
        column("best_bits", Double, "The bits of the best pair.").or_null(),
        column("mean_bits", Double, "The mean of all pairs' bits.").or_null(),
        column("best_kept_record_key", Text, "The best pair's record in the group that stayed.")
            .or_null(),
        column("best_joined_record_key", Text, "The best pair's record in the other group.")
            .or_null(),
        column("weight_bits", Double, "The merge's match weight, in bits."),
    ],
};

/// Every published table.
pub static ALL: [&TableSpec; 9] = [
    &PROFILES,
    &PROFILES_MARKETING,
    &SUPPRESSION,
    &CONSENT_HISTORY,
    &IDENTITY_MAP,
    &IDENTITY_CHANGES,
    &INTERACTIONS,
    &DEAD_LETTERS,
    &DEAD_LETTER_REPLAYS,
];

#[cfg(test)]
mod tests;
