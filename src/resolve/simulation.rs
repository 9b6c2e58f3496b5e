//! Does invariant 1 hold in any history?
//!
//! `seed → caps, words, steps → after every step: the incremental matcher against the oracle → what was crossed`
//!
//! A history is drawn from a seed and nothing else: rows that come, change, go and come again, contents without a row
//! key, judgements and their withdrawal, in batches of several, with the index rebuilt from what a state keeps now and
//! then, or packed and unpacked. Words are few and caps low,
//! so that blocks go over their cap and back, identifiers gain and lose users, and components grow too large; that all
//! of this happened is counted, and a run in which something did not happen fails.
//!
//! `ONEFOLD_HISTORIES` says how many histories, `ONEFOLD_SEED` the first seed. What fails is told by its seed, with the
//! fewest acts that still fail.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use super::oracle::{self, Whole};
use super::*;
use crate::clock::Stopwatch;
use crate::image::testing::Kept;
use crate::record::{EventKey, Pair, Verdict};

/// How many histories there are where nobody asks for more.
const HISTORIES: u64 = 250;

/// A history: what is set up, and what happens.
#[derive(Clone, Debug, PartialEq)]
struct History {
    block_cap: usize,
    component_cap: usize,
    /// Where edges start and merges stop: the higher, the more components share an identifier.
    edge_bits: f64,
    threshold_bits: f64,
    steps: Vec<Step>,
}

/// What one change of the set holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Step {
    /// How the index comes back before anything is changed, as after a restart; `None` where it stays.
    reopened: Option<Reopened>,
    acts: Vec<Act>,
}

/// How an index comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reopened {
    /// It is made anew from what a state keeps.
    Rebuilt,
    /// It is unpacked as it was packed.
    Unpacked,
}

/// One thing that happens. Every act makes sense in any set, so that acts may be left out to find those that matter.
#[derive(Clone, Debug, PartialEq)]
enum Act {
    /// A record comes, or its content changes.
    Put(RecordKey, Identity),
    /// A record goes.
    Drop(RecordKey),
    /// Something is judged of two records, there or not.
    Judge(Pair, Verdict),
}

impl Act {
    fn judgement(&self) -> Option<(Pair, Verdict)> {
        match self {
            Self::Judge(pair, verdict) => Some((*pair, *verdict)),
            Self::Put(..) | Self::Drop(_) => None,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key, identity) => {
                write!(f, "put {}", &key.to_string()[..6])?;
                identity
                    .values
                    .iter()
                    .try_for_each(|(field, v)| write!(f, " {}={v}", field.name()))?;
                identity.name_tokens.iter().try_for_each(|token| write!(f, " token={token}"))
            }
            Self::Drop(key) => write!(f, "drop {}", &key.to_string()[..6]),
            Self::Judge(pair, verdict) => {
                let [left, right] = pair.keys().map(|key| key.to_string()[..6].to_owned());
                write!(f, "judge {left} {right} {}", verdict.name())
            }
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "block cap {}, component cap {}", self.block_cap, self.component_cap)?;
        writeln!(f, "edges from {} bits, merges to {}", self.edge_bits, self.threshold_bits)?;
        for (number, step) in self.steps.iter().enumerate() {
            match step.reopened {
                Some(reopened) => writeln!(f, "step {number}, before it {reopened:?}")?,
                None => writeln!(f, "step {number}")?,
            }
            step.acts.iter().try_for_each(|act| writeln!(f, "  {act}"))?;
        }
        Ok(())
    }
}

/// The incremental matcher beside the set of records that it should hold, and what a state would keep of it.
struct World {
    resolver: Resolver,
    set: BTreeMap<RecordKey, Insert>,
    judgements: BTreeMap<Pair, Verdict>,
    cluster_of: BTreeMap<NodeId, BTreeSet<NodeId>>,
    edges: BTreeMap<NodeId, Vec<(NodeId, f32)>>,
    next: NodeId,
}

