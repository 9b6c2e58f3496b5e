//! What did a customer do last, and what became of their identity, on a line each?

use serde_json::Value;

use super::card::money;
use crate::cli::output::number;
use crate::pipeline::Customer;

/// Columns of the channel and of the type, where they are no longer.
const CHANNEL_WIDTH: usize = 8;
const TYPE_WIDTH: usize = 12;

/// The latest events and changes, the latest first, under a line that says how many; nothing where there are none. `most`
/// lines at most, where that is said.
pub(super) fn lines(customer: &Customer, most: Option<usize>) -> Vec<String> {
    let mut told: Vec<(&str, String)> = Vec::new();
    told.extend(customer.interactions.iter().map(|row| (text(row, "occurred_at"), event(row))));
    let own = text(&customer.profile, "identity_id");
    told.extend(customer.changes.iter().map(|row| (text(row, "occurred_at"), change(row, own))));
    // What became of the identity came of the events of that time.
    told.sort_by(|a, b| b.0.cmp(a.0));
    let known = customer.profile["events"].as_u64().unwrap_or_default();
    let read = customer.interactions.len();
    // Changes from before the events that were read stand among others that are not shown.
    let from = customer.interactions.last().map_or("", |row| text(row, "occurred_at"));
    if known > read as u64 && read > 0 {
        told.retain(|(at, _)| *at >= from);
    }
    if told.is_empty() {
        return Vec::new();
    }
    told.truncate(most.unwrap_or(usize::MAX));
    let mut lines = vec![format!("  what happened last, of {} events", number(known))];
    lines.extend(told.into_iter().map(|(at, what)| format!("  {}  {what}", moment(at))));
    lines
}

/// `2024-03-01T09:00:00Z` as `2024-03-01 09:00`.
fn moment(at: &str) -> String {
    at.get(..16).unwrap_or(at).replace('T', " ")
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

fn event(row: &Value) -> String {
    let mut said: Vec<String> = Vec::new();
    if row["amount_minor"].is_i64() {
        let sign = if text(row, "money_kind") == "return" { "-" } else { "" };
        said.push(format!("{sign}{}", money(row, "amount_minor")));
    }
    if let Some(items @ 2..) = row["items"].as_i64() {
        said.push(format!("{items} items"));
    }
    said.extend(["product", "category", "reason"].map(|column| text(row, column).to_owned()));
    said.extend(
        row["resolved"].as_bool().map(|it| if it { "resolved" } else { "unresolved" }.into()),
    );
    if !text(row, "consent_purpose").is_empty() {
        let parts = ["consent_purpose", "consent_channel", "consent_state"];
        said.push(parts.map(|column| text(row, column)).join(" ").replace("  ", " "));
    }
    if !text(row, "campaign").is_empty() {
        said.push(format!("campaign {}", text(row, "campaign")));
    }
    said.retain(|part| !part.is_empty());
    of_three(text(row, "channel"), text(row, "type"), &said.join(", "))
}

/// What happened to the identity `own`, or to another on its account.
fn change(row: &Value, own: &str) -> String {
    let (kind, cause) = (text(row, "change"), text(row, "cause"));
    let is_own = text(row, "identity_id") == own;
    let other = text(row, if is_own { "other_identity_id" } else { "identity_id" });
    let what = match (kind, is_own) {
        (_, true) if other.is_empty() => String::new(),
        ("merged", true) => format!("into {other}"),
        ("merged", false) => format!("{other} into this one"),
        ("split", true) => format!("off {other}"),
        ("split", false) => format!("{other} off this one"),
        _ => other.to_owned(),
    };
    let cause = if cause.is_empty() { String::new() } else { format!("({cause})") };
    of_three("identity", kind, format!("{what} {cause}").trim())
}

fn of_three(channel: &str, kind: &str, rest: &str) -> String {
    format!("{channel:<CHANNEL_WIDTH$}  {kind:<TYPE_WIDTH$}  {rest}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn customer() -> Customer {
        let at = |day: u32| format!("2024-03-{day:02}T09:30:00Z");
        Customer {
            profile: json!({"identity_id": "aa", "events": 1_204}),
            interactions: vec![
                json!({
                    "occurred_at": at(9), "channel": "web", "type": "purchase",
                    "money_kind": "purchase", "amount_minor": 4990, "decimals": 2, "currency": "EUR",
                    "items": 2, "product": "SKU1", "category": "shoes", "campaign": "spring",
                }),
                json!({
                    "occurred_at": at(8), "channel": "store", "type": "return",
                    "money_kind": "return", "amount_minor": 990, "decimals": 2, "currency": "EUR",
                }),
                json!({
                    "occurred_at": at(7), "channel": "phone", "type": "call",
                    "reason": "delivery", "resolved": false,
                }),
                json!({
                    "occurred_at": at(6), "channel": "email", "type": "preferences",
                    "consent_purpose": "marketing", "consent_state": "withdrawn",
                }),
            ],
            changes: vec![
                json!({
                    "occurred_at": at(8), "change": "merged", "identity_id": "bb",
                    "other_identity_id": "aa", "cause": "records",
                }),
                json!({
                    "occurred_at": at(7), "change": "split", "identity_id": "aa",
                    "other_identity_id": "cc", "cause": "judgement",
                }),
                json!({"occurred_at": at(1), "change": "created", "identity_id": "aa"}),
            ],
        }
    }

    #[test]
    fn events_and_changes_are_told_together() {
        let told = lines(&customer(), None);
        let expected = [
            "  what happened last, of 1,204 events",
            "  2024-03-09 09:30  web       purchase      49.90 EUR, 2 items, SKU1, shoes, campaign spring",
            "  2024-03-08 09:30  store     return        -9.90 EUR",
            "  2024-03-08 09:30  identity  merged        bb into this one (records)",
            "  2024-03-07 09:30  phone     call          delivery, unresolved",
            "  2024-03-07 09:30  identity  split         off cc (judgement)",
            "  2024-03-06 09:30  email     preferences   marketing withdrawn",
        ];
        assert_eq!(told, expected);
        assert_eq!(lines(&customer(), Some(2)), expected[..3]);
    }

    #[test]
    fn where_every_event_is_told_so_is_every_change() {
        let mut customer = customer();
        customer.profile["events"] = 4.into();
        let told = lines(&customer, None);
        assert_eq!(told.last().unwrap(), "  2024-03-01 09:30  identity  created");
        customer.interactions.clear();
        customer.changes.clear();
        assert_eq!(lines(&customer, None), [""; 0]);
    }
}
