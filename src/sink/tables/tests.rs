//! The contracts that say what the tables hold are made of the specs: for programs, and for people.

use std::fmt::Write;

use parquet::file::properties::EnabledStatistics;
use parquet::schema::types::ColumnPath;
use serde_json::Value;

use super::*;
use crate::contract::assert_is_current;
use crate::sink::file;

fn every() -> impl Iterator<Item = &'static TableSpec> {
    ALL.into_iter().chain([&MATCH_EVIDENCE])
}

/// An object with its members in an order that reads well; lists of objects get a line an entry.
fn written(value: &Value, indent: usize, out: &mut String) {
    let order = ["table", "name", "type", "nullable", "bloom", "description", "key", "sorted_by"];
    let Value::Object(members) = value else {
        write!(out, "{value}").unwrap();
        return;
    };
    let lists = ["columns", "fields"];
    let known = order.into_iter().chain(lists).filter(|name| members.contains_key(*name));
    let (opened, between, closed) = match indent {
        0 => ("{\n  ", ",\n  ", "\n}"),
        _ => ("{", ", ", "}"),
    };
    out.push_str(opened);
    for (at, name) in known.enumerate() {
        out.push_str(if at == 0 { "" } else { between });
        write!(out, "\"{name}\": ").unwrap();
        let entries = members[name].as_array().filter(|_| lists.contains(&name));
        let Some(entries) = entries else {
            out.push_str(&members[name].to_string());
            continue;
        };
        let space = " ".repeat(indent + 4);
        out.push('[');
        for (at, entry) in entries.iter().enumerate() {
            write!(out, "{}\n{space}", if at == 0 { "" } else { "," }).unwrap();
            written(entry, indent + 2, out);
        }
        write!(out, "\n{}]", " ".repeat(indent + 2)).unwrap();
    }
    out.push_str(closed);
}

#[test]
fn each_schema_is_current() {
    for spec in every() {
        let described = spec.describe();
        let mut text = String::new();
        written(&described, 0, &mut text);
        text.push('\n');
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, described, "nothing of {} is left out", spec.name);
        assert_is_current(&format!("schemas/tables/{}.json", spec.name), &text);
    }
}

const HEAD: &str = "# The data dictionary

Every column of every published table. Generated from the code and compared with it by a test;
`ONEFOLD_RENEW=1 cargo test --lib is_current` writes it anew. The same comments stand in the tables' own metadata, where
tools show them. `name[]` is a list; `name[].field` is a field of its entries.
";

#[test]
fn the_dictionary_is_current() {
    let mut page = HEAD.to_owned();
    for spec in every() {
        let how = match spec.layout {
            Layout::Upsert { key } => format!("One row per `{key}`, replaced by a later one."),
            Layout::Append { .. } => "Rows are only added.".to_owned(),
        };
        write!(page, "\n## {}\n\n{}\n{how}\n\n", spec.name, spec.about).unwrap();
        page.push_str("| Column | Type | May be null | Meaning |\n|---|---|---|---|\n");
        spec.columns.iter().for_each(|column| describe(column, "", &mut page));
    }
    assert_is_current("docs/data-dictionary.md", &page);
}

fn describe(column: &Column, under: &str, page: &mut String) {
    let path = format!("{under}{}", column.name);
    let described = column.describe();
    let kind = described["type"].as_str().unwrap();
    let nullable = if column.nullable { "yes" } else { "" };
    let filtered = if column.filtered { " (Bloom filter)" } else { "" };
    let about = column.about.replace('|', "\\|") + filtered;
    if let super::super::Type::List(fields) = &column.kind {
        writeln!(page, "| `{path}[]` | {kind} | {nullable} | {about} |").unwrap();
        fields.iter().for_each(|field| describe(field, &format!("{path}[]."), page));
    } else {
        writeln!(page, "| `{path}` | {kind} | {nullable} | {about} |").unwrap();
    }
}

#[test]
fn statistics_name_no_personal_column() {
    let allowed =
        ["identity_id", "record_key", "suppression_key", "epoch", "occurred_at", "event_date"];
    for spec in every() {
        assert!(spec.statistics.iter().all(|name| allowed.contains(name)), "{}", spec.name);
        let known = |name: &&str| spec.columns.iter().any(|c| c.name == *name);
        assert!(spec.statistics.iter().all(known), "{}", spec.name);
    }
}

/// A filter lies in the data file that has the values; least and greatest values lie in footers, too, which tools copy.
#[test]
fn data_files_tell_no_bounds_of_personal_values() {
    for spec in every() {
        let properties = file::table_properties(spec);
        for (path, column) in spec.leaves() {
            let leaf = ColumnPath::new(path.clone());
            let has_bounds = properties.statistics_enabled(&leaf) != EnabledStatistics::None;
            let may_have = path.len() == 1 && spec.statistics.contains(&path[0].as_str());
            assert_eq!(has_bounds, may_have, "{}: {leaf}", spec.name);
            let has_filter = properties.bloom_filter_properties(&leaf).is_some();
            assert_eq!(has_filter, column.filtered, "{}: {leaf}", spec.name);
        }
    }
}