impl World {
    fn new(history: &History) -> Self {
        let mut model = Model::default_with(50.0);
        model.parameters.block_cap = history.block_cap;
        model.parameters.component_cap = history.component_cap;
        model.parameters.edge_bits = history.edge_bits;
        model.parameters.threshold_bits = history.threshold_bits;
        Self {
            resolver: Resolver::new(model),
            set: BTreeMap::new(),
            judgements: BTreeMap::new(),
            cluster_of: BTreeMap::new(),
            edges: BTreeMap::new(),
            next: 0,
        }
    }

    fn reopen(&mut self, how: Reopened) {
        let model = self.resolver.model().clone();
        self.resolver = match how {
            Reopened::Rebuilt => {
                let records: Vec<Insert> = self.set.values().cloned().collect();
                let mut loader = Loader::new(model);
                records.chunks(3).for_each(|some| loader.add(some.to_vec()));
                loader.link(self.edges.clone());
                loader.finish()
            }
            Reopened::Unpacked => {
                let mut image = Kept::default();
                self.resolver.take_notes();
                assert!(self.resolver.pack(&mut image).expect("memory takes it"));
                Resolver::unpack(model, &image).expect("it fits together")
            }
        };
        let judgements: Vec<_> = self.judgements.clone().into_iter().collect();
        self.resolver.judge(&judgements);
    }

    /// Makes one change of the set, as the pipeline makes it: of a record that comes twice in it, the last counts.
    fn change(&mut self, acts: &[Act], tally: &mut Tally) {
        let mut removed = Vec::new();
        let mut inserted: BTreeMap<NodeId, Insert> = BTreeMap::new();
        for act in acts {
            let (key, identity) = match act {
                Act::Put(key, identity) => (key, Some(identity)),
                Act::Drop(key) => (key, None),
                Act::Judge(..) => continue,
            };
            let former = self.set.remove(key);
            tally.count(match (&former, identity) {
                (None, Some(_)) if tally.gone.contains(key) => "re-inserts",
                (None, Some(_)) => "inserts",
                (Some(_), Some(_)) => "updates",
                (Some(_), None) => "deletes",
                (None, None) => "deletes of nothing",
            });
            if let Some(former) = former {
                tally.gone.insert(*key);
                if inserted.remove(&former.node).is_none() {
                    removed.push(former.node);
                }
            }
            if let Some(identity) = identity {
                let insert = Insert { node: self.next, key: *key, identity: identity.clone() };
                self.set.insert(*key, insert.clone());
                inserted.insert(self.next, insert);
                self.next += 1;
            }
        }
        for node in &removed {
            self.cluster_of.remove(node);
            self.edges.remove(node);
        }
        let outcome = self.resolver.apply(&removed, inserted.into_values().collect());
        if outcome.work.replays > 0 {
            tally.count("merges replayed");
        }
        self.keep(outcome);
        let judged: Vec<(Pair, Verdict)> = acts.iter().filter_map(Act::judgement).collect();
        if !judged.is_empty() {
            self.judgements.extend(judged.iter().copied());
            for (_, verdict) in &judged {
                tally.count(match verdict {
                    Verdict::Together => "judgements together",
                    Verdict::Apart => "judgements apart",
                    Verdict::Withdrawn => "judgements withdrawn",
                });
            }
            let outcome = self.resolver.judge(&judged);
            self.keep(outcome);
        }
    }

    /// Keeps what a change did, as a state would.
    fn keep(&mut self, outcome: Outcome) {
        for cluster in outcome.clusters {
            let members: BTreeSet<NodeId> = cluster.iter().copied().collect();
            self.cluster_of.extend(cluster.into_iter().map(|node| (node, members.clone())));
        }
        let there: BTreeSet<NodeId> = self.set.values().map(|insert| insert.node).collect();
        let edges = outcome.edges.into_iter();
        self.edges.extend(edges.filter(|(node, _)| there.contains(node)));
    }

