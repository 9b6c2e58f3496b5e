//! `[source.NAME]` as written in, a source plan out: where do its messages stand, and what do they
//! mean?

use std::collections::BTreeMap;

use super::mapping;
use super::matching::OwnFields;
use super::{client, one_of, options};
use crate::config::problem::At;
use crate::config::settings::{KafkaSettings, SourceSettings};
use crate::normalise::{self, DateOrder};
use crate::source::{FilesPlan, Format, Input, KafkaPlan, OnGap, SourcePlan};

/// librdkafka settings that have a key of their own, or are for the state to decide.
const RESERVED: [(&str, &str); 4] = [
    ("group.id", "use `group`"),
    ("group.instance.id", "no member of the group reads; leave it out"),
    ("enable.auto.commit", "positions are kept in the state; leave it out"),
    ("enable.auto.offset.store", "positions are kept in the state; leave it out"),
];

/// Resolves one source; takes note of what is wrong, and is of use where nothing is.
pub(super) fn plan(
    name: &str,
    settings: &SourceSettings,
    pipeline: &str,
    own: &OwnFields,
    at: &At,
) -> Option<SourcePlan> {
    let input = input(settings, pipeline, at);
    let flat = matches!(&input, Some(Input::Files(files)) if is_csv(files));
    let order = settings.date_order.as_deref().and_then(|word| {
        let orders = [("day_first", DateOrder::DayFirst), ("month_first", DateOrder::MonthFirst)];
        let at = at.under("date_order");
        at.take(one_of(word, &orders, &at))
    });
    let date_order = order.unwrap_or_default();
    let region = settings.default_region.as_deref();
    if let Some(region) =
        region.filter(|r| r.len() != 2 || !r.bytes().all(|b| b.is_ascii_uppercase()))
    {
        let remedy = "give an ISO 3166 country of two capital letters, such as US";
        let at = at.under("default_region");
        at.note(at.wrong(region, remedy));
    }
    let mapping = mapping::mapping(name, settings, date_order, flat, own, at);
    let keyed = settings.record_id.is_some() || at.under("record_id").is_replaced();
    if settings.one_per_customer && !keyed {
        let remedy = "is for rows that have keys; give `record_id`, or leave it out";
        let at = at.under("one_per_customer");
        at.note(at.problem(remedy));
    }
    let source = own.one_per_source.filter(|_| settings.one_per_customer);
    let normalise = normalise::Settings {
        default_region: region.map(str::to_owned),
        date_order,
        custom: own.fields.iter().map(|field| field.custom).collect(),
        constant: source.map(|field| (field, name.into())),
    };
    Some(SourcePlan { name: name.into(), input: input?, mapping, normalise })
}

fn input(settings: &SourceSettings, pipeline: &str, at: &At) -> Option<Input> {
    match (&settings.files, &settings.kafka) {
        (Some(_), None) => Some(Input::Files(files(settings, at))),
        (None, Some(topics)) => {
            for (key, given) in
                [("format", settings.format.is_some()), ("delimiter", settings.delimiter.is_some())]
            {
                if given {
                    let at = at.under(key);
                    at.note(at.problem("messages of Kafka are JSON objects; leave it out"));
                }
            }
            let at = at.under("kafka");
            kafka(topics, pipeline, &at).map(Input::Kafka)
        }
        (None, None) => {
            at.note(at.problem("has no input; give `files` or `kafka`"));
            None
        }
        (Some(_), Some(_)) => {
            at.note(at.problem("has two inputs; give `files` or `kafka`, not both"));
            None
        }
    }
}

/// Two sources that read the same would count everything twice, or starve each other.
pub(super) fn check_overlap(sources: &[SourcePlan], at: &At) {
    let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for source in sources {
        let at = at.under(&source.name);
        let inputs: Vec<(&str, &str, At)> = match &source.input {
            Input::Files(files) => {
                let at = at.under("files");
                let patterns = files.patterns.iter().enumerate();
                patterns.map(|(i, p)| ("files", p.as_str(), at.item(i))).collect()
            }
            Input::Kafka(kafka) => {
                let at = at.under("kafka");
                let topic = |i| match kafka.topics.len() {
                    1 => at.under("topic"),
                    _ => at.under("topics").element(i),
                };
                let topics = kafka.topics.iter().enumerate();
                topics.map(|(i, t)| (kafka.brokers.as_str(), t.as_str(), topic(i))).collect()
            }
        };
        for (place, input, at) in inputs {
            if let Some(other) = seen.insert((place, input), &source.name) {
                let remedy = format!("is read by source `{other}`, too; read it once");
                at.note(at.wrong(input, remedy));
            }
        }
    }
}

fn files(settings: &SourceSettings, at: &At) -> FilesPlan {
    let patterns = settings.files.as_ref().map(|files| files.0.clone()).unwrap_or_default();
    let place = at.under("files");
    if patterns.is_empty() {
        place.note(place.problem("the list is empty; give a path, a glob or a URL"));
    }
    for (index, pattern) in patterns.iter().enumerate().filter(|(_, p)| p.trim().is_empty()) {
        let at = place.item(index);
        at.note(at.wrong(pattern, "give a path, a glob or a URL"));
    }
    let format = settings.format.as_deref().and_then(|word| {
        let formats = [Format::Jsonl, Format::Csv, Format::Parquet].map(|f| (f.name(), f));
        let at = at.under("format");
        at.take(one_of(word, &formats, &at))
    });
    let delimiter = match settings.delimiter.as_deref().map(str::as_bytes) {
        None => None,
        Some([one]) if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Some(*one),
        Some(_) => {
            let given = settings.delimiter.as_deref().unwrap_or_default();
            let at = at.under("delimiter");
            at.note(at.wrong(given, "give one ASCII character, such as ;"));
            None
        }
    };
    FilesPlan { patterns, format, delimiter, options: options(&settings.options) }
}

/// Whether all files are known to be CSV, whose rows have columns and nothing within them.
fn is_csv(files: &FilesPlan) -> bool {
    let of_name = |pattern: &String| Format::of_name(pattern) == Some(Format::Csv);
    match files.format {
        Some(format) => format == Format::Csv,
        None => files.patterns.iter().all(of_name),
    }
}

fn kafka(settings: &KafkaSettings, pipeline: &str, at: &At) -> Option<KafkaPlan> {
    let options = client(&settings.brokers, &settings.options, &RESERVED, at);
    let topics = match (&settings.topic, &settings.topics) {
        (Some(topic), None) => Some(vec![topic.clone()]),
        (None, Some(topics)) => Some(topics.clone()),
        _ => {
            at.note(at.problem("give either `topic` or `topics`"));
            None
        }
    };
    let is_unnamed = |topics: &Vec<String>| {
        topics.is_empty() || topics.iter().any(|topic| topic.trim().is_empty())
    };
    if topics.as_ref().is_some_and(is_unnamed) {
        at.note(at.problem("a topic has no name; name at least one topic"));
    }
    let on_gap = settings.on_gap.as_deref().and_then(|word| {
        let ways = [("continue", OnGap::Continue), ("stop", OnGap::Stop)];
        at.take(one_of(word, &ways, &at.under("on_gap")))
    });
    let group = settings.group.clone().filter(|group| !group.trim().is_empty());
    Some(KafkaPlan {
        brokers: settings.brokers.clone(),
        topics: topics?,
        group: group.unwrap_or_else(|| format!("onefold-{pipeline}")),
        on_gap: on_gap.unwrap_or_default(),
        options,
    })
}
