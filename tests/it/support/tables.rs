//! The published tables, read by our own reader and by DuckDB and Polars.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use onefold::sink::{Table, TableSpec, json_rows, open_store, tables};
use serde_json::Value;

use super::events::{Expected, Money};
use super::python::Python;

/// The tables at one place.
pub(crate) struct Tables {
    pub(crate) url: String,
    pub(crate) options: BTreeMap<String, String>,
}

impl Tables {
    pub(crate) fn local(folder: &std::path::Path) -> Self {
        Self { url: super::text(folder).to_owned(), options: BTreeMap::new() }
    }

    /// The rows of a table as JSON objects, of the columns named.
    pub(crate) fn rows(&self, spec: &'static TableSpec, columns: &[&str]) -> Vec<Value> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (store, root) = open_store(&self.url, &self.options).expect("open the place");
        let batches: Vec<_> = runtime.block_on(async {
            let table = Table::open_existing(Arc::clone(&store), &root, spec).await;
            let table = table.expect("open a table").expect("the table is there");
            table.scan(Some(columns)).try_collect().await.expect("read a table")
        });
        batches.iter().flat_map(|batch| json_rows(batch).expect("rows as JSON")).collect()
    }

    /// The identity of every record, each of which must be there once and have a profile.
    pub(crate) fn identity_map(&self) -> BTreeMap<String, String> {
        let rows = self.rows(&tables::IDENTITY_MAP, &["record_key", "identity_id"]);
        let map: BTreeMap<_, _> =
            rows.iter().map(|row| (word(row, "record_key"), word(row, "identity_id"))).collect();
        assert_eq!(map.len(), rows.len(), "every record has one identity");
        let profiles = self.rows(&tables::PROFILES, &["identity_id", "records"]);
        let known: BTreeMap<_, _> =
            profiles.iter().map(|row| (word(row, "identity_id"), &row["records"])).collect();
        assert_eq!(known.len(), profiles.len(), "every identity has one profile");
        let mut records: BTreeMap<String, u64> = BTreeMap::new();
        for identity in map.values() {
            *records.entry(identity.clone()).or_default() += 1;
        }
        let records: BTreeMap<_, _> =
            records.into_iter().map(|(id, count)| (id, Value::from(count))).collect();
        let same = known.iter().map(|(id, count)| (id, *count)).eq(&records);
        assert!(same, "the profiles are of the identities of the map, and count their records");
        map
    }

    /// The profile of each group of records that is one identity, but for what the history of commits decides: its id
    /// and its version.
    pub(crate) fn customers(&self) -> BTreeMap<Vec<String>, Value> {
        let mut records: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (record, identity) in self.identity_map() {
            records.entry(identity).or_default().push(record);
        }
        let columns: Vec<&str> = tables::PROFILES.columns.iter().map(|it| it.name).collect();
        let rows = self.rows(&tables::PROFILES, &columns).into_iter().map(|mut row| {
            let records = records.remove(&word(&row, "identity_id")).expect("it is mapped");
            let fields = row.as_object_mut().expect("a row");
            fields.remove("identity_id");
            fields.remove("version");
            (records, row)
        });
        rows.collect()
    }

    /// The ids of the events of each identity. Every event must be there once.
    pub(crate) fn partition(&self) -> BTreeSet<BTreeSet<String>> {
        let map = self.identity_map();
        let rows = self.rows(&tables::INTERACTIONS, &["event_id", "record_key"]);
        let mut seen = BTreeSet::new();
        let mut clusters: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for row in &rows {
            let event = word(row, "event_id");
            assert!(seen.insert(event.clone()), "event {event} is there twice");
            let identity = map.get(&word(row, "record_key")).expect("every record is mapped");
            clusters.entry(identity).or_default().insert(event);
        }
        assert_eq!(clusters.len(), map.values().collect::<BTreeSet<_>>().len());
        clusters.into_values().collect()
    }

