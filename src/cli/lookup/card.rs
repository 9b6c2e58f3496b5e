//! Who is the customer, on a few lines?

use serde_json::Value;

/// Entries of a list that are shown.
const ENTRIES_MAX: usize = 6;

/// A profile as a person reads it.
pub(super) fn lines(profile: &Value) -> Vec<String> {
    let text = |name: &str| profile[name].as_str().unwrap_or_default();
    let mut lines = vec![format!(
        "{}  {}",
        text("identity_id"),
        [text("given_name"), text("surname")].join(" ").trim()
    )];
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {name:<12} {value}"));
        }
    };
    line("birth date", text("birth_date").to_owned());
    line(
        "also",
        each(profile, "other_values", |other| {
            format!("{} {}", text_of(other, "field").replace('_', " "), text_of(other, "value"))
        }),
    );
    line("e-mails", values(profile, "emails"));
    line("phones", values(profile, "phones"));
    line(
        "addresses",
        each(profile, "addresses", |a| {
            let parts = ["line", "city", "region", "postcode", "country"];
            parts.iter().filter_map(|part| a[part].as_str()).collect::<Vec<_>>().join(", ")
        }),
    );
    line(
        "purchases",
        each(profile, "purchases", |p| {
            let returned = match p["returns"].as_i64() {
                Some(1..) => format!(", {} returned in {}", money(p, "return_minor"), p["returns"]),
                _ => String::new(),
            };
            format!("{} in {}{returned}", money(p, "purchase_minor"), p["purchases"])
        }),
    );
    line(
        "consent",
        each(profile, "consent", |c| {
            let part = |name: &str| c[name].as_str().unwrap_or_default();
            let by = if part("channel").is_empty() { "" } else { " by " };
            let since = part("since").split('T').next().unwrap_or_default();
            format!("{}{by}{} {} {since}", part("purpose"), part("channel"), part("state"))
        }),
    );
    let ways = ["email", "sms", "phone", "post"].map(|way| {
        let reach = profile[format!("contact_{way}")].as_str().unwrap_or("unknown");
        format!("{way} {}", reach.replace('_', " "))
    });
    line("marketing", ways.join("; "));
    line(
        "events",
        each(profile, "activity", |a| {
            let part = |name: &str| a[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", a["events"], part("channel"), part("type"))
        }),
    );
    line(
        "calls",
        each(profile, "reasons", |r| {
            let open = match r["unresolved"].as_i64() {
                Some(open @ 1..) => format!(", {open} unresolved"),
                _ => String::new(),
            };
            format!("{} {}{open}", r["contacts"], r["reason"].as_str().unwrap_or_default())
        }),
    );
    line("products", each(profile, "products", |p| text_of(p, "product")));
    line("categories", each(profile, "categories", |c| text_of(c, "category")));
    line("household", text("household_id").to_owned());
    line(
        "ids",
        each(profile, "ids", |id| {
            let [kind, value, source] = ["kind", "value", "source"].map(|part| text_of(id, part));
            format!("{kind} {value} ({source})")
        }),
    );
    line("seen", format!("{} to {}", text("first_seen"), text("last_seen")));
    lines
}

fn text_of(entry: &Value, name: &str) -> String {
    entry[name].as_str().unwrap_or_default().to_owned()
}

fn values(profile: &Value, list: &str) -> String {
    each(profile, list, |entry| match entry["quality"].as_str() {
        Some(quality) => format!("{} ({})", text_of(entry, "value"), quality.replace('_', " ")),
        None => text_of(entry, "value"),
    })
}

fn each(profile: &Value, list: &str, text: impl Fn(&Value) -> String) -> String {
    let entries = profile[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut shown: Vec<String> = entries.iter().take(ENTRIES_MAX).map(text).collect();
    if entries.len() > ENTRIES_MAX {
        shown.push(format!("{} more", entries.len() - ENTRIES_MAX));
    }
    shown.join("; ")
}

/// Minor units as an amount, `12.30 EUR`.
pub(super) fn money(row: &Value, column: &str) -> String {
    let minor = row[column].as_i64().unwrap_or_default();
    let decimals =
        usize::try_from(row["decimals"].as_i64().unwrap_or_default()).unwrap_or_default();
    let currency = row["currency"].as_str().unwrap_or_default();
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let point = if part.is_empty() { "" } else { "." };
    format!("{}{whole}{point}{part} {currency}", if minor < 0 { "-" } else { "" })
}