    fn whole(&self) -> Whole {
        let records: Vec<Insert> = self.set.values().cloned().collect();
        oracle::whole(self.resolver.model(), &records, &self.judgements)
    }

    fn keys(&self) -> BTreeMap<NodeId, RecordKey> {
        self.set.values().map(|insert| (insert.node, insert.key)).collect()
    }

    /// What the matcher's answer differs in from the oracle's.
    fn check(&self, whole: &Whole) -> Result<(), String> {
        let keys = self.keys();
        let name = |node: &NodeId| keys.get(node).copied().ok_or(format!("node {node} is gone"));
        let mut clusters = BTreeSet::new();
        for members in self.cluster_of.values() {
            clusters.insert(members.iter().map(name).collect::<Result<BTreeSet<_>, _>>()?);
        }
        if clusters != whole.clusters {
            let missing: Vec<_> = whole.clusters.difference(&clusters).collect();
            let surplus: Vec<_> = clusters.difference(&whole.clusters).collect();
            return Err(format!("clusters: missing {missing:?}, surplus {surplus:?}"));
        }
        let mut edges = BTreeMap::new();
        for (node, lower) in &self.edges {
            for (other, weight) in lower {
                let (a, b) = (name(node)?, name(other)?);
                edges.insert((a.min(b), a.max(b)), *weight);
            }
        }
        if edges != whole.edges {
            let differs = |(ends, weight): &(&(RecordKey, RecordKey), &f32)| {
                whole.edges.get(*ends) != Some(*weight)
            };
            let surplus: Vec<_> = edges.iter().filter(differs).collect();
            return Err(format!("edges: {} kept, of which wrong {surplus:?}", edges.len()));
        }
        Ok(())
    }
}

/// How often each thing happened.
#[derive(Clone, Debug, Default)]
struct Tally {
    counts: BTreeMap<&'static str, u64>,
    /// Records that were there once.
    gone: BTreeSet<RecordKey>,
}

/// What must have happened in a run that is worth anything.
const MUST_HAPPEN: [&str; 22] = [
    "inserts",
    "re-inserts",
    "updates",
    "deletes",
    "judgements together",
    "judgements apart",
    "judgements withdrawn",
    "rebuilds",
    "unpackings",
    "blocks over their cap",
    "blocks within their cap again",
    "sub-blocks over their cap",
    "sub-blocks within their cap again",
    "identifiers with more users",
    "identifiers with fewer users",
    "components over their cap",
    "components within their cap again",
    "merges replayed",
    "clusters that grew",
    "clusters that fell apart",
    "sets in bulk",
    "steps",
];

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn and(mut self, other: Self) -> Self {
        other.counts.into_iter().for_each(|(what, n)| *self.counts.entry(what).or_default() += n);
        self
    }

    /// Counts what one change crossed, from what the set came to before it and after it.
    fn cross(&mut self, model: &Model, bases: &BTreeSet<u64>, before: &Whole, after: &Whole) {
        let cap = model.parameters.block_cap;
        let keys: BTreeSet<_> = before.blocks.keys().chain(after.blocks.keys()).collect();
        for key in keys {
            let over = |whole: &Whole| whole.blocks.get(key).is_some_and(|size| *size > cap);
            match (bases.contains(key), over(before), over(after)) {
                (true, false, true) => self.count("blocks over their cap"),
                (true, true, false) => self.count("blocks within their cap again"),
                (false, false, true) => self.count("sub-blocks over their cap"),
                (false, true, false) => self.count("sub-blocks within their cap again"),
                _ => {}
            }
        }
        let values: BTreeSet<_> = before.people.keys().chain(after.people.keys()).collect();
        for value in values {
            let people = |whole: &Whole| whole.people.get(value).copied().unwrap_or(1.0);
            match people(before).total_cmp(&people(after)) {
                std::cmp::Ordering::Less => self.count("identifiers with more users"),
                std::cmp::Ordering::Greater => self.count("identifiers with fewer users"),
                std::cmp::Ordering::Equal => {}
            }
        }
        let over = |whole: &Whole| {
            let large = |part: &&BTreeSet<RecordKey>| part.len() > model.parameters.component_cap;
            let members = whole.components.iter().filter(large).flatten().copied();
            members.collect::<BTreeSet<RecordKey>>()
        };
        let stays = |key: &&RecordKey| after.clusters.iter().any(|cluster| cluster.contains(key));
        let (large, larger) = (over(before), over(after));
        if !larger.is_subset(&large) {
            self.count("components over their cap");
        }
        if large.difference(&larger).any(|key| stays(&key)) {
            self.count("components within their cap again");
        }
        for cluster in after.clusters.difference(&before.clusters) {
            let parts = before.clusters.iter().filter(|old| !old.is_disjoint(cluster)).count();
            if parts > 1 {
                self.count("clusters that grew");
            }
        }
        for cluster in before.clusters.difference(&after.clusters) {
            let parts = after.clusters.iter().filter(|new| !new.is_disjoint(cluster)).count();
            if parts > 1 {
                self.count("clusters that fell apart");
            }
        }
    }
}

