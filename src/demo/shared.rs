//! Which identifiers belong to more than one person, and were those people kept apart?

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Why several people have one identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SharedKind {
    /// The main number of a place of work.
    OfficeNumber,
    /// The cookie of a public terminal, used by strangers.
    KioskCookie,
    /// A dropped mobile number that a stranger got later.
    RecycledMobile,
    /// The cookie of a tablet that a household has in common.
    HouseholdTablet,
    /// The phone on the wall.
    HouseholdLandline,
    /// One mailbox for a couple.
    HouseholdMailbox,
    /// One loyalty card for all.
    HouseholdLoyalty,
    /// A payment card of a couple.
    JointCard,
}

impl SharedKind {
    /// The name in the plural, for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OfficeNumber => "office numbers",
            Self::KioskCookie => "kiosk cookies",
            Self::RecycledMobile => "recycled mobiles",
            Self::HouseholdTablet => "household tablets",
            Self::HouseholdLandline => "household landlines",
            Self::HouseholdMailbox => "shared mailboxes",
            Self::HouseholdLoyalty => "shared loyalty cards",
            Self::JointCard => "joint payment cards",
        }
    }
}

/// An identifier that at least two people used in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedIdentifier {
    /// Why they have it in common.
    pub kind: SharedKind,
    /// As it was given, before noise: E.164, a bare card, cookie or loyalty number, an e-mail
    /// address.
    pub value: String,
    /// The people, ascending; two at least.
    pub people: Vec<String>,
}

/// What is known to be shared while the stream is made, and who used it so far.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    kinds: BTreeMap<String, SharedKind>,
    users: BTreeMap<String, BTreeSet<String>>,
}

impl Sharing {
    /// Says that several people may use `value`.
    pub(super) fn declare(&mut self, kind: SharedKind, value: String) {
        self.kinds.insert(value, kind);
    }

    /// Says that `person` used `value`.
    pub(super) fn used(&mut self, value: &str, person: &str) {
        if self.kinds.contains_key(value) {
            self.users.entry(value.to_owned()).or_default().insert(person.to_owned());
        }
    }

    /// Those that two people used, by kind, then value.
    pub(super) fn into_identifiers(self) -> Vec<SharedIdentifier> {
        let mut identifiers: Vec<_> = self
            .users
            .into_iter()
            .filter(|(_, people)| people.len() > 1)
            .map(|(value, people)| {
                let kind = self.kinds[&value];
                SharedIdentifier { kind, value, people: people.into_iter().collect() }
            })
            .collect();
        identifiers.sort_by(|a, b| (a.kind, &a.value).cmp(&(b.kind, &b.value)));
        identifiers
    }
}

/// How many shared identifiers of one kind there were, and how many led to no merger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptApart {
    /// Identifiers that two people used, each with at least two people found again.
    pub identifiers: usize,
    /// Those of them whose people all have identities of their own.
    pub kept_apart: usize,
}

/// Counts, by kind, the shared identifiers whose people a resolution kept apart.
///
/// A person is found where most of their events are; of equal ones, where the first of them is in the truth, for the
/// names of identities depend on what came first.
/// People are kept apart if no two of them are found in one identity. `events` are `(event id,
/// person)` of the truth, `identity_of` tells the identity of an event, if it has one.
pub fn kept_apart<'a>(
    shared: &[SharedIdentifier],
    events: &'a [(String, String)],
    identity_of: impl Fn(&str) -> Option<&'a str>,
) -> BTreeMap<SharedKind, KeptApart> {
    let homes = homes(shared, events, identity_of);
    let mut counts: BTreeMap<SharedKind, KeptApart> = BTreeMap::new();
    for identifier in shared {
        let found: Vec<&str> = identifier
            .people
            .iter()
            .filter_map(|person| homes.get(person.as_str()))
            .copied()
            .collect();
        let distinct: BTreeSet<&str> = found.iter().copied().collect();
        if found.len() > 1 {
            let count = counts.entry(identifier.kind).or_default();
            count.identifiers += 1;
            count.kept_apart += usize::from(distinct.len() == found.len());
        }
    }
    counts
}

/// The identity that holds most events of each person who shares something.
fn homes<'a>(
    shared: &[SharedIdentifier],
    events: &'a [(String, String)],
    identity_of: impl Fn(&str) -> Option<&'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let sharers: BTreeSet<&str> =
        shared.iter().flat_map(|identifier| &identifier.people).map(String::as_str).collect();
    // By person and identity, how many events there are, and the place of the first.
    let mut counts: BTreeMap<&str, BTreeMap<&str, (usize, usize)>> = BTreeMap::new();
    for (at, (event, person)) in events.iter().enumerate() {
        let identity = sharers.contains(person.as_str()).then(|| identity_of(event)).flatten();
        if let Some(identity) = identity {
            counts.entry(person).or_default().entry(identity).or_insert((0, at)).0 += 1;
        }
    }
    let most = |identities: BTreeMap<&'a str, (usize, usize)>| {
        let found = identities.into_iter().max_by_key(|(_, (events, at))| (*events, Reverse(*at)));
        found.map(|(identity, _)| identity)
    };
    counts
        .into_iter()
        .filter_map(|(person, identities)| Some((person, most(identities)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(kind: SharedKind, people: &[&str]) -> SharedIdentifier {
        let people = people.iter().map(|person| (*person).to_owned()).collect();
        SharedIdentifier { kind, value: "v".to_owned(), people }
    }

    #[test]
    fn only_what_two_people_used_is_shared() {
        let mut sharing = Sharing::default();
        sharing.declare(SharedKind::JointCard, "card".to_owned());
        sharing.declare(SharedKind::KioskCookie, "cookie".to_owned());
        for (value, person) in [("card", "b"), ("card", "a"), ("cookie", "a"), ("own", "a")] {
            sharing.used(value, person);
        }
        let found = sharing.into_identifiers();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].value.as_str(), &found[0].people[..]),
            ("card", &["a", "b"].map(String::from)[..])
        );
    }

    #[test]
    fn people_are_kept_apart_if_each_has_an_identity_of_their_own() {
        let events: Vec<(String, String)> =
            [("1", "a"), ("2", "a"), ("3", "a"), ("4", "b"), ("5", "c"), ("6", "d")]
                .map(|(event, person)| (event.to_owned(), person.to_owned()))
                .to_vec();
        // Event 3 of a lies with b, the rest of a does not; c lies with a.
        let identity_of = |event: &str| match event {
            "1" | "2" | "5" => Some("x"),
            "3" | "4" => Some("y"),
            _ => None,
        };
        let shared = [
            shared(SharedKind::OfficeNumber, &["a", "b"]),
            shared(SharedKind::OfficeNumber, &["a", "b", "c"]),
            shared(SharedKind::JointCard, &["a", "d"]),
        ];
        let counts = kept_apart(&shared, &events, identity_of);
        let expected = KeptApart { identifiers: 2, kept_apart: 1 };
        assert_eq!(counts, BTreeMap::from([(SharedKind::OfficeNumber, expected)]));
    }
}
