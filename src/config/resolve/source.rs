//! `[source.NAME]` as written in, a source plan out: where do its messages stand, and what do they
//! mean?

use std::collections::BTreeMap;

use super::mapping;
use super::matching::OwnFields;
use super::{one_of, options};
use crate::config::problem::At;
use crate::config::settings::{KafkaSettings, SourceSettings};
use crate::error::Result;
use crate::normalise::{self, DateOrder};
use crate::source::{FilesPlan, Format, Input, KafkaPlan, OnGap, SourcePlan};

/// librdkafka settings that have a key of their own, or are for the state to decide.
const RESERVED: [(&str, &str); 5] = [
    ("bootstrap.servers", "use `brokers`"),
    ("metadata.broker.list", "use `brokers`"),
    ("group.id", "use `group`"),
    ("enable.auto.commit", "positions are kept in the state; leave it out"),
    ("enable.auto.offset.store", "positions are kept in the state; leave it out"),
];

/// Resolves one source.
pub(super) fn plan(
    name: &str,
    settings: &SourceSettings,
    pipeline: &str,
    own: &OwnFields,
    at: &At,
) -> Result<SourcePlan> {
    let input = match (&settings.files, &settings.kafka) {
        (Some(_), None) => Input::Files(files(settings, at)?),
        (None, Some(topics)) => {
            for (key, given) in
                [("format", settings.format.is_some()), ("delimiter", settings.delimiter.is_some())]
            {
                if given {
                    let at = at.under(key);
                    return Err(at.problem("messages of Kafka are JSON objects; leave it out"));
                }
            }
            Input::Kafka(kafka(topics, pipeline, &at.under("kafka"))?)
        }
        (None, None) => return Err(at.problem("has no input; give `files` or `kafka`")),
        (Some(_), Some(_)) => {
            return Err(at.problem("has two inputs; give `files` or `kafka`, not both"));
        }
    };
    let flat = matches!(&input, Input::Files(files) if is_csv(files));
    let order = settings.date_order.as_deref().map(|word| {
        let orders = [("day_first", DateOrder::DayFirst), ("month_first", DateOrder::MonthFirst)];
        one_of(word, &orders, &at.under("date_order"))
    });
    let date_order = order.transpose()?.unwrap_or_default();
    let region = settings.default_region.as_deref();
    if let Some(region) =
        region.filter(|r| r.len() != 2 || !r.bytes().all(|b| b.is_ascii_uppercase()))
    {
        let remedy = "give an ISO 3166 country of two capital letters, such as US";
        return Err(at.under("default_region").wrong(region, remedy));
    }
    let mapping = mapping::mapping(name, settings, date_order, flat, &own.fields, at)?;
    if settings.one_per_customer && mapping.record_id.is_empty() {
        let remedy = "is for rows that have keys; give `record_id`, or leave it out";
        return Err(at.under("one_per_customer").problem(remedy));
    }
    let source = own.one_per_source.filter(|_| settings.one_per_customer);
    let normalise = normalise::Settings {
        default_region: region.map(str::to_owned),
        date_order,
        custom: own.fields.iter().map(|field| field.custom).collect(),
        constant: source.map(|field| (field, name.into())),
    };
    Ok(SourcePlan { name: name.into(), input, mapping, normalise })
}

/// Two sources that read the same would count everything twice, or starve each other.
pub(super) fn check_overlap(sources: &[SourcePlan], at: &At) -> Result<()> {
    let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for source in sources {
        let inputs: Vec<(&str, &str)> = match &source.input {
            Input::Files(files) => files.patterns.iter().map(|p| ("files", p.as_str())).collect(),
            Input::Kafka(kafka) => {
                kafka.topics.iter().map(|t| (kafka.brokers.as_str(), t.as_str())).collect()
            }
        };
        for input in inputs {
            if let Some(other) = seen.insert(input, &source.name) {
                let at = at.under(&source.name);
                return Err(
                    at.wrong(input.1, format!("is read by source `{other}`, too; read it once"))
                );
            }
        }
    }
    Ok(())
}

fn files(settings: &SourceSettings, at: &At) -> Result<FilesPlan> {
    let patterns = settings.files.as_ref().map(|files| files.0.clone()).unwrap_or_default();
    if patterns.is_empty() {
        return Err(at.under("files").problem("the list is empty; give a path, a glob or a URL"));
    }
    if let Some(empty) = patterns.iter().find(|p| p.trim().is_empty()) {
        return Err(at.under("files").wrong(empty, "give a path, a glob or a URL"));
    }
    let format = settings.format.as_deref().map(|word| {
        let formats = [Format::Jsonl, Format::Csv, Format::Parquet].map(|f| (f.name(), f));
        one_of(word, &formats, &at.under("format"))
    });
    let delimiter = match settings.delimiter.as_deref().map(str::as_bytes) {
        None => None,
        Some([one]) if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Some(*one),
        Some(_) => {
            let given = settings.delimiter.as_deref().unwrap_or_default();
            return Err(at.under("delimiter").wrong(given, "give one ASCII character, such as ;"));
        }
    };
    Ok(FilesPlan {
        patterns,
        format: format.transpose()?,
        delimiter,
        options: options(&settings.options),
    })
}

/// Whether all files are known to be CSV, whose rows have columns and nothing within them.
fn is_csv(files: &FilesPlan) -> bool {
    let of_name = |pattern: &String| Format::of_name(pattern) == Some(Format::Csv);
    match files.format {
        Some(format) => format == Format::Csv,
        None => files.patterns.iter().all(of_name),
    }
}

fn kafka(settings: &KafkaSettings, pipeline: &str, at: &At) -> Result<KafkaPlan> {
    if settings.brokers.trim().is_empty() {
        let at = at.under("brokers");
        return Err(at.wrong(&settings.brokers, "give host:port, several with commas"));
    }
    let topics = match (&settings.topic, &settings.topics) {
        (Some(topic), None) => vec![topic.clone()],
        (None, Some(topics)) => topics.clone(),
        _ => return Err(at.problem("give either `topic` or `topics`")),
    };
    if topics.is_empty() || topics.iter().any(|topic| topic.trim().is_empty()) {
        return Err(at.problem("a topic has no name; name at least one topic"));
    }
    for (key, remedy) in RESERVED {
        if settings.options.contains_key(key) {
            return Err(at.under("options").under(key).problem(remedy));
        }
    }
    let on_gap = settings.on_gap.as_deref().map(|word| {
        let ways = [("continue", OnGap::Continue), ("stop", OnGap::Stop)];
        one_of(word, &ways, &at.under("on_gap"))
    });
    let group = settings.group.clone().filter(|group| !group.trim().is_empty());
    Ok(KafkaPlan {
        brokers: settings.brokers.clone(),
        topics,
        group: group.unwrap_or_else(|| format!("onefold-{pipeline}")),
        on_gap: on_gap.transpose()?.unwrap_or_default(),
        options: options(&settings.options),
    })
}