/// Lets a history happen, and compares after every step; says where and how the two differ.
fn live(history: &History) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut world = World::new(history);
    let mut before = Whole::default();
    let mut bases = BTreeSet::new();
    for (number, step) in history.steps.iter().enumerate() {
        if let Some(reopened) = step.reopened {
            world.reopen(reopened);
            tally.count(match reopened {
                Reopened::Rebuilt => "rebuilds",
                Reopened::Unpacked => "unpackings",
            });
        }
        world.change(&step.acts, &mut tally);
        let after = world.whole();
        let model = world.resolver.model();
        let chains = world.set.values().flat_map(|insert| chains_of(&insert.identity, model));
        bases.extend(chains.map(|chain| chain.base()));
        tally.cross(world.resolver.model(), &bases, &before, &after);
        tally.count("steps");
        world.check(&after).map_err(|fault| format!("after step {number}: {fault}"))?;
        before = after;
    }
    // All at once, the set is the same.
    let put = world.set.values().map(|r| Act::Put(r.key, r.identity.clone()));
    let judged = world.judgements.iter().map(|(pair, verdict)| Act::Judge(*pair, *verdict));
    let all: Vec<Act> = put.chain(judged).collect();
    let mut once = World::new(history);
    once.change(&all, &mut Tally::default());
    once.check(&before).map_err(|fault| format!("all at once: {fault}"))?;
    if world.judgements.values().all(|verdict| *verdict == Verdict::Withdrawn) {
        let bulk = in_bulk(world.resolver.model(), &world.set);
        if bulk != before.clusters {
            return Err("in bulk: other clusters".to_owned());
        }
        tally.count("sets in bulk");
    }
    Ok(tally)
}

/// The clusters of a set on all cores at once, which knows no judgements.
fn in_bulk(model: &Model, set: &BTreeMap<RecordKey, Insert>) -> BTreeSet<BTreeSet<RecordKey>> {
    let records = set.values().map(|record| (record.key, record.identity.clone())).collect();
    let bulk = bulk::Bulk::new(model, records);
    let partition = bulk.partition(model, &bulk.edges(model));
    let key = |place: &u32| bulk.keys()[*place as usize];
    partition.clusters.iter().map(|cluster| cluster.iter().map(key).collect()).collect()
}

/// As [`live`]; a panic is a fault too.
fn attempt(history: &History) -> Result<Tally, String> {
    let said = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    };
    catch_unwind(AssertUnwindSafe(|| live(history)))
        .unwrap_or_else(|panic| Err(format!("panic: {}", said(panic).unwrap_or_default())))
}

