//! `onefold lookup`: what is known of a customer?

use std::process::ExitCode;

use serde_json::Value;

use super::subject::Subject;
use super::{PipelineFile, output, settings};
use crate::error::{Context, Kind, Result};
use crate::pipeline::PublishedTables;

/// Show the profiles that carry an identifier.
///
/// Reads the published tables, so it works while the job runs. E-mail addresses and phone numbers
/// may be written in any way that the matcher understands. Exits 1 where there is none.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(flatten)]
    subject: Subject,

    /// Print profiles as JSON, one a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let tables = PublishedTables::open(&plan.publish, settings(&plan))?;
    let profiles = tables.lookup(&arguments.subject.key())?;
    for profile in &profiles {
        let text = if arguments.json {
            serde_json::to_string(profile).context(Kind::Internal, "write a profile as JSON")?
        } else {
            card(profile)
        };
        output::say(&text)?;
    }
    if profiles.is_empty() {
        output::complain("no profile carries that identifier");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A profile as a person reads it.
fn card(profile: &Value) -> String {
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
    line("seen", format!("{} to {}", text("first_seen"), text("last_seen")));
    lines.join("\n")
}

fn text_of(entry: &Value, name: &str) -> String {
    entry[name].as_str().unwrap_or_default().to_owned()
}

fn values(profile: &Value, list: &str) -> String {
    each(profile, list, |entry| entry["value"].as_str().unwrap_or_default().to_owned())
}

fn each(profile: &Value, list: &str, text: impl Fn(&Value) -> String) -> String {
    let entries = profile[list].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// Minor units as an amount, `12.30 EUR`.
fn money(row: &Value, column: &str) -> String {
    let minor = row[column].as_i64().unwrap_or_default();
    let decimals =
        usize::try_from(row["decimals"].as_i64().unwrap_or_default()).unwrap_or_default();
    let currency = row["currency"].as_str().unwrap_or_default();
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let point = if part.is_empty() { "" } else { "." };
    format!("{}{whole}{point}{part} {currency}", if minor < 0 { "-" } else { "" })
}
