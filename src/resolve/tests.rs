use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::record::{EventKey, Pair, Verdict};
use crate::score::Changes;

/// A resolver together with the set of records that it should hold.
struct Bench {
    resolver: Resolver,
    set: BTreeMap<NodeId, Insert>,
    clusters: BTreeMap<NodeId, BTreeSet<NodeId>>,
    edges: BTreeMap<NodeId, Vec<(NodeId, f32)>>,
    judgements: BTreeMap<Pair, Verdict>,
    next: NodeId,
}

impl Bench {
    fn new(model: Model) -> Self {
        Self {
            resolver: Resolver::new(model),
            set: BTreeMap::new(),
            clusters: BTreeMap::new(),
            edges: BTreeMap::new(),
            judgements: BTreeMap::new(),
            next: 0,
        }
    }

    /// Applies a change; a content that is in the set already is one node, as the pipeline has it.
    fn change(&mut self, removed: &[NodeId], identities: Vec<Identity>) {
        let mut inserted = Vec::new();
        for node in removed {
            self.set.remove(node);
            self.clusters.remove(node);
            self.edges.remove(node);
        }
        for identity in identities {
            let event = EventKey::hash([&self.next.to_le_bytes()[..]]);
            let key = identity.record_key(event);
            if self.set.values().all(|insert| insert.key != key) {
                let insert = Insert { node: self.next, key, identity };
                self.set.insert(self.next, insert.clone());
                inserted.push(insert);
                self.next += 1;
            }
        }
        let outcome = self.resolver.apply(removed, inserted);
        self.take(outcome);
    }

    /// Gives judgements, and withdraws others.
    fn judge(&mut self, judgements: &[(Pair, Verdict)]) {
        self.judgements.extend(judgements.iter().copied());
        let outcome = self.resolver.judge(judgements);
        assert!(outcome.edges.is_empty(), "a judgement is no evidence");
        self.take(outcome);
    }

    fn take(&mut self, outcome: Outcome) {
        for cluster in outcome.clusters {
            let members: BTreeSet<NodeId> = cluster.iter().copied().collect();
            cluster.into_iter().for_each(|node| {
                self.clusters.insert(node, members.clone());
            });
        }
        self.edges
            .extend(outcome.edges.into_iter().filter(|(node, _)| self.set.contains_key(node)));
    }

    fn partition(&self) -> BTreeSet<BTreeSet<RecordKey>> {
        let key = |node: &NodeId| self.set[node].key;
        self.clusters.values().map(|members| members.iter().map(key).collect()).collect()
    }

    fn records(&self) -> Vec<Insert> {
        self.set.values().cloned().collect()
    }

    /// What there would be, had all come at once.
    fn expected(&self) -> BTreeSet<BTreeSet<RecordKey>> {
        oracle::partition_judged(self.resolver.model(), &self.records(), &self.judgements)
    }
}

/// Caps so low that the histories cross them.
fn low_caps() -> Model {
    let mut model = Model::default_with(50.0);
    model.parameters.block_cap = 3;
    model.parameters.component_cap = 4;
    model
}

/// The same, where shared values soon say nothing, two members are never one person, and two sources hold each
/// customer once.
fn strict() -> Model {
    let fields = [
        ("member", "kind = 'identifier'\nlimit = 1\nblocked = { m3 = 'the shop itself' }"),
        ("phone", "limit = 2"),
        ("cookie", "limit = 1"),
        ("postcode", "exclusive = true"),
    ];
    let change = |(name, text): (&str, &str)| {
        let field = Field::of_name(name).unwrap_or(Field::Custom1);
        let name = field.is_custom().then(|| name.to_owned());
        (field, name, toml::from_str(text).expect("a change of a field"))
    };
    let changes = Changes {
        fields: fields.map(change).into(),
        one_per_source: Some(Field::Custom8),
        ..Changes::default()
    };
    low_caps().changed(&changes).expect("the changes fit the model")
}

/// A record of [`strict`].
fn member() -> impl Strategy<Value = Identity> {
    let member = prop::option::weighted(0.5, prop::sample::select(vec!["m1", "m2", "m3"]));
    let source = prop::option::weighted(0.3, prop::sample::select(vec!["crm", "erp"]));
    (identity(), member, source).prop_map(|(mut identity, member, source)| {
        identity.set(Field::Custom1, member.unwrap_or_default());
        identity.set(Field::Custom8, source.unwrap_or_default());
        identity
    })
}