/// The fewest steps and acts of a history that still fail, found greedily.
fn shrink(history: &History, fails: &dyn Fn(&History) -> bool) -> History {
    let mut least = history.clone();
    loop {
        let before = least.clone();
        for step in (0..least.steps.len()).rev() {
            let mut less = least.clone();
            let gone = less.steps.remove(step);
            if fails(&less) {
                least = less;
                continue;
            }
            let mut less = least.clone();
            less.steps[step].reopened = None;
            if gone.reopened.is_some() && fails(&less) {
                least = less;
            }
            for act in (0..gone.acts.len()).rev() {
                let mut less = least.clone();
                less.steps[step].acts.remove(act);
                if fails(&less) {
                    least = less;
                }
            }
        }
        if least == before {
            return least;
        }
    }
}

/// SplitMix64: the next of the numbers that a seed stands for.
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `limit`, exclusive.
    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

/// By field: in how many of a hundred records it is, about, and what it says. Each history draws from the beginning of
/// each list, and is fond of some fields: one in which everybody has the same phone finds what no even mixture does.
const WORDS: &[(Field, usize, &[&str])] = &[
    (Field::Given, 75, &["anna", "bob", "anne", "robert", "zoe", "carl", "dora", "smith"]),
    (Field::Surname, 75, &["smith", "smyth", "jones", "young", "zoe", "brown", "kent"]),
    (Field::BirthDate, 40, &["19800102", "19800201", "19810102", "19751130"]),
    (Field::Email, 45, &["anna.smith@x.com", "info1@z.net", "anna.smyth@x.com", "bob@y.org"]),
    (Field::Phone, 40, &["2125550101", "2125550102", "2125550201"]),
    (Field::Cookie, 40, &["c1", "c2", "c3"]),
    (Field::Loyalty, 15, &["l1", "l2"]),
    (Field::Postcode, 30, &["10001", "10002", "10119"]),
    (Field::City, 20, &["leeds", "leedes"]),
];

/// Draws a history.
fn draw(seed: u64) -> History {
    let mut chance = Chance(seed);
    let words: Vec<(Field, usize, Vec<&str>)> = WORDS
        .iter()
        .map(|(field, percent, words)| {
            let few = 1 + chance.below(words.len());
            let percent = percent * chance.pick(&[25, 100, 100, 220]) / 100;
            (*field, percent, words[..few].to_vec())
        })
        .collect();
    let rows: Vec<RecordKey> =
        (0..8 + chance.below(16)).map(|row| RecordKey::of_row("rows", &row.to_string())).collect();
    let judged = chance.pick(&[0, 0, 10, 25]);
    let mut history = History {
        block_cap: 3 + chance.below(4),
        component_cap: 3 + chance.below(6),
        edge_bits: chance.pick(&[-3.0, -3.0, 0.0, 2.0]),
        threshold_bits: chance.pick(&[-3.0, -1.0, 0.0, 1.0, 3.0]),
        steps: Vec::new(),
    };
    let mut present: BTreeMap<RecordKey, Identity> = BTreeMap::new();
    let mut coming = 85;
    for number in 0..4 + chance.below(11) {
        if number > 1 && chance.percent(35) {
            coming = chance.pick(&[15, 50, 85]);
        }
        let reopened = (number > 0 && chance.percent(20)).then(|| match chance.percent(50) {
            true => Reopened::Rebuilt,
            false => Reopened::Unpacked,
        });
        let mut step = Step { reopened, acts: Vec::new() };
        for _ in 0..1 + chance.below(8) {
            let act = match chance.percent(judged) {
                true => draw_judgement(&mut chance, &rows, &present),
                false => draw_act(&mut chance, &words, &rows, &present, coming),
            };
            match &act {
                Act::Put(key, identity) => drop(present.insert(*key, identity.clone())),
                Act::Drop(key) => drop(present.remove(key)),
                Act::Judge(..) => {}
            }
            step.acts.push(act);
        }
        history.steps.push(step);
    }
    history
}

