//! What does a mistake rest on? Its records, and the evidence of the pair that decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::html::grouped;
use crate::evaluate::{Mistake, MistakeKind, Mistakes};

/// A mistake, with what is known of its records.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What is wrong.
    pub mistake: &'a Mistake,
    /// Some of its records by their key; none where no state is at hand.
    pub records: BTreeMap<Arc<str>, CaseRecord>,
    /// The pair with the greatest weight among those of two of its parts.
    pub decisive: Option<Decisive>,
    /// How many pairs were weighed to find it, and how many there are.
    pub weighed: (u64, u64),
}

/// A record, as the matcher compares it. Holds personal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseRecord {
    /// The source of its earliest event.
    pub source: String,
    /// Its values by field, in the order of the fields.
    pub values: Vec<(String, String)>,
}

/// The evidence of one pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisive {
    /// What the truth calls the two.
    pub ids: [String; 2],
    /// The keys of their records; equal where both are one record, since their content is the same.
    pub records: [Arc<str>; 2],
    /// The fields that one of them has at least.
    pub lines: Vec<Line>,
    /// log2 odds that two random records are of one person.
    pub prior_bits: f64,
    /// The match weight of the pair.
    pub weight_bits: f64,
    /// Groups merge from this match weight.
    pub threshold_bits: f64,
    /// The blocking rules under which they meet.
    pub rules: Vec<String>,
}

/// What one field says. The values are personal.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The field's name.
    pub field: String,
    /// The level of agreement, in words.
    pub level: String,
    /// Its weight.
    pub bits: f64,
    /// The two values, where there are.
    pub values: [Option<String>; 2],
}

impl Decisive {
    /// Whether both events made one record, which nothing can split.
    pub fn is_one_record(&self) -> bool {
        self.records[0] == self.records[1]
    }

    /// What the other records of the household take off the weight; 0 or less, but for rounding.
    pub fn household_bits(&self) -> f64 {
        let fields: f64 = self.lines.iter().map(|line| line.bits).sum();
        self.weight_bits - self.prior_bits - fields
    }
}

impl Case<'_> {
    /// What is wrong, in a line: `12 records of 2 people (7 + 5), 35 wrong pairs (0.9 %)`.
    pub fn summary(&self) -> String {
        let sizes: Vec<usize> = self.mistake.parts.iter().map(|part| part.members.len()).collect();
        let mut shown: Vec<String> = sizes.iter().take(6).map(ToString::to_string).collect();
        if sizes.len() > shown.len() {
            shown.push("…".into());
        }
        let (parts, pairs) = match self.mistake.kind {
            MistakeKind::FalseMerge => ("of {} people", "wrong pair"),
            MistakeKind::MissedMerge => ("in {} identities", "missed pair"),
        };
        format!(
            "{} records {} ({}), {} ({:.1} %)",
            grouped(self.mistake.records() as u64),
            parts.replace("{}", &grouped(sizes.len() as u64)),
            shown.join(" + "),
            counted(self.mistake.wrong_pairs, pairs),
            self.mistake.share * 100.0
        )
    }

    /// What the cluster is called.
    pub fn name(&self) -> String {
        match self.mistake.kind {
            MistakeKind::FalseMerge => format!("identity {}", self.mistake.cluster),
            MistakeKind::MissedMerge => format!("true cluster {}", self.mistake.cluster),
        }
    }

    /// What the decisive pair came to, in a sentence.
    pub fn verdict(&self) -> Option<String> {
        let pair = self.decisive.as_ref()?;
        if pair.is_one_record() {
            return Some(
                "one record: the two have the same content, and nothing tells them apart".into(),
            );
        }
        let met = if pair.rules.is_empty() {
            "no blocking rule brings them together".into()
        } else {
            format!("they meet under {}", pair.rules.join(", "))
        };
        Some(format!(
            "{:+.2} bits, where merges start at {:+.2}; {met}",
            pair.weight_bits, pair.threshold_bits
        ))
    }
}

/// So many of a thing, `1 pair` or `2 pairs`.
fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// What all mistakes of a kind come to, in a line.
pub(super) fn total(mistakes: &Mistakes, kind: MistakeKind) -> String {
    let (total, one, many, pair) = match kind {
        MistakeKind::FalseMerge => (
            mistakes.false_merges,
            "identity holds several people",
            "identities hold several people",
            "wrong pair",
        ),
        MistakeKind::MissedMerge => (
            mistakes.missed_merges,
            "person has several identities",
            "people have several identities",
            "missed pair",
        ),
    };
    let clusters = total.clusters as u64;
    let said = if clusters == 1 { one } else { many };
    format!("{} {said}: {}", grouped(clusters), counted(total.pairs, pair))
}

/// The mistakes for a terminal, without a value of any record.
pub fn cases_text(mistakes: &Mistakes, cases: &[Case<'_>]) -> String {
    let mut lines = Vec::new();
    for (kind, title) in [
        (MistakeKind::FalseMerge, "Worst false merges"),
        (MistakeKind::MissedMerge, "Worst missed merges"),
    ] {
        lines.push(format!("{title} ({})", total(mistakes, kind)));
        for case in cases.iter().filter(|case| case.mistake.kind == kind) {
            lines.push(format!("  {}: {}", case.name(), case.summary()));
            let (Some(pair), Some(verdict)) = (&case.decisive, case.verdict()) else { continue };
            lines.push(format!("    {} and {}: {verdict}", pair.ids[0], pair.ids[1]));
            if !pair.is_one_record() {
                lines.push(format!("    {}", weights(pair)));
            }
        }
        lines.push(String::new());
    }
    lines.pop();
    lines.join("\n")
}

/// The fields that say something, the heaviest first.
fn weights(pair: &Decisive) -> String {
    let mut said: Vec<&Line> = pair.lines.iter().filter(|line| line.bits != 0.0).collect();
    said.sort_by(|a, b| b.bits.abs().total_cmp(&a.bits.abs()));
    let mut words: Vec<String> = said
        .iter()
        .map(|line| format!("{:+.1} {} {}", line.bits, line.field, line.level))
        .collect();
    words.push(format!("{:+.1} prior", pair.prior_bits));
    words.push(format!("{:+.1} household", pair.household_bits()));
    words.join(", ")
}
