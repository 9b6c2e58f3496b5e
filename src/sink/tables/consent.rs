//! Which tables say what customers agreed to, and who may be contacted?

use super::column;
use super::profiles::{
    ACTIVITY, CATEGORY, FIRST_CAMPAIGN, FIRST_CHANNEL, LANGUAGE, LAST_CAMPAIGN, LAST_CHANNEL,
    MONTHS, PRODUCTS, PURCHASES,
};
use crate::sink::spec::Type::{Boolean, List, Long, Text, Timestamp};
use crate::sink::spec::{Column, Layout, TableSpec};

const REACH: &str = "Whether marketing may use this way: yes, or why not: no_address, invalid, suppressed, withdrawn or no_consent.";

pub(super) const CONTACT_EMAIL: Column = column("contact_email", Text, REACH).or_null().few();
pub(super) const CONTACT_SMS: Column = column("contact_sms", Text, REACH).or_null().few();
pub(super) const CONTACT_PHONE: Column = column("contact_phone", Text, REACH).or_null().few();
pub(super) const CONTACT_POST: Column = column("contact_post", Text, REACH).or_null().few();

/// Who may be contacted for marketing.
pub static PROFILES_MARKETING: TableSpec = TableSpec {
    name: "profiles_marketing",
    about: "One current row per identity that may be contacted for marketing by some way, with the \
            addresses that may be used; what was derived from their doings only where they agreed \
            to profiling.",
    layout: Layout::Upsert { key: "identity_id" },
    statistics: &["identity_id"],
    columns: &[
        column("identity_id", Text, "The durable name of the customer."),
        column("version", Long, "The commit in which the row last changed."),
        column("given_name", Text, "The given name that survives.").or_null(),
        column("surname", Text, "The surname that survives.").or_null(),
        CONTACT_EMAIL,
        CONTACT_SMS,
        CONTACT_PHONE,
        CONTACT_POST,
        column("email", Text, "The mailbox to write to, where contact_email is yes.").or_null(),
        column("phone", Text, "The number, where contact_sms or contact_phone is yes.").or_null(),
        column("address_line", Text, "House and street, where contact_post is yes.").or_null(),
        column("city", Text, "City, where contact_post is yes.").or_null(),
        column("region", Text, "Region or state, where contact_post is yes.").or_null().few(),
        column("postcode", Text, "Postcode, where contact_post is yes.").or_null(),
        column("country", Text, "Country, where contact_post is yes.").or_null().few(),
        column(
            "profiled",
            Boolean,
            "Whether they agreed to profiling; if not, what follows is empty.",
        ),
        column("first_seen", Timestamp, "The time of the earliest event.").or_null(),
        column("last_seen", Timestamp, "The time of the latest event.").or_null(),
        column("activity", List(ACTIVITY), "Events per channel and type, ascending."),
        column("purchases", List(PURCHASES), "Purchases and returns per currency, ascending."),
        column("categories", List(CATEGORY), "Product categories, most frequent first."),
        column("sentiment_milli", Long, "The mean sentiment in thousandths, −1000 to 1000.")
            .or_null(),
        LANGUAGE,
        MONTHS,
        PRODUCTS,
        FIRST_CHANNEL,
        LAST_CHANNEL,
        FIRST_CAMPAIGN,
        LAST_CAMPAIGN,
    ],
};

/// Every statement of consent.
pub static CONSENT_HISTORY: TableSpec = TableSpec {
    name: "consent_history",
    about: "Every accepted event that gave or withdrew consent, once, append-only: the evidence of \
            profiles.consent.",
    layout: Layout::Append { sort: &["occurred_at", "event_id"] },
    statistics: &["occurred_at"],
    columns: &[
        column("event_id", Text, "The source's name for the event, unique in its channel."),
        column("event_channel", Text, "The channel that the event came by.").few(),
        column("record_key", Text, "The record that said it; join through identity_map.").bloom(),
        column("purpose", Text, "What the consent is for.").few(),
        column("channel", Text, "The way of contact that it is for; null for all.").or_null().few(),
        column("state", Text, "granted or withdrawn.").few(),
        column("basis", Text, "The legal basis.").or_null().few(),
        column("source", Text, "How it was said, or the source's name.").few(),
        column("policy_version", Text, "The version of the policy that was shown.").or_null().few(),
        column("occurred_at", Timestamp, "When it was said."),
    ],
};

/// Addresses that must not be used.
pub static SUPPRESSION: TableSpec = TableSpec {
    name: "suppression",
    about: "One current row per record and way of contact whose address must not be used any more, \
            whatever was agreed to.",
    layout: Layout::Upsert { key: "suppression_key" },
    statistics: &["suppression_key"],
    columns: &[
        column("suppression_key", Text, "The row's name, made of record and channel."),
        column("record_key", Text, "The record whose address it is; join through identity_map."),
        column("channel", Text, "email, sms, phone or post.").few(),
        column("address", Text, "The mailbox or number, for those who send; null for post.")
            .or_null(),
        column("reason", Text, "Why, in the source's word, e.g. bounce.").few(),
        column("since", Timestamp, "Since when."),
    ],
};
