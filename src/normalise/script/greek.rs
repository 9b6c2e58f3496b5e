//! Greek names after the standard of Greek passports (ELOT 743), without its `γκ` at the beginning.

use unicode_normalization::UnicodeNormalization;

/// Spells one word of lower-case letters.
pub(super) fn spell(letters: &[char]) -> String {
    let letters = without_accents(letters);
    let mut out = String::with_capacity(letters.len() * 2);
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let after = letters.get(at + 1).copied();
        if let Some(pair) =
            after.and_then(|after| pair(letter, after, at == 0, letters.get(at + 2).copied()))
        {
            out.push_str(pair);
            at += 2;
        } else {
            out.push_str(of_letter(letter));
            at += 1;
        }
    }
    out
}

/// Accents off; a vowel under a diaeresis forms no pair with the one before it, which `ι` and `υ` in their Latin form
/// see to.
fn without_accents(letters: &[char]) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(letters.len());
    for c in letters.iter().copied().nfd() {
        match c {
            '\u{308}' => {
                if let Some(last) = out.last_mut() {
                    *last = if *last == 'υ' { 'y' } else { 'i' };
                }
            }
            '\u{300}'..='\u{36f}' => {}
            'ς' => out.push('σ'),
            other => out.push(other),
        }
    }
    out
}

/// Two letters that are one sound.
fn pair(first: char, second: char, is_first: bool, after: Option<char>) -> Option<&'static str> {
    // A vowel or a voiced consonant follows.
    let voiced = matches!(
        after,
        Some(
            'α' | 'β'
                | 'γ'
                | 'δ'
                | 'ε'
                | 'ζ'
                | 'η'
                | 'ι'
                | 'λ'
                | 'μ'
                | 'ν'
                | 'ο'
                | 'ρ'
                | 'υ'
                | 'ω'
        )
    );
    Some(match (first, second) {
        ('ο', 'υ') => "ou",
        ('α', 'υ') => {
            if voiced {
                "av"
            } else {
                "af"
            }
        }
        ('ε', 'υ') => {
            if voiced {
                "ev"
            } else {
                "ef"
            }
        }
        ('η', 'υ') => {
            if voiced {
                "iv"
            } else {
                "if"
            }
        }
        ('γ', 'γ') => "ng",
        ('γ', 'ξ') => "nx",
        ('γ', 'χ') => "nch",
        ('γ', 'κ') if is_first => "g",
        ('μ', 'π') if is_first => "b",
        ('ν', 'τ') if is_first => "d",
        _ => return None,
    })
}

fn of_letter(letter: char) -> &'static str {
    match letter {
        'α' => "a",
        'β' => "v",
        'γ' => "g",
        'δ' => "d",
        'ε' => "e",
        'ζ' => "z",
        'η' | 'ι' | 'i' => "i",
        'θ' => "th",
        'κ' => "k",
        'λ' => "l",
        'μ' => "m",
        'ν' => "n",
        'ξ' => "x",
        'ο' | 'ω' => "o",
        'π' => "p",
        'ρ' => "r",
        'σ' => "s",
        'τ' => "t",
        'υ' | 'y' => "y",
        'φ' => "f",
        'χ' => "ch",
        'ψ' => "ps",
        _ => "",
    }
}
