//! What does it say that two e-mail addresses are alike, beyond that the names are?
//!
//! `elodie.lefevre124@` and `elodie.lefevre@` are two namesakes more often than one mistyped address. So the local
//! part is split into known name tokens, single initials, digits and an unexplained rest, and an agreement weighs
//! `log2(m / u)`, where u is the chance that another person of the same name has an address that agrees so:
//! share of the domain × of the digits × of the rest, × of the name where a record lacks a full name.

use super::model::EmailModel;
use super::similarity::{jaro_winkler, osa_within};
use crate::error::Result;
use crate::image::{Pack, Unpack, misshapen};
use crate::normalise::lexicon;

/// Part of the people whose address is a pattern of their names alone.
const PATTERN: f64 = 0.2;
/// Given and surname are not independent: a full name is so much likelier than its parts' product.
const PAIRING: f64 = 4.0;
/// A near miss of a local part is a slip of the finger this often.
const TYPO: f64 = 0.02;
/// m of the levels 2, 3 and 4.
const LEVEL_M: [f64; 3] = [0.06, 0.10, 0.02];

/// An address, taken apart. One text holds all parts: there are as many of these as addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailParts {
    /// The parts, one after the other; the names with spaces between them, ascending.
    text: Box<str>,
    /// Where the parts end, by [`Part`]; the names end with the text.
    ends: [u32; Part::Names as usize],
    /// How many single letters there are in the local part.
    initials: u32,
}

/// A part of an address.
#[derive(Clone, Copy)]
enum Part {
    /// Everything before the `@`.
    Local,
    Domain,
    /// The letters of the local part.
    Letters,
    /// The digits of the local part.
    Digits,
    /// What neither names nor digits explain.
    Rest,
    /// The name tokens in the local part.
    Names,
}

/// What the tokens of a local part are.
#[derive(Default)]
struct Explained<'a> {
    names: Vec<&'a str>,
    initials: u32,
    rest: Vec<&'a str>,
}

impl EmailParts {
    /// Takes an address apart.
    pub fn of(address: &str, model: &EmailModel) -> Self {
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        let mut explained = Explained::default();
        for token in local.split(|c: char| !c.is_ascii_lowercase()).filter(|t| !t.is_empty()) {
            explained.add(token, model);
        }
        explained.names.sort_unstable();
        explained.rest.sort_unstable();
        let letters: String = local.chars().filter(char::is_ascii_lowercase).collect();
        let digits: String = local.chars().filter(char::is_ascii_digit).collect();
        let mut text = String::with_capacity(address.len() * 3);
        let ends = [local, domain, &letters, &digits, &explained.rest.concat()].map(|part| {
            text.push_str(part);
            u32::try_from(text.len()).expect("no message is that long")
        });
        text.push_str(&explained.names.join(" "));
        Self { text: text.into(), ends, initials: explained.initials }
    }

