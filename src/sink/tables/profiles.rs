//! What does a row of `profiles` hold?

use super::column;
use super::consent::{CONTACT_EMAIL, CONTACT_PHONE, CONTACT_POST, CONTACT_SMS};
use crate::sink::spec::Type::{Boolean, Date, Integer, List, Long, Text, Timestamp};
use crate::sink::spec::{Column, Layout, TableSpec};

const LAST_SEEN: Column = column("last_seen", Timestamp, "When an event last gave it.");
const FIRST_SEEN: Column = column("first_seen", Timestamp, "When an event first gave it.");
const GIVEN_BY: Column = column("events", Long, "How many events gave it.");
const SOURCE: Column = column("source", Text, "The source of the latest such event.").few();
const RECORD_KEY: Column = column("record_key", Text, "The record of the latest such event.");
const EVENTS: Column = column("events", Long, "How many events.");
const QUALITY: Column =
    column("quality", Text, "What is wrong with it, if anything: see the list's own comment.")
        .or_null()
        .few();

/// One current row per identity.
pub static PROFILES: TableSpec = TableSpec {
    name: "profiles",
    about: "One current row per identity: what is known of one customer.",
    layout: Layout::Upsert { key: "identity_id" },
    statistics: &["identity_id"],
    columns: &[
        column("identity_id", Text, "The durable name of the customer."),
        column("version", Long, "The commit in which the row last changed."),
        column("known", Boolean, "Whether some record holds more than cookies and devices."),
        column("given_name", Text, "The given name that survives.").or_null(),
        column("surname", Text, "The surname that survives.").or_null(),
        column("birth_date", Text, "The birth date that survives, YYYY-MM-DD.").or_null(),
        column(
            "emails",
            List(VALUE),
            "Every e-mail address, the best first; quality: disposable (a throw-away mailbox).",
        ),
        column(
            "phones",
            List(VALUE),
            "Every phone number, the best first; quality: no_country (its country is not known).",
        ),
        column(
            "addresses",
            List(ADDRESS),
            "Every postal address, the best first; quality: incomplete (no street, or no town).",
        ),
        column("ids", List(SOURCE_ID), "Identifiers by kind and source, ascending."),
        column("consent", List(CONSENT), "What they agreed to per purpose and channel, ascending."),
        column("activity", List(ACTIVITY), "Events per channel and type, ascending."),
        column("purchases", List(PURCHASES), "Purchases and returns per currency, ascending."),
        column("categories", List(CATEGORY), "Product categories, most frequent first."),
        column("events", Long, "How many events there are."),
        column("records", Long, "How many records belong to the identity."),
        column("first_seen", Timestamp, "The time of the earliest event."),
        column("last_seen", Timestamp, "The time of the latest event."),
        column("sentiment_milli", Long, "The mean sentiment in thousandths, −1000 to 1000.")
            .or_null(),
        column("provenance", List(PROVENANCE), "Where the fields that survive are from."),
        CONTACT_EMAIL,
        CONTACT_SMS,
        CONTACT_PHONE,
        CONTACT_POST,
        column(
            "other_values",
            List(OTHER),
            "Names and birth dates that do not survive, best first.",
        ),
        column(
            "quality",
            List(ISSUE),
            "What could not be used of what events gave, or was mended.",
        ),
        column(
            "completeness_percent",
            Integer,
            "How many of given name, surname, birth date, e-mail, phone and address are known, in \
             percent.",
        ),
        column(
            "household_id",
            Text,
            "Those with the same best surname and address have the same; null without either.",
        )
        .or_null(),
        LANGUAGE,
        column("country", Text, "The country that most events say they are in.").or_null().few(),
        column("timezone", Text, "The timezone that most events say, or its offset.")
            .or_null()
            .few(),
        MONTHS,
        PRODUCTS,
        column("reasons", List(REASON), "What they got in touch for, ascending."),
        FIRST_CHANNEL,
        LAST_CHANNEL,
        FIRST_CAMPAIGN,
        LAST_CAMPAIGN,
        column(
            "lookup_keys",
            List(LOOKUP_KEY),
            "By what `onefold lookup` finds the row: no more than that can be told from them.",
        )
        .or_null(),
    ],
};

const LOOKUP_KEY: &[Column] = &[column(
    "key",
    Integer,
    "32 bits of a hash of an e-mail address, a number, an id, or a birth date with a name.",
)
.bloom()];

pub(super) const LANGUAGE: Column =
    column("language", Text, "The language that most events say.").or_null().few();
pub(super) const MONTHS: Column =
    column("months", List(MONTH), "Events per month and channel, ascending.");
