//! What did a person decide of two records?

use serde::{Deserialize, Serialize};

use super::{Micros, RecordKey};

/// Two different records, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    lower: RecordKey,
    upper: RecordKey,
}

impl Pair {
    /// The pair of two records, whichever is named first; `None` where they are one.
    pub fn of(left: RecordKey, right: RecordKey) -> Option<Self> {
        (left != right).then(|| Self { lower: left.min(right), upper: left.max(right) })
    }

    /// Both records, the lower key first.
    pub fn keys(&self) -> [RecordKey; 2] {
        [self.lower, self.upper]
    }

    /// Whether the keys are different and in order, as those of [`Pair::of`] are.
    pub fn is_ordered(&self) -> bool {
        self.lower < self.upper
    }
}

/// What a judgement says of its pair. The order decides between two judgements of one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing any more: what was said before is taken back.
    Withdrawn,
    /// They are one person.
    Together,
    /// They are two persons.
    Apart,
}

impl Verdict {
    /// The word for it in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Together => "together",
            Self::Apart => "apart",
        }
    }

    /// The verdict of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Withdrawn, Self::Together, Self::Apart].into_iter().find(|it| it.name() == name)
    }
}

/// A person's decision of two records, which no evidence overrules.
///
/// Records are named by what they are, so a judgement survives replays and other models. Of two judgements of one
/// pair the later counts ([`Judgement::outranks`]); a withdrawal is a judgement too, so that it holds against an older
/// copy of what it takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The records.
    pub pair: Pair,
    /// What they are.
    pub verdict: Verdict,
    /// Why, in a person's words. May hold personal values: kept with the judgement, never logged.
    pub reason: String,
    /// Who judged.
    pub author: String,
    /// When.
    pub at: Micros,
}

impl Judgement {
    /// Whether it counts rather than `other`, of the same pair: the later; of one time, that which compares higher by
    /// verdict, author and reason. So whichever comes first, the same one counts.
    pub fn outranks(&self, other: &Self) -> bool {
        let rank = |it: &Self| (it.at, it.verdict, it.author.clone(), it.reason.clone());
        rank(self) > rank(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_judgements_the_same_one_counts_whichever_comes_first() {
        let key = |byte| RecordKey([byte; 16]);
        let pair = Pair::of(key(2), key(1)).expect("two records");
        assert_eq!(pair.keys(), [key(1), key(2)]);
        assert_eq!(Pair::of(key(1), key(1)), None);
        let judgement = |verdict, author: &str, at| Judgement {
            pair,
            verdict,
            reason: String::new(),
            author: author.into(),
            at,
        };
        // Each outranks all before it.
        let ascending = [
            judgement(Verdict::Apart, "zoe", 1),
            judgement(Verdict::Withdrawn, "zoe", 2),
            judgement(Verdict::Together, "ada", 2),
            judgement(Verdict::Together, "zoe", 2),
            judgement(Verdict::Apart, "ada", 2),
            judgement(Verdict::Withdrawn, "ada", 3),
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(left.outranks(right), i > j, "{i} {j}");
            }
        }
    }
}
