use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::record::EventKey;

/// A small generator with a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        random::splitmix(&mut self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, probability: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        share < probability
    }

    /// One of `many` words that are not alike: the letters follow from the number.
    fn word(&mut self, many: u64, of: u64) -> String {
        let number = self.below(many);
        let mut dice = Dice(number * 1_000 + of);
        (0..8).map(|_| char::from(b'a' + u8::try_from(dice.below(26)).expect("a letter"))).collect()
    }
}

/// What the simulated people are made of: the field, how many values it has, and m of an agreement.
const FIELDS: [(Field, u64, f64); 5] = [
    (Field::Given, 150, 0.90),
    (Field::Surname, 400, 0.85),
    (Field::City, 25, 0.80),
    (Field::Occupation, 12, 0.70),
    (Field::Postcode, 300, 0.75),
];

/// Two records of each of `people`, as [`FIELDS`] says, and a birth date that is right nine times of ten.
fn simulated(people: u64, seed: u64) -> Vec<(RecordKey, Identity)> {
    let mut dice = Dice(seed);
    let mut records = Vec::new();
    for person in 0..people {
        let date = |dice: &mut Dice| {
            format!("{}{:02}{:02}", 1930 + dice.below(75), 1 + dice.below(12), 1 + dice.below(28))
        };
        let own: Vec<String> = FIELDS.iter().map(|(f, n, _)| dice.word(*n, *f as u64)).collect();
        let born = date(&mut dice);
        for copy in 0..2_u64 {
            let mut identity = Identity::default();
            for ((field, many, m), own) in FIELDS.iter().zip(&own) {
                // The first record is the person's own; the second agrees as often as m says.
                let kept = copy == 0 || dice.chance(*m);
                let value = if kept { own.clone() } else { dice.word(*many, *field as u64) };
                identity.set(*field, &value);
            }
            let kept = copy == 0 || dice.chance(0.9);
            identity.set(Field::BirthDate, &if kept { born.clone() } else { date(&mut dice) });
            let event = EventKey::hash([&person.to_le_bytes()[..], &copy.to_le_bytes()]);
            records.push((RecordKey(event.0), identity));
        }
    }
    records
}

fn trained(records: Vec<(RecordKey, Identity)>) -> Trained {
    train(&Model::default_with(1_000.0), records, &Settings::default()).expect("a model")
}

/// What is drawn with known m and u is found again without labels.
#[test]
fn known_m_and_u_are_recovered() {
    let trained = trained(simulated(2_500, 7));
    for (field, many, m) in FIELDS {
        let of_field = trained.model.field(field);
        // A replaced value is by chance the same once in `many` times.
        #[expect(clippy::cast_precision_loss, reason = "a few values")]
        let chance = 1.0 / many as f64;
        let expected = m + (1.0 - m) * chance;
        assert!((of_field.m[0] - expected).abs() < 0.05, "{field:?}: m {}", of_field.m[0]);
        let ratio = of_field.u[0] / chance;
        assert!((0.8..1.25).contains(&ratio), "{field:?}: u {} of {chance}", of_field.u[0]);
    }
    let prior = trained.model.parameters.prior_bits;
    // 2,500 pairs of one person among all pairs of 5,000 records.
    let expected = (2_500.0_f64 / (5_000.0 * 4_999.0 / 2.0)).log2();
    assert!((prior - expected).abs() < 0.5, "prior {prior}, expected {expected}");
    let customers = trained.report.customers as f64;
    assert!((customers / 2_500.0 - 1.0).abs() < 0.08, "{customers} customers");
}

/// The model is a function of the set: another order of the same records gives the same text.
#[test]
fn order_does_not_matter() {
    let records = simulated(300, 3);
    let mut turned = records.clone();
    turned.reverse();
    assert_eq!(trained(records).model.to_json(), trained(turned).model.to_json());
}

#[test]
fn what_is_learnt_is_written_and_read_back() {
    let model = trained(simulated(300, 5)).model;
    let read = Model::from_json(&model.to_json()).expect("its own text");
    assert_eq!(read.to_json(), model.to_json());
    let training = read.training.as_ref().expect("trained");
    assert_eq!(training.records, 600);
    let shares =
        training.expected.iter().flat_map(|expected| [expected.precision, expected.recall]);
    assert!(shares.into_iter().all(|share| (0.0..=1.0).contains(&share)));
    assert_eq!(read.expected_precision().map(|share| share > 0.9), Some(true));
}