    /// Checks that the tables hold a stream, each event once, and returns its partition.
    #[track_caller]
    pub(crate) fn assert_hold(&self, expected: &Expected) -> BTreeSet<BTreeSet<String>> {
        let partition = self.partition();
        let events: BTreeSet<String> = partition.iter().flatten().cloned().collect();
        assert_eq!(events, expected.events, "every event is in interactions");
        let profiles = self.rows(&tables::PROFILES, &["events", "purchases"]);
        let counted: u64 = profiles.iter().filter_map(|row| row["events"].as_u64()).sum();
        assert_eq!(counted, expected.events.len() as u64, "every event counts once in profiles");
        assert_eq!(money_of_profiles(&profiles), expected.money, "money in profiles");
        let columns = ["money_kind", "currency", "amount_minor"];
        let moved = money_of_interactions(&self.rows(&tables::INTERACTIONS, &columns));
        assert_eq!(moved, expected.money, "money in interactions");
        let letters = self.rows(&tables::DEAD_LETTERS, &["partition", "offset", "payload"]);
        let mut refused: Vec<String> = letters.iter().map(payload).collect();
        refused.sort();
        assert_eq!(refused, expected.refused, "every broken line is in dead_letters, once");
        self.assert_consents_agree();
        partition
    }

    /// Checks that the tables about consent and contact say the same as those that they go with.
    #[track_caller]
    fn assert_consents_agree(&self) {
        let said = self.rows(&tables::INTERACTIONS, &["event_id", "consent_purpose"]);
        let said = said.iter().filter(|row| row["consent_purpose"].is_string());
        let said: BTreeSet<String> = said.map(|row| word(row, "event_id")).collect();
        let history = self.rows(&tables::CONSENT_HISTORY, &["event_id"]);
        let kept: BTreeSet<String> = history.iter().map(|row| word(row, "event_id")).collect();
        assert_eq!((kept.len(), &kept), (history.len(), &said), "each consent is kept once");

        let ways = ["contact_email", "contact_sms", "contact_phone", "contact_post"];
        let columns = ["identity_id", ways[0], ways[1], ways[2], ways[3]];
        let profiles = self.rows(&tables::PROFILES, &columns);
        let may_be = |row: &&Value| ways.iter().any(|way| row[*way] == "yes");
        let id = |row: &Value| word(row, "identity_id");
        let reachable: BTreeSet<String> = profiles.iter().filter(may_be).map(id).collect();
        let listed =
            self.rows(&tables::PROFILES_MARKETING, &["identity_id", "contact_email", "email"]);
        assert_eq!(listed.iter().map(id).collect::<BTreeSet<_>>(), reachable, "marketing's view");
        assert_eq!(listed.len(), reachable.len());
        let map = self.identity_map();
        let columns = ["record_key", "channel", "address"];
        let out: BTreeSet<(String, String)> = self
            .rows(&tables::SUPPRESSION, &columns)
            .iter()
            .filter(|row| row["channel"] == "email" && row["address"].is_string())
            .map(|row| (map[&word(row, "record_key")].clone(), word(row, "address")))
            .collect();
        for row in &listed {
            if let Some(email) = row["email"].as_str() {
                assert!(
                    !out.contains(&(id(row), email.to_owned())),
                    "nobody is written to in vain"
                );
            }
        }
    }

    /// What DuckDB and Polars find.
    pub(crate) fn read_by_others(&self, python: &Python) -> Value {
        let options = serde_json::to_string(&self.options).expect("a map of texts");
        let found = python.run("tests/readers/read_tables.py", &[&self.url, &options]);
        serde_json::from_str(&found).expect("the script prints JSON")
    }
}

/// A text of a row.
#[track_caller]
pub(crate) fn word(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("no text in {column}")).to_owned()
}

/// The payload of a dead letter, which must be UTF-8.
pub(crate) fn payload(row: &Value) -> String {
    let hex = word(row, "payload");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    let bytes = (0..hex.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes).expect("the lines of the generator are UTF-8")
}

fn money_of_profiles(rows: &[Value]) -> Money {
    let mut money = Money::new();
    for sums in rows.iter().filter_map(|row| row["purchases"].as_array()).flatten() {
        let total = money.entry(word(sums, "currency")).or_default();
        total.0 += sums["purchase_minor"].as_i64().unwrap_or_default();
        total.1 += sums["return_minor"].as_i64().unwrap_or_default();
    }
    money
}

fn money_of_interactions(rows: &[Value]) -> Money {
    let mut money = Money::new();
    for row in rows.iter().filter(|row| row["money_kind"].is_string()) {
        let total = money.entry(word(row, "currency")).or_default();
        let minor = row["amount_minor"].as_i64().expect("an amount");
        match row["money_kind"].as_str() {
            Some("purchase") => total.0 += minor,
            Some("return") => total.1 += minor,
            other => panic!("{other:?} is no kind of money"),
        }
    }
    money
}
