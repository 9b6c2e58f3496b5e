//! How is a word of another script written in Latin letters?
//!
//! A table of letters alone (`deunicode`) gives `Iuliia` for Юлия, `satou` for さとう and `Ioannes` for Ιωάννης, which
//! nobody signs with. The rules here give what passports and their bearers write, so that one person's spellings are
//! equal or an edit apart. Scripts without rules of their own keep the table's spelling.

mod cyrillic;
mod greek;
mod kana;

/// The scripts that have rules of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Cyrillic,
    Greek,
    Kana,
}

fn script(c: char) -> Option<Script> {
    match c {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Script::Greek),
        '\u{400}'..='\u{52f}' => Some(Script::Cyrillic),
        '\u{3041}'..='\u{3096}'
        | '\u{309d}'
        | '\u{309e}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30fe}' => Some(Script::Kana),
        _ => None,
    }
}

/// Splits `text` after a beginning of one script with rules, and spells that beginning in lower-case Latin letters;
/// None where `text` begins otherwise.
///
/// A beginning is a word or a part of one, so that rules about the ends of words hold.
pub(super) fn spell_beginning(text: &str) -> Option<(String, &str)> {
    let first = script(text.chars().next()?)?;
    let end = text.find(|c| script(c) != Some(first)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    let spelt = match first {
        Script::Cyrillic => cyrillic::spell(&letters),
        Script::Greek => greek::spell(&letters),
        Script::Kana => kana::spell(&letters),
    };
    Some((spelt, rest))
}

#[cfg(test)]
mod tests;
