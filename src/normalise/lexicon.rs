//! What is known of names and mail domains before any record is seen?
//!
//! Lists of nicknames, of name frequencies and of mail domains, embedded from `data/` (origin and
//! licences in its `README.md`), each parsed once. All keys are as the normalisers write them:
//! `a`–`z`, or lower-case domains.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

/// The formal names that `token` is a nickname of, ascending; empty if there are none.
pub fn formal_names(token: &str) -> &'static [&'static str] {
    FORMAL.get(token).map_or(&[], Vec::as_slice)
}

/// One name for all nicknames and spellings: the commonest of the token and its formal names, so that `bob`, `rob` and
/// `robert` meet; the token itself where none is listed.
pub fn canonical_given(token: &str) -> &str {
    CANONICAL.get(token).copied().unwrap_or(token)
}

/// Whether two given names may be one: equal, nickname and formal name, or nicknames of one formal
/// name. Symmetric, but not transitive: `alex` belongs to many.
pub fn is_nickname_pair(left: &str, right: &str) -> bool {
    let (lefts, rights) = (formal_names(left), formal_names(right));
    left == right
        || lefts.contains(&right)
        || rights.contains(&left)
        || lefts.iter().any(|name| rights.contains(name))
}

/// Every (formal name, nickname) pair, ascending.
pub fn nicknames() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("data/nicknames.txt").lines().flat_map(|line| {
        let mut names = line.split(' ');
        let formal = names.next().unwrap_or_default();
        names.map(move |nickname| (formal, nickname))
    })
}

/// Every (name, spelling of it in other countries) pair, ascending: `julia` and `yulia`.
pub fn variants() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("data/variants.txt").lines().flat_map(|line| {
        let mut names = line.split(' ');
        let name = names.next().unwrap_or_default();
        names.map(move |variant| (name, variant))
    })
}

/// The share of people (0 to 1) who bear a given name: the mean of women and men. None if it is not
/// listed.
pub fn given_share(token: &str) -> Option<f64> {
    GIVEN.get(token).copied()
}

/// The share of people (0 to 1) who bear a surname. None if it is not listed.
pub fn surname_share(token: &str) -> Option<f64> {
    SURNAMES.get(token).copied()
}

/// The given names that more than this share of people bear, with their shares, ascending by name.
pub fn common_given(above: f64) -> Vec<(&'static str, f64)> {
    common(&GIVEN, above)
}

/// The surnames that more than this share of people bear, with their shares, ascending by name.
pub fn common_surnames(above: f64) -> Vec<(&'static str, f64)> {
    common(&SURNAMES, above)
}

/// Whether anyone can have an address at a domain: sharing it says nothing about two people.
pub fn is_free_mail(domain: &str) -> bool {
    FREE_MAIL.contains(domain)
}

/// Whether a domain, or one that it is under, hands out throw-away addresses.
pub fn is_disposable(domain: &str) -> bool {
    let listed = &*DISPOSABLE;
    let mut rest = domain;
    loop {
        if listed.contains(rest) {
            return true;
        }
        match rest.split_once('.') {
            Some((_, parent)) => rest = parent,
            None => return false,
        }
    }
}

/// The domains of free mail providers, ascending.
pub fn free_mail_domains() -> impl Iterator<Item = &'static str> {
    include_str!("data/free_mail.txt").lines()
}

// Each list is parsed by whoever first asks for it: a lookup by name waits for no mail domains.
static FORMAL: LazyLock<FxHashMap<&str, Vec<&str>>> = LazyLock::new(formal_by_nickname);
/// Only of names that have a formal one.
static CANONICAL: LazyLock<FxHashMap<&str, &str>> = LazyLock::new(|| canonical(&FORMAL, &GIVEN));
static GIVEN: LazyLock<FxHashMap<&str, f64>> =
    LazyLock::new(|| shares(include_str!("data/given.txt")));
static SURNAMES: LazyLock<FxHashMap<&str, f64>> =
    LazyLock::new(|| shares(include_str!("data/surnames.txt")));
