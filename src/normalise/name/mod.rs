//! Which names does a person's name hold?
//!
//! Given name and surname come out as one token each, `a`–`z`: `Mary-Jane` is `maryjane`, `O'Brien` is `obrien`, titles
//! and suffixes are gone. A full name is split (`SMITH/JOHN`, `Smith, John`, `Dr John M. Smith Jr`, see `order`); its
//! middle words, and other names beside it (`née Jones`, `(Bill)`, see `asides`), become name tokens. Particles (`la`,
//! `der`) stay with the surname that follows, so that `Anna von der Heide` and the column `von der Heide` agree. A lone
//! word is a surname, unless it is beyond doubt two names (`glued`). Deliberately absent: guessing the order of
//! `Smith John`; the scorer compares names crosswise.

mod asides;
mod glued;
mod native;
mod order;
mod words;

use std::collections::BTreeSet;

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

use super::organisation::without_legal_form;
use super::text::{Lines, clean};
use super::value_of;
use asides::without_asides;
use words::{
    all_tokens, glued_with_particles, has_word, is_noble_name, is_placeholder, is_title, shown,
    words,
};

/// One name: what is compared, and how its bearer writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// `a`–`z`, not empty.
    pub token: String,
    /// In its own script and case.
    pub shown: String,
}

/// What a full name holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullName {
    /// The given name.
    pub given: Option<Name>,
    /// The surname.
    pub surname: Option<Name>,
    /// Middle names, former names and the words of compound names, each `a`–`z` and longer than one letter.
    pub tokens: BTreeSet<String>,
}

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoName {
    /// It says "nothing here".
    Placeholder,
    /// It holds no letters but titles.
    Unreadable,
}

/// Reads the name fields of a record.
pub(super) fn read(raw: &RawIdentity, out: &mut Normalised) {
    let mut tokens = BTreeSet::new();
    let parts = [(RawField::GivenName, Field::Given), (RawField::Surname, Field::Surname)];
    for (raw_field, field) in parts {
        let Some(value) = value_of(raw, raw_field, field, out) else { continue };
        let text = clean(value, Lines::Join);
        match part(&text.text) {
            Ok(name) => {
                tokens.extend(part_tokens(&text.text));
                set(out, field, name);
                repaired(text.repaired, field, out);
            }
            Err(why) => out.issues.push(issue(why, field)),
        }
    }
    if let Some(value) = value_of(raw, RawField::MiddleName, Field::Given, out) {
        tokens.extend(all_tokens(&clean(value, Lines::Join).text));
    }
    if let Some(value) = value_of(raw, RawField::FullName, Field::Surname, out) {
        let text = clean(value, Lines::Join);
        let [given, surname] =
            [Field::Given, Field::Surname].map(|f| out.identity.value(f).map(str::to_owned));
        match full(&text.text) {
            Ok(name) => {
                // Columns that were cut from it mechanically may hold a title (`Sir`, `Baronet`) for a name.
                let fits = |own: &Option<String>, other: &Option<String>, name: &Name| {
                    own.is_none() && other.as_deref() != Some(name.token.as_str())
                };
                if given.is_some() || surname.is_some() {
                    tokens.extend(all_tokens(&text.text));
                } else {
                    repaired(text.repaired, Field::Surname, out);
                }
                tokens.extend(name.tokens);
                name.given
                    .filter(|n| fits(&given, &surname, n))
                    .into_iter()
                    .for_each(|n| set(out, Field::Given, n));
                name.surname
                    .filter(|n| fits(&surname, &given, n))
                    .into_iter()
                    .for_each(|n| set(out, Field::Surname, n));
            }
            Err(why) => out.issues.push(issue(why, Field::Surname)),
        }
    }
    let [given, surname] = [Field::Given, Field::Surname].map(|f| out.identity.value(f));
    tokens.retain(|t| Some(t.as_str()) != given && Some(t.as_str()) != surname);
    out.identity.name_tokens = tokens.into_iter().map(Into::into).collect();
}

fn set(out: &mut Normalised, field: Field, name: Name) {
    out.identity.set(field, &name.token);
    match field {
        Field::Given => out.presented.given = Some(name.shown),
        _ => out.presented.surname = Some(name.shown),
    }
}

fn issue(why: NoName, field: Field) -> Issue {
    match why {
        NoName::Placeholder => Issue::Placeholder(field),
        NoName::Unreadable => Issue::Unreadable(field),
    }
}