#[test]
fn too_little_is_refused_with_a_remedy() {
    let few = train(&Model::default_with(10.0), simulated(20, 1), &Settings::default());
    let error = few.expect_err("40 records").to_string();
    assert!(error.contains("40 records are too few") && error.contains("at least 200"), "{error}");
    // Enough records, none of which says anything of another.
    let mut alone = Vec::new();
    for number in 0..400_u64 {
        let mut identity = Identity::default();
        identity.set(Field::Cookie, &format!("cookie{number}"));
        alone.push((RecordKey(EventKey::hash([&number.to_le_bytes()[..]]).0), identity));
    }
    let nothing = train(&Model::default_with(10.0), alone, &Settings::default());
    let error = nothing.expect_err("nothing in common").to_string();
    assert!(error.contains("too few records agree"), "{error}");
}

/// No value of fewer than [`Settings::least_carriers`] provisional customers is in the model.
#[test]
fn rare_values_are_not_in_the_model() {
    let mut records = simulated(300, 9);
    records[0].1.set(Field::Surname, "unmistakable");
    let text = trained(records).model.to_json();
    assert!(!text.contains("unmistakable"));
}

/// Found when a backfill's clusters were not those that training had chosen its threshold by: names that training had
/// only just learnt were read out of e-mail addresses afterwards.
#[test]
fn matching_compares_what_training_compared() {
    let mut records = simulated(400, 5);
    for (_, identity) in records.iter_mut().step_by(5) {
        let name = |field| identity.value(field).unwrap_or_default().to_owned();
        let address = format!("{}.{}@example.org", name(Field::Given), name(Field::Surname));
        *identity = Identity::default();
        identity.set(Field::Email, &address);
    }
    let mut trained = trained(records.clone());
    let threshold = trained.model.parameters.threshold_bits;
    let mut expected = BTreeMap::<usize, BTreeSet<RecordKey>>::new();
    for (key, cluster) in trained.report.clusters_at(threshold) {
        expected.entry(cluster).or_default().insert(key);
    }
    // Training links down to the lowest threshold.
    trained.model.parameters.edge_bits = -3.0;
    let bulk = Bulk::new(&trained.model, records);
    let partition = bulk.partition(&trained.model, &bulk.edges(&trained.model));
    let named = |cluster: &Vec<u32>| cluster.iter().map(|at| bulk.keys()[*at as usize]).collect();
    let clusters: BTreeSet<BTreeSet<RecordKey>> = partition.clusters.iter().map(named).collect();
    assert_eq!(clusters, expected.into_values().collect());
}

/// Merges are right as often as their weight says, and thresholds follow from that.
#[test]
fn the_threshold_is_the_lowest_that_keeps_the_precision() {
    use crate::cluster::{By, Merge};
    let merge = |kept, joined, weight_bits| Merge { kept, joined, weight_bits, by: By::Evidence };
    // A sure merge, one that is nearly sure, and one at even odds that joins three more pairs, in one component.
    let merges = vec![vec![merge(0, 1, 10.0), merge(0, 2, 6.0), merge(0, 3, 0.0)]];
    let expected = threshold::expected(&merges, -3.0);
    let at = |bits: f64| {
        expected.iter().find(|expected| expected.threshold_bits == bits).expect("a step").precision
    };
    let right = |bits: i32| 1.0 / (1.0 + 2.0_f64.powi(-bits));
    let all = (right(10) + 2.0 * right(6) + 3.0 * right(0)) / 6.0;
    assert!((at(-3.0) - all).abs() < 1e-12);
    assert!((at(0.0) - all).abs() < 1e-12);
    assert!((at(0.5) - (right(10) + 2.0 * right(6)) / 3.0).abs() < 1e-12);
    // Of the doubtful merges one in four is expected wrong: the sure one does not count, nor how many pairs are joined.
    assert_eq!(threshold::choose(&merges, -3.0, 0.74), -3.0);
    assert_eq!(threshold::choose(&merges, -3.0, 0.76), 0.5);
    assert_eq!(threshold::choose(&merges, 1.0, 0.74), 1.0, "never below where training started");
    assert_eq!(threshold::choose(&merges, -3.0, 0.9999), 2.0);
}
