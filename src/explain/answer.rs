//! What is answered to whom asks why, why not, and how?

use serde::Serialize;

use super::{Between, Meeting, Pair, RecordView, Step, as_text, as_texts};
use crate::record::{IdentityId, RecordKey};

/// Why two records belong together, or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The records asked about.
    pub records: [RecordView; 2],
    /// Whether they belong to one identity.
    pub together: bool,
    /// What they say about being of one person.
    pub pair: Pair,
    /// The blocking keys that they share.
    pub keys: Vec<Meeting>,
    /// Where they belong together: the merges that led the one or the other to where they met. The
    /// last joined them.
    pub steps: Vec<Step>,
    /// How many merges made their identity.
    pub merges: usize,
}

/// Why two records do not belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyNot {
    /// The records asked about.
    pub records: [RecordView; 2],
    /// What keeps them apart.
    pub verdict: Verdict,
    /// How many bits their identities lack to the threshold; 0 where they reach it.
    pub missing_bits: f64,
    /// What their identities say together.
    pub between: Between,
    /// How many candidate pairs link their identities.
    pub links: usize,
    /// The strongest of them.
    pub strongest_link: Option<Link>,
    /// What the two records say.
    pub pair: Pair,
    /// The blocking keys that the two records share.
    pub keys: Vec<Meeting>,
}

/// Two records that are a candidate pair, and weigh enough to be in one component.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The records, that of the first identity first.
    #[serde(serialize_with = "as_texts")]
    pub records: [RecordKey; 2],
    /// Their match weight in bits.
    pub weight_bits: f64,
}

/// What keeps two identities apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing: the records belong together.
    Together,
    /// A judgement.
    JudgedApart,
    /// Two of their records can never be of one person.
    Conflict,
    /// Together they weigh less than the threshold.
    BelowThreshold,
    /// They would weigh enough, but are in different components: no candidate pair led from the one
    /// to the other.
    NeverCompared,
    /// They would weigh enough, but their component is over its cap and was split between them.
    ComponentSplit,
}

impl WhyNot {
    /// The answer, from what there is to say of the records and of the clusters of their identities.
    pub fn of(
        records: [RecordView; 2],
        (pair, keys): (Pair, Vec<Meeting>),
        between: Between,
        links: &[Link],
        judged_apart: bool,
    ) -> Self {
        let missing_bits = (between.sum.threshold_bits - between.sum.weight_bits).max(0.0);
        let [left, right] = &records;
        // In one component, groups that weigh enough and have no conflict are always merged.
        let verdict = if left.belongs_to == right.belongs_to {
            Verdict::Together
        } else if judged_apart {
            Verdict::JudgedApart
        } else if !between.conflicts.is_empty() {
            Verdict::Conflict
        } else if missing_bits > 0.0 {
            Verdict::BelowThreshold
        } else if links.is_empty() {
            Verdict::NeverCompared
        } else {
            Verdict::ComponentSplit
        };
        let strongest = |a: &&Link, b: &&Link| a.weight_bits.total_cmp(&b.weight_bits);
        Self {
            verdict,
            missing_bits,
            links: links.len(),
            strongest_link: links.iter().max_by(strongest).copied(),
            records,
            between,
            pair,
            keys,
        }
    }
}

/// How an identity came together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct How {
    /// The identity.
    #[serde(serialize_with = "as_text")]
    pub identity: IdentityId,
    /// Its records, ascending by key.
    pub records: Vec<RecordView>,
    /// The merges that joined them.
    pub steps: Vec<Step>,
}