fn draw_act(
    chance: &mut Chance,
    words: &[(Field, usize, Vec<&str>)],
    rows: &[RecordKey],
    present: &BTreeMap<RecordKey, Identity>,
    coming: usize,
) -> Act {
    let there: Vec<RecordKey> = present.keys().copied().collect();
    if !there.is_empty() && !chance.percent(coming) {
        return Act::Drop(chance.pick(&there));
    }
    // A content without a row key: the same content again is the same record.
    if chance.percent(30) {
        let identity = draw_identity(chance, words);
        let event = EventKey::of("channel", &chance.bits().to_string());
        return Act::Put(identity.record_key(event), identity);
    }
    let row = chance.pick(rows);
    let Some(former) = present.get(&row).filter(|_| chance.percent(60)) else {
        return Act::Put(row, draw_identity(chance, words));
    };
    // Of a row that is there one field changes.
    let mut identity = former.clone();
    let (field, _, words) = chance.pick(words);
    identity.set(field, if chance.percent(30) { "" } else { chance.pick(&words) });
    Act::Put(row, identity)
}

/// Something is judged, mostly of records that are there.
fn draw_judgement(
    chance: &mut Chance,
    rows: &[RecordKey],
    present: &BTreeMap<RecordKey, Identity>,
) -> Act {
    let mut keys: Vec<RecordKey> = present.keys().copied().collect();
    if keys.len() < 2 || chance.percent(20) {
        keys.extend(rows);
    }
    loop {
        if let Some(pair) = Pair::of(chance.pick(&keys), chance.pick(&keys)) {
            let verdicts = [Verdict::Together, Verdict::Apart, Verdict::Withdrawn];
            return Act::Judge(pair, chance.pick(&verdicts));
        }
    }
}

fn draw_identity(chance: &mut Chance, words: &[(Field, usize, Vec<&str>)]) -> Identity {
    let mut identity = Identity::default();
    for (field, percent, words) in words {
        if chance.percent(*percent) {
            identity.set(*field, chance.pick(words));
        }
    }
    if chance.percent(15) {
        identity.name_tokens = vec![chance.pick(&["maria", "smith"]).into()];
    }
    identity
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// Invariant 1: after every step of any history, edges and clusters are those of the set of records.
#[test]
fn any_seed_gives_the_clusters_of_the_set() {
    let (first, count) = (number("ONEFOLD_SEED", 1), number("ONEFOLD_HISTORIES", HISTORIES));
    let clock = Stopwatch::start();
    let seeds = (first..first + count).into_par_iter();
    let lived = seeds.map(|seed| attempt(&draw(seed)).map_err(|fault| (seed, fault)));
    let tallies: Result<Vec<Tally>, (u64, String)> = lived.collect();
    let tally = match tallies {
        Ok(tallies) => tallies.into_iter().fold(Tally::default(), Tally::and),
        Err((seed, fault)) => {
            let least = shrink(&draw(seed), &|history| attempt(history).is_err());
            let found = attempt(&least).err().unwrap_or_default();
            panic!("seed {seed}: {fault}\nThe least that fails: {found}\n{least}");
        }
    };
    eprintln!("seeds {first} to {}: {count} histories", first + count - 1);
    tally.counts.iter().for_each(|(what, count)| eprintln!("{count:>12}  {what}"));
    eprintln!("{:>12.1}  seconds", clock.elapsed().as_secs_f64());
    for what in MUST_HAPPEN {
        assert!(
            tally.counts.contains_key(what),
            "no {what} in seeds {first} to {}",
            first + count - 1
        );
    }
}

#[test]
fn what_fails_is_told_by_the_acts_that_matter() {
    let history = draw(7);
    let culprit = history.steps[2].acts[0].clone();
    let fails = |history: &History| history.steps.iter().any(|step| step.acts.contains(&culprit));
    let least = shrink(&history, &fails);
    assert_eq!(least.steps, [Step { reopened: None, acts: vec![culprit] }]);
}
