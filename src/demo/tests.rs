use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::time::iso_utc;
use super::*;

/// The stream of the demo itself.
static STREAM: LazyLock<Stream> = LazyLock::new(|| generate(&Settings::default()));

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn schema(channel: Channel) -> Value {
    let path = repository("schemas/events").join(format!("{}.schema.json", channel.name()));
    let text = fs::read_to_string(path).expect("every channel has a schema");
    serde_json::from_str(&text).expect("a schema is JSON")
}

fn validator(channel: Channel) -> Validator {
    let schema = schema(channel);
    jsonschema::meta::validate(&schema).expect("it is a schema of its own draft");
    jsonschema::validator_for(&schema).expect("a schema is valid")
}

fn channels<T>(of: impl Fn(Channel) -> T) -> BTreeMap<Channel, T> {
    Channel::ALL.into_iter().map(|channel| (channel, of(channel))).collect()
}

fn malformed(stream: &Stream) -> BTreeMap<&str, Malformation> {
    stream.malformed.iter().map(|line| (line.event_id.as_str(), line.kind)).collect()
}

fn whole(stream: &Stream) -> impl Iterator<Item = &Line> {
    let malformed = malformed(stream);
    stream.lines.iter().filter(move |line| !malformed.contains_key(line.event_id.as_str()))
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).expect("a well-formed line is JSON")
}

#[track_caller]
fn assert_valid(validator: &Validator, line: &str) {
    if let Some(error) = validator.iter_errors(&parse(line)).next() {
        panic!("{error} at {} in {line}", error.instance_path());
    }
}