static FREE_MAIL: LazyLock<FxHashSet<&str>> = LazyLock::new(|| free_mail_domains().collect());
static DISPOSABLE: LazyLock<FxHashSet<&str>> =
    LazyLock::new(|| include_str!("data/disposable.txt").lines().collect());

fn common(shares: &FxHashMap<&'static str, f64>, above: f64) -> Vec<(&'static str, f64)> {
    let listed = shares.iter().map(|(name, share)| (*name, *share));
    let mut common: Vec<_> = listed.filter(|(_, share)| *share > above).collect();
    common.sort_unstable_by_key(|(name, _)| *name);
    common
}

/// The formal names of each nickname and variant, ascending.
fn formal_by_nickname() -> FxHashMap<&'static str, Vec<&'static str>> {
    let mut formal: FxHashMap<_, Vec<_>> = FxHashMap::default();
    for (name, nickname) in nicknames().chain(variants()) {
        formal.entry(nickname).or_default().push(name);
    }
    for names in formal.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    formal
}

/// The commonest of each name and its formal names; of equally common ones the first.
fn canonical(
    formal: &FxHashMap<&'static str, Vec<&'static str>>,
    given: &FxHashMap<&'static str, f64>,
) -> FxHashMap<&'static str, &'static str> {
    let share = |name: &str| given.get(name).copied().unwrap_or_default();
    let canonical = |nickname: &'static str, names: &[&'static str]| {
        let mut best = nickname;
        for name in names {
            // A name that is not listed yields to its formal name.
            if share(name) > share(best) || (best == nickname && share(nickname) == 0.0) {
                best = name;
            }
        }
        best
    };
    formal.iter().map(|(nickname, names)| (*nickname, canonical(nickname, names))).collect()
}

/// Reads lines of a name and its percentages; the share is their mean.
fn shares(list: &'static str) -> FxHashMap<&'static str, f64> {
    list.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            let percents = rest.split(' ').filter_map(|percent| percent.parse::<f64>().ok());
            Some((name, percents.clone().sum::<f64>() / percents.count() as f64 / 100.0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_whole_and_in_order() {
        let pairs: Vec<_> = nicknames().collect();
        assert_eq!(pairs.len(), 2691);
        assert!(pairs.is_sorted() && variants().is_sorted() && variants().count() > 200);
        assert_eq!(free_mail_domains().count(), 4778);
        assert!(free_mail_domains().is_sorted());
        assert_eq!(SURNAMES.len(), 20_000);
        assert_eq!(DISPOSABLE.len(), 10_181);
    }

    #[test]
    fn nicknames_meet() {
        assert!(formal_names("bob").contains(&"robert"));
        assert!(formal_names("xyz").is_empty());
        assert!(formal_names("alex").is_sorted());
        for (token, canonical) in
            [("bob", "robert"), ("rob", "robert"), ("robert", "robert"), ("yuliia", "julia")]
        {
            assert_eq!(canonical_given(token), canonical, "{token}");
        }
        assert_eq!(canonical_given("horatio"), "horatio");
        for (left, right) in [("bob", "robert"), ("bob", "rob"), ("liz", "beth"), ("zz", "zz")] {
            assert!(
                is_nickname_pair(left, right) && is_nickname_pair(right, left),
                "{left} {right}"
            );
        }
        assert!(!is_nickname_pair("bob", "william"));
    }

    #[test]
    fn shares_are_of_one() {
        let share = given_share("leslie").expect("a name of women and men");
        assert!((share - (0.00154 + 0.00081) / 2.0).abs() < 1e-9, "{share}");
        assert!((surname_share("smith").expect("the commonest surname") - 0.01006).abs() < 1e-9);
        assert_eq!(surname_share("qqqq"), None);
        assert!(GIVEN.values().sum::<f64>() < 1.0);
    }

    #[test]
    fn domains_are_known() {
        assert!(is_free_mail("gmail.com") && is_free_mail("web.de"));
        assert!(!is_free_mail("example.com"));
        assert!(is_disposable("mailinator.com") && is_disposable("eu.mailinator.com"));
        assert!(!is_disposable("gmail.com") && !is_disposable("com"));
    }
}