fn identity() -> impl Strategy<Value = Identity> {
    let given = prop::option::weighted(
        0.7,
        prop::sample::select(vec!["anna", "anne", "bob", "robert", "zoe"]),
    );
    let surname =
        prop::option::weighted(0.7, prop::sample::select(vec!["smith", "smyth", "jones", "zoe"]));
    let date =
        prop::option::weighted(0.4, prop::sample::select(vec!["19800102", "19800201", "19810102"]));
    let email = prop::option::weighted(
        0.4,
        prop::sample::select(vec![
            "anna.smith@x.com",
            "anna.smyth@x.com",
            "bob@y.org",
            "info1@z.net",
        ]),
    );
    let phone = prop::option::weighted(0.4, prop::sample::select(vec!["2125550101", "2125550102"]));
    let cookie = prop::option::weighted(0.4, prop::sample::select(vec!["c1", "c2"]));
    let postcode = prop::option::weighted(0.3, prop::sample::select(vec!["10001", "10002"]));
    let token = prop::option::weighted(0.2, prop::sample::select(vec!["smith", "maria"]));
    (given, surname, date, email, phone, cookie, postcode, token).prop_map(
        |(given, surname, date, email, phone, cookie, postcode, token)| {
            let mut identity = Identity::default();
            let fields = [
                (Field::Given, given),
                (Field::Surname, surname),
                (Field::BirthDate, date),
                (Field::Email, email),
                (Field::Phone, phone),
                (Field::Cookie, cookie),
                (Field::Postcode, postcode),
            ];
            for (field, value) in fields {
                identity.set(field, value.unwrap_or_default());
            }
            identity.name_tokens = token.into_iter().map(Into::into).collect();
            identity
        },
    )
}

/// What happens in one step: which of the present records go (by rank), and what comes.
fn step() -> impl Strategy<Value = (Vec<prop::sample::Index>, Vec<Identity>)> {
    (
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        prop::collection::vec(identity(), 0..6),
    )
}

/// A judgement of two records by rank; records that were, are or are about to be there.
type Ranked = (prop::sample::Index, prop::sample::Index, Verdict);

fn judgements() -> impl Strategy<Value = Vec<Ranked>> {
    let verdict = prop::sample::select(vec![Verdict::Together, Verdict::Apart, Verdict::Withdrawn]);
    prop::collection::vec(
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), verdict),
        0..5,
    )
}

/// Which of the present records these ranks mean.
fn ranked(bench: &Bench, ranks: &[prop::sample::Index]) -> Vec<NodeId> {
    let present: Vec<NodeId> = bench.set.keys().copied().collect();
    if present.is_empty() {
        return Vec::new();
    }
    let nodes: BTreeSet<NodeId> = ranks.iter().map(|rank| *rank.get(&present)).collect();
    nodes.into_iter().collect()
}