pub(super) const PRODUCTS: Column =
    column("products", List(PRODUCT), "The 10 products met most often, most frequent first.");
pub(super) const FIRST_CHANNEL: Column =
    column("first_channel", Text, "The channel of the earliest event.").or_null().few();
pub(super) const LAST_CHANNEL: Column =
    column("last_channel", Text, "The channel of the latest event.").or_null().few();
pub(super) const FIRST_CAMPAIGN: Column =
    column("first_campaign", Text, "The campaign of the earliest event.").or_null().few();
pub(super) const LAST_CAMPAIGN: Column =
    column("last_campaign", Text, "The campaign of the latest event.").or_null().few();

const VALUE: &[Column] = &[
    column("value", Text, "The value as a person would write it."),
    LAST_SEEN,
    GIVEN_BY,
    SOURCE,
    RECORD_KEY,
    FIRST_SEEN,
    QUALITY,
];
const ADDRESS: &[Column] = &[
    column("line", Text, "House and street.").or_null(),
    column("city", Text, "City.").or_null(),
    column("region", Text, "Region or state.").or_null().few(),
    column("postcode", Text, "Postcode.").or_null(),
    column("country", Text, "Country.").or_null().few(),
    LAST_SEEN,
    GIVEN_BY,
    SOURCE,
    RECORD_KEY,
    FIRST_SEEN,
    QUALITY,
];
const OTHER: &[Column] = &[
    column("field", Text, "given_name, surname or birth_date.").few(),
    column("value", Text, "The value as a person would write it."),
    LAST_SEEN,
    GIVEN_BY,
    SOURCE,
    FIRST_SEEN,
];
const SOURCE_ID: &[Column] = &[
    column("kind", Text, "cookie, device, card, loyalty, government_id or record.").few(),
    column("source", Text, "The source that uses it.").few(),
    column("value", Text, "The identifier."),
    column("first_seen", Timestamp, "The earliest event of a record that carries it."),
    column("last_seen", Timestamp, "The latest event of a record that carries it."),
];
const CONSENT: &[Column] = &[
    column("purpose", Text, "What it is for.").few(),
    column("channel", Text, "The way of contact that it is for; null for all.").or_null().few(),
    column("state", Text, "granted or withdrawn: the strictest of the customer's records.").few(),
    column("since", Timestamp, "Since when."),
    column("basis", Text, "The legal basis.").or_null().few(),
    column("source", Text, "How it was said, or the source's name.").few(),
    column("policy_version", Text, "The version of the policy that was shown.").or_null().few(),
];
pub(super) const ACTIVITY: &[Column] = &[
    column("channel", Text, "The channel.").few(),
    column("type", Text, "The type within the channel.").few(),
    EVENTS,
    column("last_seen", Timestamp, "When last."),
];
const MONTH: &[Column] = &[
    column("month", Date, "The month's first day."),
    column("channel", Text, "The channel.").few(),
    EVENTS,
];
pub(super) const PURCHASES: &[Column] = &[
    column("currency", Text, "ISO 4217 code.").few(),
    column("decimals", Integer, "The decimals of the minor unit: 2 means hundredths."),
    column("purchases", Long, "How many purchases."),
    column("purchase_minor", Long, "What was paid, in minor units."),
    column("returns", Long, "How many returns."),
    column("return_minor", Long, "What was given back, in minor units, not negative."),
    column("items", Long, "How many things were bought, as far as events say."),
    column("largest_minor", Long, "The largest purchase, in minor units."),
    column("last_purchase", Timestamp, "The time of the latest purchase.").or_null(),
];
pub(super) const CATEGORY: &[Column] =
    &[column("category", Text, "The product category.").few(), EVENTS];
const PRODUCT: &[Column] = &[column("product", Text, "The product."), EVENTS];
const REASON: &[Column] = &[
    column("reason", Text, "The reason.").few(),
    column("contacts", Long, "How many times."),
    column("resolved", Long, "How many of them were resolved."),
    column("unresolved", Long, "How many were not; of the others nothing was said."),
    column("sentiment_milli", Long, "Their mean sentiment in thousandths.").or_null(),
];
const ISSUE: &[Column] = &[
    column("field", Text, "The field.").few(),
    column("issue", Text, "placeholder, unreadable, repaired or disposable.").few(),
    EVENTS,
];
const PROVENANCE: &[Column] = &[
    column("field", Text, "given_name, surname or birth_date.").few(),
    SOURCE,
    RECORD_KEY,
    column("at", Timestamp, "The time of that event."),
    GIVEN_BY,
    FIRST_SEEN,
];
