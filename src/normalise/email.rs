//! Which mailbox does an address reach, and can it be written to?
//!
//! The key is what all spellings of one mailbox share: lower case, display name and `mailto:` cut,
//! dots and plus-tags folded where the provider ignores them, domain in punycode. The provider
//! tables are public knowledge (Gmail ignores dots; `me.com` is iCloud). Misspelt domains
//! (`gmial.com`) stay: repairing them is a matching decision. Of two addresses in one field the
//! first counts.

use std::borrow::Cow;

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

use super::text::{Lines, clean, is_monotone, says_nothing};
use super::{lexicon, syntax, value_of};

/// Local parts that are nobody's mailbox, whatever the domain.
const NOBODY: [&str; 42] = [
    "a",
    "aa",
    "aaa",
    "abc",
    "admin",
    "anon",
    "anonymous",
    "asd",
    "asdf",
    "customer",
    "declined",
    "do-not-reply",
    "donotreply",
    "example",
    "fake",
    "guest",
    "info",
    "na",
    "nil",
    "no",
    "no-email",
    "no-reply",
    "nobody",
    "noemail",
    "nomail",
    "none",
    "none1",
    "noreply",
    "notprovided",
    "null",
    "qwerty",
    "refused",
    "sample",
    "test",
    "testing",
    "unknown",
    "user",
    "x",
    "xx",
    "xxx",
    "xxxx",
    "xyz",
];

/// What people put around an address.
const WRAPPING: [char; 5] = ['"', '\'', '(', '[', ' '];

/// What an e-mail field holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Email {
    /// The same for all spellings of one mailbox: `local@domain`, lower case, the domain in ASCII.
    pub key: String,
    /// The address as it can be written to, lower case; None if mail servers would refuse it.
    pub address: Option<String>,
    /// Whether the address had to be mended.
    pub repaired: bool,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEmail {
    /// It says "nothing here", or is nobody's mailbox.
    Placeholder,
    /// It is not of an address's form.
    Unreadable,
}

/// Reads the e-mail of a record.
pub(super) fn read(raw: &RawIdentity, out: &mut Normalised) {
    let Some(value) = value_of(raw, RawField::Email, Field::Email, out) else { return };
    match email(value) {
        Ok(email) => {
            let domain = email.key.rsplit_once('@').map_or("", |(_, domain)| domain);
            if lexicon::is_disposable(domain) {
                out.issues.push(Issue::Disposable);
            }
            if email.repaired {
                out.issues.push(Issue::Repaired(Field::Email));
            }
            out.identity.set(Field::Email, &email.key);
            out.presented.email = email.address;
        }
        Err(NoEmail::Placeholder) => out.issues.push(Issue::Placeholder(Field::Email)),
        Err(NoEmail::Unreadable) => out.issues.push(Issue::Unreadable(Field::Email)),
    }
}

/// Reads an address.
///
/// **Errors:** why it is none.
pub fn email(raw: &str) -> Result<Email, NoEmail> {
    let Mailbox { key, written, repaired } = mailbox(raw)?;
    Ok(Email { key, address: syntax::is_valid(&written).then_some(written), repaired })
}

/// The key of an address; `None` where it is none.
pub fn key(raw: &str) -> Option<String> {
    mailbox(raw).ok().map(|mailbox| mailbox.key)
}

/// What an address says, whether it can be written to or not.
struct Mailbox {
    key: String,
    written: String,
    repaired: bool,
}

fn mailbox(raw: &str) -> Result<Mailbox, NoEmail> {
    let mut mailbox = read_once(raw)?;
    // What is left of a text with several addresses, schemes or codings in it may read as yet another one.
    for _ in 0..READ_AGAIN_MAX {
        if mailbox.key.bytes().all(is_plain) {
            return Ok(mailbox);
        }
        let again = read_once(&mailbox.key)?;
        if again.key == mailbox.key {
            return Ok(mailbox);
        }
        mailbox = Mailbox { repaired: mailbox.repaired || again.repaired, ..again };
    }
    Err(NoEmail::Unreadable)
}