/// The judgements that these ranks mean among `keys`.
fn judged(keys: &BTreeSet<RecordKey>, ranks: &[Ranked]) -> Vec<(Pair, Verdict)> {
    let keys: Vec<RecordKey> = keys.iter().copied().collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let pair = |(left, right, verdict): &Ranked| {
        Some((Pair::of(*left.get(&keys), *right.get(&keys))?, *verdict))
    };
    ranks.iter().filter_map(pair).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Invariant 1 where values go over their limits and come within them again.
    #[test]
    fn any_history_under_limits_gives_the_clusters_of_the_set(
        steps in prop::collection::vec(
            (
                prop::collection::vec(any::<prop::sample::Index>(), 0..6),
                prop::collection::vec(member(), 0..8),
            ),
            1..8,
        )
    ) {
        let mut bench = Bench::new(strict());
        for (going, coming) in steps {
            let going = ranked(&bench, &going);
            bench.change(&going, coming);
            let expected = bench.expected();
            prop_assert_eq!(bench.partition(), expected.clone());
            let whole = bench.records().into_iter().map(|record| (record.key, record.identity));
            let bulk = bulk::Bulk::new(&strict(), whole.collect());
            let partition = bulk.partition(&strict(), &bulk.edges(&strict()));
            let key = |place: &u32| bulk.keys()[*place as usize];
            let named = |cluster: &Vec<u32>| cluster.iter().map(key).collect::<BTreeSet<_>>();
            let clusters: BTreeSet<_> = partition.clusters.iter().map(named).collect();
            prop_assert_eq!(clusters, expected);
            for cluster in bench.clusters.values() {
                let value = |node: &NodeId, field| bench.set[node].identity.value(field);
                let sources: Vec<_> =
                    cluster.iter().filter_map(|node| value(node, Field::Custom8)).collect();
                let distinct: BTreeSet<_> = sources.iter().collect();
                prop_assert_eq!(sources.len(), distinct.len(), "a source holds each customer once");
                let codes = cluster.iter().filter_map(|node| value(node, Field::Postcode));
                prop_assert!(codes.collect::<BTreeSet<_>>().len() <= 1, "exclusive values clash");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Invariant 1: after every step of any history the clusters are those of the batch oracle.
    #[test]
    fn any_history_gives_the_clusters_of_the_set(steps in prop::collection::vec(step(), 1..8)) {
        let mut bench = Bench::new(low_caps());
        for (going, coming) in steps {
            let going = ranked(&bench, &going);
            bench.change(&going, coming);
            prop_assert_eq!(bench.partition(), bench.expected());
        }
    }

    /// The same with judgements given and withdrawn at any time: of records that are there, were there, or come later.
    #[test]
    fn any_history_with_judgements_gives_the_clusters_of_the_set(
        steps in prop::collection::vec((judgements(), step()), 1..8)
    ) {
        let mut bench = Bench::new(low_caps());
        let mut keys: BTreeSet<RecordKey> = BTreeSet::new();
        for (judgements, (going, coming)) in steps {
            let strong = coming.iter().filter(|identity| identity.is_strong());
            keys.extend(strong.map(|identity| identity.record_key(EventKey([0; 16]))));
            bench.judge(&judged(&keys, &judgements));
            prop_assert_eq!(bench.partition(), bench.expected());
            let going = ranked(&bench, &going);
            bench.change(&going, coming);
            prop_assert_eq!(bench.partition(), bench.expected());
            keys.extend(bench.set.values().map(|insert| insert.key));
        }
    }

    /// Records in another order, in batches of another size, give the same clusters.
    #[test]
    fn order_and_batching_do_not_matter(
        identities in prop::collection::vec(identity(), 1..40),
        seed in any::<u64>(),
        batch in 1usize..10,
    ) {
        let strong: Vec<Identity> = identities.into_iter().filter(Identity::is_strong).collect();
        let mut once = Bench::new(low_caps());
        once.change(&[], strong.clone());
        let mut shuffled = strong;
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        let mut bits = Bench::new(low_caps());
        for part in shuffled.chunks(batch) {
            bits.change(&[], part.to_vec());
        }
        prop_assert_eq!(once.partition(), bits.partition());
    }

    /// An index rebuilt from records and edges goes on as the one that was never closed.
    #[test]
    fn a_rebuilt_index_goes_on(
        before in prop::collection::vec(identity(), 1..20),
        judgements in judgements(),
        after in step(),
    ) {
        let mut bench = Bench::new(low_caps());
        bench.change(&[], before);
        let keys = bench.set.values().map(|insert| insert.key).collect();
        bench.judge(&judged(&keys, &judgements));
        let mut loader = Loader::new(low_caps());
        loader.add(bench.records());
        loader.link(bench.edges.clone());
        bench.resolver = loader.finish();
        let judgements: Vec<(Pair, Verdict)> = bench.judgements.clone().into_iter().collect();
        bench.judge(&judgements);
        prop_assert_eq!(bench.partition(), bench.expected());
        let going = ranked(&bench, &after.0);
        bench.change(&going, after.1);
        prop_assert_eq!(bench.partition(), bench.expected());
    }

    /// What a review lists is as it says, and a person who says the opposite of its two records gets that.
    #[test]
    fn a_doubt_can_be_decided_the_other_way(
        identities in prop::collection::vec(identity(), 2..30),
        judgements in judgements(),
        rank in any::<prop::sample::Index>(),
    ) {
        let mut bench = Bench::new(low_caps());
        bench.change(&[], identities);
        let keys = bench.set.values().map(|insert| insert.key).collect();
        bench.judge(&judged(&keys, &judgements));
        let doubts = bench.resolver.doubts(10.0);
        prop_assume!(!doubts.is_empty());
        let doubt = rank.get(&doubts);
        let [left, right] = bench.resolver.strongest_pair(doubt);
        prop_assert!(doubt.groups[0].contains(&left) && doubt.groups[1].contains(&right));
        let together = |bench: &Bench| bench.clusters[&left].contains(&right);
        prop_assert_eq!(together(&bench), doubt.decision == Decision::Merged);
        let pair = Pair::of(bench.set[&left].key, bench.set[&right].key).expect("two records");
        prop_assert!(bench.resolver.verdict(pair) != Verdict::Apart);
        let opposite = if together(&bench) { Verdict::Apart } else { Verdict::Together };
        let was_free = !bench.judgements.values().any(|verdict| *verdict == Verdict::Apart);
        bench.judge(&[(pair, opposite)]);
        // Other judgements may hold groups apart, or together through others.
        if opposite == Verdict::Apart || was_free {
            prop_assert_eq!(together(&bench), opposite == Verdict::Together);
        }
    }

    /// All at once on all cores gives the clusters of the plain oracle.
    #[test]
    fn bulk_gives_the_clusters_of_the_set(identities in prop::collection::vec(identity(), 1..30)) {
        let mut bench = Bench::new(low_caps());
        bench.change(&[], identities);
        let records = bench.records();
        let whole = records.iter().map(|record| (record.key, record.identity.clone())).collect();
        let bulk = bulk::Bulk::new(&low_caps(), whole);
        let partition = bulk.partition(&low_caps(), &bulk.edges(&low_caps()));
        let key = |place: &u32| bulk.keys()[*place as usize];
        let named = |cluster: &Vec<u32>| cluster.iter().map(key).collect::<BTreeSet<_>>();
        let clusters: BTreeSet<_> = partition.clusters.iter().map(named).collect();
        prop_assert_eq!(clusters, oracle::partition(&low_caps(), &records));
    }

    /// What two records say does not depend on which is named first.
    #[test]
    fn evidence_is_symmetric(left in identity(), right in identity()) {
        let model = Model::default_with(1000.0);
        let mut terms = Terms::default();
        let (a, b) = (terms.features(&left, &model), terms.features(&right, &model));
        let there = Scorer::new(&terms, &model).compare(&a, &b, |_, _| 1.0);
        let back = Scorer::new(&terms, &model).compare(&b, &a, |_, _| 1.0);
        prop_assert_eq!(&there, &back);
        prop_assert_eq!(there.weight(&model).to_bits(), back.weight(&model).to_bits());
    }
}

/// Judgements of three records named `x`, `y` and `z` in the order of their keys, and the groups that they make.
#[test]
fn judgements_come_before_evidence_and_apart_before_together() {
    let person = |given: &str, email: &str| {
        let mut identity = Identity::default();
        identity.set(Field::Given, given);
        identity.set(Field::Email, email);
        identity
    };
    let mut people =
        vec![person("anna", "a@x.com"), person("bob", "b@y.org"), person("zoe", "z@z.net")];
    people.sort_by_key(|identity| identity.record_key(EventKey([0; 16])));
    let [x, y, z] = [0, 1, 2].map(|at| people[at].record_key(EventKey([0; 16])));
    let pair = |left, right| Pair::of(left, right).expect("they differ");
    let (together, apart) = (Verdict::Together, Verdict::Apart);
    for (judgements, groups) in [
        (vec![], "x y z"),
        (vec![(pair(z, x), together)], "xz y"),
        (vec![(pair(x, y), together), (pair(y, z), together)], "xyz"),
        (vec![(pair(x, y), together), (pair(y, z), together), (pair(x, z), apart)], "xy z"),
        (vec![(pair(x, y), together), (pair(x, y), apart)], "x y z"),
        (vec![(pair(x, y), together), (pair(x, y), Verdict::Withdrawn)], "x y z"),
    ] {
        let mut bench = Bench::new(low_caps());
        bench.change(&[], people.clone());
        bench.judge(&judgements);
        let name = |key: &RecordKey| {
            if *key == x {
                'x'
            } else if *key == y {
                'y'
            } else {
                'z'
            }
        };
        let mut named: Vec<String> =
            bench.partition().iter().map(|group| group.iter().map(name).collect()).collect();
        named.sort();
        assert_eq!(named.join(" "), groups, "{judgements:?}");
        assert_eq!(bench.partition(), bench.expected());
    }
}

/// Strangers come who share a phone with two records that other records join. No edge changes by that, and yet the phone
/// says less now of whether the two are one person.
#[test]
fn an_unlinked_pair_that_weighs_differently_is_decided_anew() {
    let record = |values: &[(Field, &str)]| {
        let mut identity = Identity::default();
        values.iter().for_each(|(field, value)| identity.set(*field, value));
        identity
    };
    let stranger = |given, surname| {
        record(&[(Field::Given, given), (Field::Surname, surname), (Field::Phone, "2125550101")])
    };
    let (mut anna, mut bob) = (stranger("anna", "smith"), stranger("bob", "jones"));
    anna.set(Field::Cookie, "c1");
    bob.set(Field::Email, "x17@y.org");
    let between = record(&[(Field::Cookie, "c1"), (Field::Email, "x17@y.org")]);
    let mut parted = 0;
    for threshold in -24..8 {
        let mut model = Model::default_with(50.0);
        model.parameters.threshold_bits = f64::from(threshold) / 2.0;
        let mut bench = Bench::new(model);
        bench.change(&[], vec![anna.clone(), between.clone(), bob.clone()]);
        let linked = |bench: &Bench| {
            let mut edges = bench.edges.clone();
            edges.retain(|_, lower| !lower.is_empty());
            edges
        };
        let (before, edges) = (bench.clusters[&0].clone(), linked(&bench));
        for (given, surname) in [("carl", "kent"), ("dora", "young"), ("eve", "brown")] {
            bench.change(&[], vec![stranger(given, surname)]);
            assert_eq!(bench.partition(), bench.expected(), "threshold {threshold}");
        }
        assert_eq!(linked(&bench), edges, "no edge tells");
        parted += u32::from(bench.clusters[&0] != before);
    }
    assert!(parted > 0, "at some threshold it matters");
}