    /// Packs the parts of many addresses.
    pub(super) fn pack<'a>(all: impl Iterator<Item = &'a Self> + Clone, into: &mut Pack) {
        into.texts(all.clone().map(|parts| &*parts.text));
        into.words(all.clone().flat_map(|parts| parts.ends));
        into.words(all.map(|parts| parts.initials));
    }

    /// They come back as they were packed.
    ///
    /// **Errors:** `Data` where that does not fit together.
    pub(super) fn unpack<'a>(
        from: &mut Unpack<'a>,
    ) -> Result<impl Iterator<Item = Self> + use<'a>> {
        let (texts, mut ends, initials) = (from.texts()?, from.words()?, from.words()?);
        if ends.len() != texts.len() * (Part::Names as usize) {
            return Err(misshapen());
        }
        Ok(texts.zip(initials).map(move |(text, initials)| {
            let ends = std::array::from_fn(|_| ends.next().expect("there are as many as that"));
            Self { text: text.into(), ends, initials }
        }))
    }

    fn part(&self, part: Part) -> &str {
        let part = part as usize;
        let from = part.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let to = self.ends.get(part).map_or(self.text.len(), |end| *end as usize);
        &self.text[from..to]
    }

    fn local(&self) -> &str {
        self.part(Part::Local)
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.part(Part::Domain)
    }

    fn letters(&self) -> &str {
        self.part(Part::Letters)
    }

    fn digits(&self) -> &str {
        self.part(Part::Digits)
    }

    /// What neither names nor digits explain of the local part.
    pub fn rest(&self) -> &str {
        self.part(Part::Rest)
    }

    /// The name tokens, ascending.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.part(Part::Names).split(' ').filter(|name| !name.is_empty())
    }

    /// Names and rest, as [`EmailModel::patterns`] lists them; empty without a name.
    pub fn pattern(&self) -> String {
        match self.part(Part::Names) {
            "" => String::new(),
            names => format!("{names}|{}", self.rest()),
        }
    }

    /// The name tokens, where there are two.
    fn two_names(&self) -> Option<[&str; 2]> {
        let (left, right) = self.part(Part::Names).split_once(' ')?;
        (!right.contains(' ')).then_some([left, right])
    }

    /// The initials of the two names that the local part spells, ascending; `None` where it spells another number.
    pub(super) fn initials(&self) -> Option<[u8; 2]> {
        let [left, right] = self.two_names()?;
        let initial = |name: &str| lexicon::canonical_given(name).bytes().next();
        let mut pair = [initial(left)?, initial(right)?];
        pair.sort_unstable();
        Some(pair)
    }

    /// The two names that the local part spells and nothing else, in either order; digits do not count.
    pub(super) fn spelt(&self) -> Option<[&str; 2]> {
        let names = self.two_names().filter(|[left, right]| left != right);
        names.filter(|_| self.initials == 0 && self.rest().is_empty())
    }

    fn rest_share(&self, model: &EmailModel) -> f64 {
        match self.rest() {
            "" => PATTERN,
            rest => model.rests.get(rest).copied().unwrap_or(model.floor()),
        }
    }

    /// The chance that a random person's names fill the local part so.
    fn name_share(&self, model: &EmailModel) -> f64 {
        let names = self.names().count();
        let product: f64 =
            self.names().map(|n| model.name_share(n).unwrap_or(model.floor())).product();
        let initials = 0.1_f64.powi(i32::try_from(self.initials).unwrap_or(i32::MAX));
        let pairing = if names >= 2 { PAIRING } else { 1.0 };
        let seen = if model.patterns.is_empty() || names == 0 {
            0.0
        } else {
            model.patterns.get(&self.pattern()).copied().unwrap_or_default()
        };
        (product * initials * pairing).max(seen).min(1.0)
    }

    /// What an order between two addresses is taken by, so that weighing is symmetric.
    fn order(&self) -> (usize, &str, &str) {
        (self.rest().len(), self.local(), self.domain())
    }
}

impl<'a> Explained<'a> {
    fn add(&mut self, token: &'a str, model: &EmailModel) {
        if model.name_share(token).is_some() {
            self.names.push(token);
        } else if token.len() == 1 {
            self.initials += 1;
        } else if let Some(glued) = Glued::best(token, model) {
            self.names.extend(glued.names.into_iter().flatten());
            self.initials += glued.initials;
            self.rest.extend((!glued.rest.is_empty()).then_some(glued.rest));
        } else {
            self.rest.push(token);
        }
    }
}

/// A token without separators, read as names glued together.
struct Glued<'a> {
    names: [Option<&'a str>; 2],
    initials: u32,
    rest: &'a str,
    /// The lesser explains better.
    rank: (u8, f64),
}

impl<'a> Glued<'a> {
    fn best(token: &'a str, model: &EmailModel) -> Option<Self> {
        let mut best: Option<Self> = None;
        for at in 1..token.len() {
            let (head, tail) = token.split_at(at);
            let Some(found) = Self::at(head, tail, model) else { continue };
            if best.as_ref().is_none_or(|best| found.rank < best.rank) {
                best = Some(found);
            }
        }
        best
    }

    fn at(head: &'a str, tail: &'a str, model: &EmailModel) -> Option<Self> {
        let length = |text: &str| -(text.len() as f64);
        let one = |name: &'a str, initials, rest, class| Self {
            names: [Some(name), None],
            initials,
            rest,
            rank: (class, length(name)),
        };
        match (model.name_share(head), model.name_share(tail)) {
            (Some(left), Some(right)) => Some(Self {
                names: [Some(head), Some(tail)],
                initials: 0,
                rest: "",
                rank: (0, -left * right),
            }),
            (_, Some(_)) if head.len() == 1 && tail.len() >= 4 => Some(one(tail, 1, "", 1)),
            (Some(_), _) if tail.len() == 1 && head.len() >= 4 => Some(one(head, 1, "", 1)),
            (_, Some(_)) if tail.len() >= 3 => Some(one(tail, 0, head, 2)),
            (Some(_), _) if head.len() >= 4 => Some(one(head, 0, tail, 2)),
            _ => None,
        }
    }
}

