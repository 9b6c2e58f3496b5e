//! Would a mail server take an address of this form?
//!
//! RFC 5321 and 6531 without quoted local parts, address literals and comments, which nobody's
//! customers have.

use unicode_normalization::UnicodeNormalization;

use super::text::is_invisible;

/// Top-level names that no mail is delivered to (RFC 2606, 6761, 7686).
const RESERVED: [&str; 7] =
    ["arpa", "example", "invalid", "local", "localhost", "onion", "localdomain"];

/// Whether `address` is a bare, deliverable `local@domain`.
pub(super) fn is_valid(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let Some(ascii) = ascii_domain(domain) else { return false };
    let composed: String = local.nfc().collect();
    is_local(local)
        && is_local(&composed)
        && is_domain(&ascii)
        && local.len().max(composed.len()) + 1 + ascii.len() <= 254
}

/// Dots stand only between atoms; at most 64 bytes.
fn is_local(local: &str) -> bool {
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_atom(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    // What a bracket and a stroke compose to is no letter.
    !matches!(c, '\u{226e}' | '\u{226f}')
        && !c.is_control()
        && !c.is_whitespace()
        && !('\u{e000}'..='\u{f8ff}').contains(&c)
}

/// The domain in ASCII; None where dots or letters are not what they seem.
fn ascii_domain(domain: &str) -> Option<String> {
    let other_dot = |c| matches!(c, '\u{ff0e}' | '\u{3002}' | '\u{ff61}');
    if domain.chars().any(|c| other_dot(c) || is_invisible(c)) {
        return None;
    }
    idna::domain_to_ascii_strict(domain).ok()
}

fn is_domain(ascii: &str) -> bool {
    let labels: Vec<&str> = ascii.split('.').collect();
    let Some(&top) = labels.last() else { return false };
    labels.len() > 1
        && ascii.len() <= 253
        && labels.iter().all(|label| is_label(label))
        && top.bytes().any(|b| b.is_ascii_alphabetic())
        && (top.starts_with("xn--") || !top.ends_with(|c: char| c.is_ascii_digit()))
        && !RESERVED.contains(&top)
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let reserved_hyphens = bytes.get(2..4) == Some(b"--") && !label.starts_with("xn--");
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !reserved_hyphens
}