/// How often an address may read as another one.
const READ_AGAIN_MAX: usize = 4;

/// Whether a byte stands for nothing but itself in an address.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"@._+-".contains(&byte)
}

fn read_once(raw: &str) -> Result<Mailbox, NoEmail> {
    let text = clean(raw, Lines::Join);
    let Some(address) = bare(&text.text) else {
        let nothing = says_nothing(&text.text);
        return Err(if nothing { NoEmail::Placeholder } else { NoEmail::Unreadable });
    };
    let mended = text.repaired || address.comma;
    let local = address.local.to_lowercase();
    // A second `@` is no domain's, and no local part goes on beyond the first.
    if local.is_empty() || local.contains(char::is_whitespace) {
        return Err(NoEmail::Unreadable);
    }
    let domain = ascii_domain(&address.domain).ok_or(NoEmail::Unreadable)?;
    let (folded, home) = fold(&local, &domain);
    let folded = folded.trim_matches(WRAPPING);
    if folded.is_empty() {
        return Err(NoEmail::Unreadable);
    }
    if is_nobody(folded, home) {
        return Err(NoEmail::Placeholder);
    }
    Ok(Mailbox {
        key: format!("{folded}@{home}"),
        written: format!("{local}@{domain}"),
        repaired: mended || domain == "googlemail.com",
    })
}

/// An address without what people write around it.
struct Bare<'a> {
    local: &'a str,
    domain: Cow<'a, str>,
    /// Whether a comma stood for a dot in the domain.
    comma: bool,
}

/// Cuts display name, brackets, `mailto:` and everything after the first address. None without an
/// `@`.
fn bare(text: &str) -> Option<Bare<'_>> {
    let mut rest = match text.rsplit_once('<') {
        Some((_, inner)) if inner.contains('@') => inner.split('>').next().unwrap_or(inner),
        Some((before, _)) => before,
        None => text,
    };
    while let Some(scheme) = rest.get(..7)
        && scheme.eq_ignore_ascii_case("mailto:")
    {
        rest = rest[7..].trim_start();
    }
    let at = rest.find('@')?;
    // The local part is the last word before the `@`, unless only space stands between them.
    let local = rest[..at].trim();
    let local = local.rsplit([',', ';']).next().unwrap_or(local).trim_start();
    let (domain, comma) = domain_of(rest[at + 1..].trim_start());
    let local = local.trim_matches(WRAPPING);
    Some(Bare { local, domain, comma })
}

/// The domain up to the first break; a comma inside a word (`gmail,com`) is a dot.
fn domain_of(text: &str) -> (Cow<'_, str>, bool) {
    let word = text.split([' ', ';', '>', '"', '\'', ')', ']', '?', '|']).next().unwrap_or(text);
    let word = word.trim_end_matches(['.', ',']);
    match word.split_once(',') {
        None => (word.into(), false),
        Some((first, second)) if second.contains('@') => (first.into(), false),
        Some(_) => (word.replace(',', ".").into(), true),
    }
}

/// The domain in lower-case ASCII; None if it is not of a domain's form.
fn ascii_domain(domain: &str) -> Option<String> {
    let domain = if domain.is_ascii() {
        domain.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(domain).ok()?
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let labels = domain.split('.').count();
    (labels > 1 && domain.len() <= 253 && domain.split('.').all(is_label)).then_some(domain)
}

/// Folds what the provider ignores: the mailbox's local part, and the provider's first domain.
fn fold<'a>(local: &'a str, domain: &'a str) -> (Cow<'a, str>, &'a str) {
    let untagged = || local.split('+').next().unwrap_or(local);
    match domain {
        "gmail.com" | "googlemail.com" => (untagged().replace('.', "").into(), "gmail.com"),
        "icloud.com" | "me.com" | "mac.com" => (untagged().into(), "icloud.com"),
        "fastmail.com" | "fastmail.fm" | "hey.com" | "pm.me" | "proton.me" | "protonmail.ch"
        | "protonmail.com" | "zoho.com" => (untagged().into(), domain),
        _ if is_microsoft(domain) => (untagged().into(), domain),
        _ if is_yahoo(domain) => {
            let alias = local.split('-').next().filter(|name| !name.is_empty());
            (alias.unwrap_or(local).into(), domain)
        }
        _ => (local.into(), domain),
    }
}