fn repaired(repaired: bool, field: Field, out: &mut Normalised) {
    if repaired {
        out.issues.push(Issue::Repaired(field));
    }
}

/// Reads a given name or a surname that stands alone; all its words are one token.
///
/// **Errors:** why it is no name.
pub fn part(text: &str) -> Result<Name, NoName> {
    bare_part(without_legal_form(&without_asides(text, 1)))
}

/// Reads a name that has no asides.
fn bare_part(text: &str) -> Result<Name, NoName> {
    let words = words(text);
    let token: String = words.iter().map(|w| w.letters.as_str()).collect();
    if token.is_empty() {
        let nothing = !text.chars().any(char::is_alphanumeric);
        return Err(if nothing { NoName::Placeholder } else { NoName::Unreadable });
    }
    if is_placeholder(&token) || words.iter().all(|w| is_placeholder(&w.letters)) {
        return Err(NoName::Placeholder);
    }
    // Letters that only glued together make a title would be one when read again.
    if is_title(&token) && !is_noble_name(&token) {
        return Err(NoName::Unreadable);
    }
    Ok(Name { token, shown: shown(text) })
}

/// The words by which somebody who bears a given name or a surname is found: all of it as one word, and each that may
/// be a name for itself; none where it is no name.
pub fn known_words(text: &str) -> BTreeSet<String> {
    plain_word(text).map_or_else(|| words_of(text), |word| BTreeSet::from([word]))
}

fn words_of(text: &str) -> BTreeSet<String> {
    let Ok(name) = part(text) else { return BTreeSet::new() };
    let mut words = part_tokens(text);
    words.insert(name.token);
    words
}

/// The token of a name that is nothing but one word in `a`–`z`, as nearly all are; `None` where more is to be looked at.
fn plain_word(text: &str) -> Option<String> {
    let token = text.to_ascii_lowercase();
    let plain = token.len() > 1
        && token.bytes().all(|b| b.is_ascii_lowercase())
        && !is_title(&token)
        && !is_placeholder(&token)
        && glued::split(text).is_none();
    plain.then_some(token)
}

/// The words of a full name that somebody asks for: the given name, the surname, and those between; none where it is
/// no name.
pub fn asked_words(text: &str) -> Vec<String> {
    let Ok(name) = full(&clean(text, Lines::Join).text) else { return Vec::new() };
    let main = [name.given, name.surname].into_iter().flatten().map(|name| name.token);
    let mut words: Vec<String> = main.collect();
    words.extend(name.tokens);
    words
}

/// Splits a full name.
///
/// **Errors:** why it is no name.
pub fn full(text: &str) -> Result<FullName, NoName> {
    let main = without_asides(text, 2);
    let main = joined_hyphens(without_legal_form(&main));
    bare_part(&main)?;
    let parts = order::parts(&main);
    let glued = parts.surname.as_deref().and_then(glued_with_particles);
    let tokens =
        if parts.one_word { BTreeSet::new() } else { all_tokens(without_legal_form(text)) };
    let mut name = FullName {
        given: parts.given.and_then(|given| bare_part(&given).ok()),
        surname: parts.surname.and_then(|surname| bare_part(&surname).ok()),
        tokens,
    };
    name.tokens.extend(glued);
    name.drop_own_tokens();
    Ok(name)
}

/// `Smith - Jones` is `Smith-Jones`, unless a comma has the hyphen part something else.
fn joined_hyphens(text: &str) -> String {
    if text.contains(',') || !text.contains('-') {
        return text.to_owned();
    }
    let joined = text.replace(" -", "-").replace("- ", "-");
    if has_word(&joined) { joined } else { text.to_owned() }
}

impl FullName {
    fn drop_own_tokens(&mut self) {
        let own = [&self.given, &self.surname];
        self.tokens.retain(|t| own.iter().all(|n| n.as_ref().is_none_or(|n| n.token != *t)));
    }
}

/// The words of a compound name, former names, both halves of what is written as one word; none of a simple name.
fn part_tokens(text: &str) -> BTreeSet<String> {
    let mut tokens = all_tokens(text);
    tokens.extend(glued_with_particles(&without_asides(text, 1)));
    if let Some((given, surname)) = glued::split(text) {
        tokens.extend([given, surname].map(str::to_ascii_lowercase));
    }
    tokens
}

#[cfg(test)]
mod tests;
