//! `onefold lookup`: what is known of a customer?

mod card;
mod timeline;

use std::process::ExitCode;

use super::subject::Subject;
use super::{PipelineFile, output, settings};
use crate::error::{Context, Kind, Result};
use crate::pipeline::{Customer, PublishedTables};

/// Lines of a screen, which a customer fills unless told otherwise.
const SCREEN_LINES: usize = 40;
/// Events that are read for a screen, and for programs that do not say how many.
const EVENTS: usize = 20;
/// What is said of a customer's doings at least, however long the rest is.
const TIMELINE_LINES_MIN: usize = 8;

/// Show the customers who carry an identifier: who they are, how to reach them, what they did last.
///
/// Reads the published tables, so it works while the job runs. E-mail addresses, phone numbers, names
/// and dates may be written in any way that the matcher understands; names in any order, with middle
/// names or without. The id of an identity that was merged into another finds that one. Exits 1 where
/// there is nobody.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(flatten)]
    subject: Subject,

    /// How many of the latest events are shown. Default: what fits a screen; as JSON, 20.
    #[arg(long, value_name = "N")]
    events: Option<usize>,

    /// Print customers as JSON, one a line: their profile, events and changes.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let tables = PublishedTables::open(&plan.publish, settings(&plan))?;
    let events = arguments.events.unwrap_or(EVENTS);
    let customers = tables.customers(&arguments.subject.key(), events)?;
    for (at, customer) in customers.iter().enumerate() {
        if arguments.json {
            let text = serde_json::to_string(customer);
            output::say(&text.context(Kind::Internal, "write a customer as JSON")?)?;
        } else {
            output::say(&page(customer, arguments.events.is_none(), at > 0))?;
        }
    }
    if customers.is_empty() {
        output::complain("no profile carries that identifier");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A customer as a person reads it, cut to a screen where that is wished.
fn page(customer: &Customer, fits_a_screen: bool, follows_another: bool) -> String {
    let mut lines: Vec<String> = follows_another.then(String::new).into_iter().collect();
    lines.extend(card::lines(&customer.profile));
    // A line between, and one over the timeline.
    let rest = SCREEN_LINES.saturating_sub(lines.len() + 2).max(TIMELINE_LINES_MIN);
    let told = timeline::lines(customer, fits_a_screen.then_some(rest));
    if !told.is_empty() {
        lines.push(String::new());
        lines.extend(told);
    }
    lines.iter().map(|line| shown(line)).collect::<Vec<_>>().join("\n")
}

/// A line without what a terminal would obey.
fn shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