fn is_microsoft(domain: &str) -> bool {
    let provider = domain.split('.').next().unwrap_or(domain);
    matches!(provider, "hotmail" | "live" | "outlook" | "msn") && lexicon::is_free_mail(domain)
}

fn is_yahoo(domain: &str) -> bool {
    matches!(domain, "ymail.com" | "rocketmail.com")
        || (domain.starts_with("yahoo.") && lexicon::is_free_mail(domain))
}

/// `test@…`, `none@none.com`, `123@123.com`, `000000@…`.
fn is_nobody(local: &str, domain: &str) -> bool {
    let host = domain.split('.').next().unwrap_or(domain);
    NOBODY.binary_search(&local).is_ok()
        || (local.starts_with("noreply") || local.starts_with("no-reply"))
        || (local == host && (says_nothing(local) || local.bytes().all(|b| b.is_ascii_digit())))
        || (local.bytes().all(|b| b == b'0') && is_monotone(local))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::vectors;

    #[test]
    fn spellings_of_one_mailbox_share_a_key() {
        // Deliberately different: a comma in a domain is mended, since that is how `gmail,com` is
        // typed.
        let known = ["jane@example,org"];
        let mut failed = vec![];
        let rows = vectors("emails_identity.csv");
        for row in rows.iter().filter(|row| !known.contains(&&row[0])) {
            let key = email(&row[0]).map(|e| e.key).unwrap_or_default();
            if key != row[1] {
                failed.push(format!("{:?}: {key:?}, not {:?}", &row[0], &row[1]));
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn syntax_follows_the_standard() {
        let rows = vectors("emails_syntax.csv");
        // Deliberately different: RFC 5321's 64 bytes hold for the local part, and a domain has two
        // labels.
        let differs = |raw: &str| raw.find('@').is_some_and(|at| at > 64) || raw.ends_with("@test");
        let wrong: Vec<_> = rows
            .iter()
            .filter(|row| !differs(&row[0]) && syntax::is_valid(&row[0]) != (&row[1] == "1"))
            .collect();
        assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), rows.len());
    }

    #[test]
    fn mends_what_is_certain() {
        for (raw, key) in [
            ("jane@gmail,com", "jane@gmail.com"),
            ("J.ane+x@GoogleMail.com", "jane@gmail.com"),
            ("jane @example.org", "jane@example.org"),
        ] {
            assert_eq!(email(raw).map(|e| e.key), Ok(key.into()), "{raw}");
        }
        let email = email("J.Doe+shop@Gmail.com").expect("an address");
        assert_eq!(email.address.as_deref(), Some("j.doe+shop@gmail.com"));
        assert!(!email.repaired);
    }

    #[test]
    fn what_is_left_of_many_addresses_is_read_again() {
        for (raw, key) in [
            ("e.o<jane@example.org<x;y", "jane@example.org"),
            ("x,mailto:jane@example.org", "jane@example.org"),
            ("Ж <ã‚¢@example.org>", "ア@example.org"),
            ("e\u{0}\u{301}@example.org", "é@example.org"),
        ] {
            assert_eq!(email(raw).map(|e| e.key), Ok(key.into()), "{raw}");
        }
    }

    #[test]
    fn placeholders_are_nobody() {
        assert!(NOBODY.is_sorted());
        for raw in [
            "test@test.com",
            "none@none.com",
            "noemail@noemail.com",
            "na@na.com",
            "a@a.com",
            "N/A",
            "customer@store.com",
            "noreply@store.com",
            "-",
            "unknown",
        ] {
            assert_eq!(email(raw), Err(NoEmail::Placeholder), "{raw}");
        }
        for raw in
            ["jane", "jane@@example.org", "@example.org", "jane@example", "john smith@gmail.com"]
        {
            assert_eq!(email(raw), Err(NoEmail::Unreadable), "{raw}");
        }
    }
}
