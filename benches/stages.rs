//! What does each stage cost by itself?
//!
//! `cargo bench --bench stages [FILTER]`: fields are normalised, blocking keys made, pairs of records scored, components of
//! 4 to 256 records decided, profiles made into rows, and records resolved one by one. The records are made up here, the same
//! in every run. What a commit costs is in `cargo bench --bench state`, what whole passes over an input cost in `--bench
//! roofline`.

mod measure;
mod people;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use onefold::cluster::{Constraints, agglomerate};
use onefold::normalise::{self, Settings};
use onefold::record::{Identity, RawField, RawIdentity, RecordKey};
use onefold::resolve::{Insert, NodeId, Resolver, chains_of};
use onefold::score::{Features, Memo, Model, Scorer, Sieve, Terms};
use onefold::sink::rows;
use people::{letters, profile};

/// Records of one person, on average.
const RECORDS_A_PERSON: u64 = 4;
const RECORDS: u64 = 4_000;

/// The raw record of a number: four of a person, of which one writes the name otherwise, one lacks the address and one has
/// another number.
fn raw(number: u64) -> RawIdentity {
    let (person, copy) = (number / RECORDS_A_PERSON, number % RECORDS_A_PERSON);
    let given = ["Elizabeth", "Mary", "John", "Ahmed", "Søren"][(person % 5) as usize];
    let surname = format!("Montgomery{}", letters(person % 97));
    let mut raw = BTreeMap::from([
        (RawField::GivenName, if copy == 1 { given[..1].to_owned() } else { given.to_owned() }),
        (RawField::Surname, surname.clone()),
        (
            RawField::BirthDate,
            format!("19{:02}-0{}-1{}", person % 90 + 10, person % 9 + 1, person % 10),
        ),
        (RawField::Phone, format!("+44 77{:02} {:06}", copy % 2, 100_000 + person)),
        (RawField::Country, "GB".to_owned()),
    ]);
    if copy != 2 {
        raw.insert(RawField::Email, format!("{given}.{surname}{}@example.com", person % 100));
        raw.insert(RawField::AddressLine, format!("{} Station Road", person % 40));
        raw.insert(RawField::City, "Manchester".to_owned());
        raw.insert(RawField::Postcode, format!("M{} {}PL", person % 30, person % 9));
    }
    raw
}

fn identities() -> Vec<Identity> {
    (0..RECORDS)
        .map(|number| normalise::identity(&raw(number), &Settings::default()).identity)
        .collect()
}

fn inserts() -> Vec<Insert> {
    let insert = |(identity, node): (Identity, NodeId)| Insert {
        node,
        key: RecordKey::hash([&node.to_be_bytes()[..]]),
        identity,
    };
    identities().into_iter().zip(0..).map(insert).collect()
}

fn normalising(criterion: &mut Criterion) {
    let settings = Settings::default();
    let raws: Vec<RawIdentity> = (0..RECORDS).map(raw).collect();
    let mut group = criterion.benchmark_group("normalise");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("record", |bencher| {
        bencher.iter(|| {
            raws.iter().for_each(|raw| drop(black_box(normalise::identity(raw, &settings))))
        });
    });
    let fields = [
        ("name", vec![RawField::GivenName, RawField::Surname]),
        ("birth_date", vec![RawField::BirthDate]),
        ("email", vec![RawField::Email]),
        ("phone", vec![RawField::Phone]),
        (
            "address",
            vec![RawField::AddressLine, RawField::City, RawField::Postcode, RawField::Country],
        ),
    ];
    for (name, fields) in fields {
        let only = |raw: &RawIdentity| -> RawIdentity {
            raw.iter()
                .filter(|(field, _)| fields.contains(field))
                .map(|(f, v)| (*f, v.clone()))
                .collect()
        };
        let raws: Vec<RawIdentity> = raws.iter().map(only).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                raws.iter().for_each(|raw| drop(black_box(normalise::identity(raw, &settings))))
            });
        });
    }
}

fn keys(criterion: &mut Criterion) {
    let (model, identities) = (Model::default_with(1_000.0), identities());
    let mut group = criterion.benchmark_group("keys");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("record", |bencher| {
        bencher.iter(|| identities.iter().map(|it| chains_of(it, &model).len()).sum::<usize>());
    });
}

fn pairs(criterion: &mut Criterion) {
    let model = Model::default_with(1_000.0);
    let mut terms = Terms::default();
    let features: Vec<Features> =
        identities().iter().map(|identity| terms.features(identity, &model)).collect();
    let scorer = Scorer::new(&terms, &model);
    let (memo, sieve) = (Memo::default(), Sieve::new(&model));
    let people = |_, _| 1.0;
    // As they meet in blocks: some of one person, most of another.
    let met: Vec<(&Features, &Features)> = (0..features.len() - 40)
        .flat_map(|at| [1, 2, 20, 40].map(|by| (&features[at], &features[at + by])))
        .collect();
    let mut group = criterion.benchmark_group("pairs");
    group.throughput(Throughput::Elements(met.len() as u64));
    for (name, scorer) in [("weighed", scorer), ("weighed_remembering", scorer.with_memo(&memo))] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                met.iter().map(|(a, b)| scorer.compare(a, b, people).bits[0]).sum::<f64>()
            });
        });
    }
    group.bench_function("sieved", |bencher| {
        let scorer = scorer.with_memo(&memo);
        bencher.iter(|| {
            met.iter().filter_map(|(a, b)| sieve.probe(a, scorer, people).edge(b)).count()
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("component");
    for size in [4, 16, 64, 256] {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(size.to_string(), |bencher| {
            let evidence = |i: usize, j: usize| {
                scorer.with_memo(&memo).compare(&features[i], &features[j], people)
            };
            bencher.iter(|| agglomerate(size, &model, &Constraints::NONE, evidence));
        });
    }
}

fn resolving(criterion: &mut Criterion) {
    let records = inserts();
    let (base, new) = records.split_at(records.len() * 9 / 10);
    let filled = || {
        let mut resolver = Resolver::new(Model::default_with(1_000.0));
        resolver.apply(&[], base.to_vec());
        resolver
    };
    let mut group = criterion.benchmark_group("resolve");
    group.sample_size(20);
    group.throughput(Throughput::Elements(base.len() as u64));
    group.bench_function("together", |bencher| bencher.iter(filled));
    group.throughput(Throughput::Elements(new.len() as u64));
    group.bench_function("one_by_one", |bencher| {
        let each = |mut resolver: Resolver| {
            new.iter().for_each(|insert| drop(resolver.apply(&[], vec![insert.clone()])));
            resolver
        };
        bencher.iter_batched(filled, each, BatchSize::LargeInput);
    });
}

fn encoding(criterion: &mut Criterion) {
    let profiles: Vec<_> = (0..RECORDS).map(|number| profile(number, 1)).collect();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("profile", |bencher| bencher.iter(|| rows::profiles(&profiles).is_ok()));
}

criterion_group!(stages, normalising, keys, pairs, resolving, encoding);
criterion_main!(stages);