fn fingerprint(stream: &Stream) -> String {
    let mut hasher = blake3::Hasher::new();
    for line in &stream.lines {
        hasher.update(format!("{} {}\n", line.channel.name(), line.text).as_bytes());
    }
    for (event, person) in &stream.truth {
        hasher.update(format!("{event},{person}\n").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Changes only when the generator is meant to make another stream.
#[test]
fn the_same_settings_give_the_same_bytes() {
    let settings = Settings { customers: 50, seed: 7, ..Settings::default() };
    let found = fingerprint(&generate(&settings));
    assert_eq!(found, "464948ce794201eedfdb601a1cbdeaf28f6a34fdce79e5618d4f93e4627a638c");
    assert_ne!(found, fingerprint(&generate(&Settings { seed: 8, ..settings })));
}

#[test]
fn every_event_has_an_id_of_its_own_but_for_redeliveries() {
    let stream = &*STREAM;
    let known: BTreeSet<&str> = stream.truth.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(known.len(), stream.truth.len());
    assert!(stream.malformed.iter().all(|line| !known.contains(line.event_id.as_str())));
    let delivered = stream.truth.len() + stream.redelivered + stream.malformed.len();
    assert_eq!(stream.lines.len(), delivered);

    let mut first: BTreeMap<&str, Value> = BTreeMap::new();
    for line in whole(stream) {
        let mut event = parse(&line.text);
        assert_eq!(event["event_id"], line.event_id.as_str());
        assert!(known.contains(line.event_id.as_str()));
        let received = event["received_at"].take();
        assert_eq!(received, iso_utc(line.arrival));
        let earlier = first.entry(&line.event_id).or_insert_with(|| event.clone());
        assert_eq!(*earlier, event, "a redelivery differs only in when it is received");
    }
    assert_eq!(first.len(), known.len());
}

#[test]
fn lines_stand_in_order_of_arrival_which_is_not_that_of_event_time() {
    let stream = &*STREAM;
    assert!(stream.lines.is_sorted_by_key(|line| line.arrival));
    let times: Vec<String> = whole(stream)
        .filter(|line| line.channel == Channel::Web)
        .map(|line| parse(&line.text)["ts"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(!times.is_sorted());
}

/// About the rates of life; the bounds are wide, for they guard the code, not chance.
#[test]
fn rates_are_as_promised() {
    let stream = &*STREAM;
    let settings = Settings::default();
    assert!((3_000..=3_004).contains(&stream.people));
    let events = stream.truth.len() as f64;
    let share = |part: usize| part as f64 / events;
    let mean = events / stream.people as f64;
    assert!((0.8..1.25).contains(&(mean / settings.events_per_customer)), "{mean}");
    assert!((0.0005..0.002).contains(&share(stream.malformed.len())));
    assert!((0.009..0.015).contains(&share(stream.redelivered)));

    let of =
        channels(|channel| share(whole(stream).filter(|line| line.channel == channel).count()));
    let expected = [(Channel::Web, 0.54), (Channel::Email, 0.21), (Channel::Store, 0.18)];
    for (channel, rate) in expected.into_iter().chain([(Channel::Phone, 0.07)]) {
        assert!((0.75..1.25).contains(&(of[&channel] / rate)), "{channel:?} {}", of[&channel]);
    }
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, person) in &stream.truth {
        *sizes.entry(person).or_default() += 1;
    }
    let mut sizes: Vec<usize> = sizes.into_values().collect();
    sizes.sort_unstable();
    assert!((2..=4).contains(&sizes[sizes.len() / 2]));
    assert!(sizes.last().is_some_and(|most| (200..=500).contains(most)));
}

#[test]
fn noise_is_what_the_settings_say() {
    let count = |noise: f64, word: &str| {
        let settings = Settings { customers: 500, noise, ..Settings::default() };
        generate(&settings).lines.iter().filter(|line| line.text.contains(word)).count()
    };
    for word in ["Walk In", "none@none.com", "000-000-0000"] {
        assert_eq!(count(0.0, word), 0);
        assert!(count(5.0, word) > 0, "{word}");
    }
}

#[test]
fn every_well_formed_event_is_valid_by_the_schema_of_its_channel() {
    let validators = channels(validator);
    for line in whole(&STREAM) {
        assert_valid(&validators[&line.channel], &line.text);
    }
}

#[test]
fn no_malformed_line_is_valid_whatever_its_kind() {
    let validators = channels(validator);
    let malformed = malformed(&STREAM);
    let mut kinds = BTreeSet::new();
    for line in &STREAM.lines {
        let Some(kind) = malformed.get(line.event_id.as_str()) else { continue };
        kinds.insert(*kind);
        let valid = serde_json::from_str(&line.text)
            .is_ok_and(|event: Value| validators[&line.channel].is_valid(&event));
        assert!(!valid, "{kind:?} {}", line.text);
    }
    assert_eq!(kinds, BTreeSet::from(Malformation::ALL));
}

/// The schemas describe what is there: no field of an event is unknown to them, and none of theirs
/// unused.
#[test]
fn the_schemas_name_every_field() {
    let mut used = channels(|_| BTreeSet::new());
    for line in whole(&STREAM) {
        let event = parse(&line.text);
        let names = event.as_object().into_iter().flat_map(serde_json::Map::keys);
        used.entry(line.channel).or_default().extend(names.cloned());
    }
    for (channel, used) in used {
        let schema = schema(channel);
        let named = schema["properties"].as_object().expect("an object's schema");
        assert_eq!(named.keys().cloned().collect::<BTreeSet<_>>(), used, "{channel:?}");
        for (name, property) in named {
            assert!(property["description"].is_string(), "{channel:?} {name}");
        }
    }
}

/// The other generator of the same stream, written in Python, keeps to the same schemas.
#[test]
fn the_events_of_the_fixture_are_valid() {
    let mut events = 0;
    for channel in Channel::ALL {
        let validator = validator(channel);
        let path = repository("tests/data/events").join(format!("{}.jsonl", channel.name()));
        let text = fs::read_to_string(path).expect("the fixture has every channel");
        for line in text.lines() {
            assert_valid(&validator, line);
            events += 1;
        }
    }
    assert_eq!(events, 237);
}

#[test]
fn the_files_hold_the_stream() {
    let stream = generate(&Settings { customers: 200, ..Settings::default() });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("new/events");
    stream.write_to(&target).expect("write the stream");
    let read = |name: &str| fs::read_to_string(target.join(name)).expect("the file was written");
    for channel in Channel::ALL {
        let lines = stream.lines.iter().filter(|line| line.channel == channel);
        let expected: String = lines.map(|line| format!("{}\n", line.text)).collect();
        assert_eq!(read(&format!("{}.jsonl", channel.name())), expected);
    }
    let truth = crate::evaluate::read_truth(&target.join("truth.csv")).expect("a truth");
    assert_eq!(truth.rows, stream.truth);
    let malformed = read("malformed.csv");
    assert_eq!(malformed.lines().next(), Some("channel,event_id,kind"));
    assert_eq!(malformed.lines().count(), 1 + stream.malformed.len());
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("write a file");
    let stream = generate(&Settings { customers: 1, ..Settings::default() });
    let error = stream.write_to(&file).expect_err("a file is no folder");
    assert_eq!(error.kind(), crate::error::Kind::Unavailable);
}

#[test]
fn people_share_identifiers_of_every_kind() {
    let stream = &*STREAM;
    let known: BTreeSet<&str> = stream.truth.iter().map(|(_, person)| person.as_str()).collect();
    let mut counts: BTreeMap<SharedKind, usize> = BTreeMap::new();
    for shared in &stream.shared {
        assert!(shared.people.len() > 1 && shared.people.is_sorted());
        assert!(shared.people.iter().all(|person| known.contains(person.as_str())));
        *counts.entry(shared.kind).or_default() += 1;
    }
    for (kind, least) in [
        (SharedKind::OfficeNumber, 5),
        (SharedKind::KioskCookie, 1),
        (SharedKind::RecycledMobile, 1),
        (SharedKind::HouseholdTablet, 3),
        (SharedKind::HouseholdLandline, 5),
        (SharedKind::HouseholdMailbox, 15),
        (SharedKind::HouseholdLoyalty, 5),
        (SharedKind::JointCard, 10),
    ] {
        assert!(counts.get(&kind).is_some_and(|count| *count >= least), "{kind:?} in {counts:?}");
    }
    let perfect: BTreeMap<&str, &str> =
        stream.truth.iter().map(|(event, person)| (event.as_str(), person.as_str())).collect();
    let apart = kept_apart(&stream.shared, &stream.truth, |event| perfect.get(event).copied());
    assert!(apart.values().all(|count| count.kept_apart == count.identifiers));
    let merged = kept_apart(&stream.shared, &stream.truth, |_| Some("one"));
    assert!(merged.values().all(|count| count.kept_apart == 0));
}

/// Found when the demo counted another number of people each time, for the same customers.
#[test]
fn who_is_kept_apart_does_not_hang_on_the_names_of_identities() {
    let truth = [("a1", "ada"), ("a2", "ada"), ("b1", "bob")];
    let truth = truth.map(|(event, person)| (event.to_owned(), person.to_owned()));
    // Ada has an event in each of two identities, the first of them with Bob.
    for [shared, own] in [["x", "y"], ["y", "x"]] {
        let mut stream = generate(&Settings { customers: 300, seed: 3, ..Settings::default() });
        let mut identifier = stream.shared.swap_remove(0);
        identifier.people = vec!["ada".into(), "bob".into()];
        let identity = |event: &str| Some(if event == "a2" { own } else { shared });
        let counts = kept_apart(&[identifier], &truth, identity);
        assert!(counts.values().all(|it| (it.identifiers, it.kept_apart) == (1, 0)), "{own}");
    }
}