/// The bits of an agreement on level 2, 3 or 4 of e-mail: never more than `level_bits`, never less than none.
///
/// `full_names` says whether both records have given name and surname: then the names are weighed there already.
pub(super) fn bits(
    left: &EmailParts,
    right: &EmailParts,
    model: &EmailModel,
    level_bits: f64,
    full_names: bool,
) -> f64 {
    let (first, second) = if left.order() <= right.order() { (left, right) } else { (right, left) };
    let Some(agreement) = Agreement::of(first, second, model) else {
        return level_bits.min(0.0);
    };
    let u = if full_names { agreement.u } else { agreement.u * agreement.names_u };
    let explained = (LEVEL_M[agreement.level - 2] / u.max(1e-9)).log2();
    level_bits.min(explained).max(0.0)
}

struct Agreement {
    /// P(another person's address agrees so | the names agree).
    u: f64,
    /// P(the name tokens agree).
    names_u: f64,
    level: usize,
}

impl Agreement {
    fn of(first: &EmailParts, second: &EmailParts, model: &EmailModel) -> Option<Self> {
        let domain = Domain::of(first.domain(), second.domain(), model);
        let names_u = first.name_share(model);
        if first.local() == second.local() {
            if domain.mistyped {
                return Some(Self { u: model.floor(), names_u: 1.0, level: 3 });
            }
            let u = domain.share * digits_share(first.digits()) * first.rest_share(model);
            return Some(Self { u, names_u, level: 2 });
        }
        let same = first.letters() == second.letters() && !first.letters().is_empty();
        let near = !same && nearly(first, second);
        if let Some(digits) = digits_agreement(first.digits(), second.digits())
            && (same || near)
        {
            let rest = if first.rest().is_empty() || second.rest().is_empty() {
                first.rest_share(model)
            } else {
                first.rest_share(model).max(second.rest_share(model))
            };
            let slip = if same { 1.0 } else { TYPO };
            return Some(Self { u: domain.share * digits * rest * slip, names_u, level: 3 });
        }
        let alike = same || near || jaro_winkler(first.local(), second.local()) >= 0.8;
        (domain.few && alike).then_some(Self { u: domain.share * PATTERN, names_u, level: 4 })
    }
}

struct Domain {
    /// P(another address is at this domain); 1 where the domains differ.
    share: f64,
    /// One domain is a rare near-copy of the other.
    mistyped: bool,
    /// So few addresses are there that the domain itself speaks.
    few: bool,
}

impl Domain {
    fn of(left: &str, right: &str, model: &EmailModel) -> Self {
        let share = |domain: &str| model.domains.get(domain).copied().unwrap_or(model.other_domain);
        let known = |domain: &str| model.domains.get(domain).copied().unwrap_or(model.floor());
        if left == right {
            let few = known(left) * model.addresses <= DOMAIN_FEW;
            return Self { share: share(left), mistyped: false, few };
        }
        let (rare, common) =
            if known(left) <= known(right) { (left, right) } else { (right, left) };
        let alike = left.len().min(right.len()) >= 5
            && (osa_within(left, right, 2) || jaro_winkler(left, right) >= 0.92);
        let mistyped = alike && known(rare) <= (2.0 / model.addresses).max(known(common) / 50.0);
        let few = (known(left) + known(right)) * model.addresses <= DOMAIN_FEW;
        let share = if mistyped { share(common) } else { 1.0 };
        Self { share, mistyped, few: few && share < 1.0 }
    }
}

/// At a domain of so few addresses, being there says something.
const DOMAIN_FEW: f64 = 8.0;

/// The share of local parts that carry just these digits.
fn digits_share(digits: &str) -> f64 {
    match digits.len() {
        0 => 0.55,
        4 if digits.starts_with("19") || digits.starts_with("20") => 0.1 / 60.0,
        length => {
            let length = i32::try_from(length.min(3)).expect("at most 3");
            0.1 * 0.1_f64.powi(length) * if length <= 2 { 2.0 } else { 1.0 }
        }
    }
}

/// The chance that the digits of another address agree as these do; `None` where they do not agree.
fn digits_agreement(left: &str, right: &str) -> Option<f64> {
    if left == right {
        return Some(digits_share(left));
    }
    let near = left.len().min(right.len()) >= 2
        && osa_within(left, right, 1)
        && (left.len() != right.len() || left.len() >= 3);
    let lesser = if (left.len(), left) <= (right.len(), right) { left } else { right };
    near.then(|| 4.0 * digits_share(lesser))
}

/// Whether the letters differ by a slip, and not because they spell two other names.
fn nearly(left: &EmailParts, right: &EmailParts) -> bool {
    let length = left.letters().len().min(right.letters().len());
    let limit = if length >= 6 { 2 } else { 1 };
    let two_names = left.rest().is_empty()
        && right.rest().is_empty()
        && left.part(Part::Names) != right.part(Part::Names)
        && left.names().count() == right.names().count();
    length >= 4 && !two_names && osa_within(left.letters(), right.letters(), limit)
}
