//! Japanese syllables after Hepburn, long vowels short, as most bearers write them (`さとう` sato, `ゆうこ` yuko).

/// Spells one word of hiragana or katakana.
pub(super) fn spell(letters: &[char]) -> String {
    let letters: Vec<char> = letters.iter().map(|c| hiragana(*c)).collect();
    let mut out = String::with_capacity(letters.len() * 2);
    let mut doubled = false;
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        at += 1;
        if letter == 'っ' {
            doubled = true;
            continue;
        }
        let mut syllable = of_letter(letter).to_owned();
        if let Some(vowel) = letters.get(at).and_then(|small| small_vowel(*small)) {
            contract(&mut syllable, vowel);
            at += 1;
        }
        if std::mem::take(&mut doubled)
            && let Some(first) = syllable.chars().next().filter(|c| !is_vowel(*c))
        {
            // `tch`, not `cch`.
            out.push(if first == 'c' { 't' } else { first });
        }
        // `いのうえ` is inoue: the `u` belongs to what follows.
        let own = letters.get(at) == Some(&'え');
        let lengthens =
            matches!((out.chars().last(), &*syllable), (Some('o'), "o" | "u") | (Some('u'), "u"))
                && !own;
        if !lengthens {
            out.push_str(&syllable);
        }
    }
    out
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// Katakana and hiragana stand in one order, 0x60 apart.
fn hiragana(c: char) -> char {
    match c {
        '\u{30a1}'..='\u{30f6}' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        other => other,
    }
}

/// The vowel of a small letter that contracts with the syllable before it.
fn small_vowel(c: char) -> Option<&'static str> {
    Some(match c {
        'ゃ' => "ya",
        'ゅ' => "yu",
        'ょ' => "yo",
        'ぁ' => "a",
        'ぃ' => "i",
        'ぅ' => "u",
        'ぇ' => "e",
        'ぉ' => "o",
        _ => return None,
    })
}

/// `ki` and `ya` are `kya`, `shi` and `yo` are `sho`, `fu` and `a` are `fa`.
fn contract(syllable: &mut String, vowel: &str) {
    let last = syllable.pop();
    if last.is_none() {
        syllable.push_str(vowel);
        return;
    }
    let keeps = !matches!(&**syllable, "sh" | "ch" | "j") && last == Some('i');
    syllable.push_str(if keeps { vowel } else { vowel.trim_start_matches('y') });
}

fn of_letter(letter: char) -> &'static str {
    match letter {
        'あ' | 'ぁ' => "a",
        'い' | 'ぃ' | 'ゐ' => "i",
        'う' | 'ぅ' => "u",
        'え' | 'ぇ' | 'ゑ' => "e",
        'お' | 'ぉ' | 'を' => "o",
        'か' | 'ゕ' => "ka",
        'き' => "ki",
        'く' => "ku",
        'け' | 'ゖ' => "ke",
        'こ' => "ko",
        'が' => "ga",
        'ぎ' => "gi",
        'ぐ' => "gu",
        'げ' => "ge",
        'ご' => "go",
        'さ' => "sa",
        'し' => "shi",
        'す' => "su",
        'せ' => "se",
        'そ' => "so",
        'ざ' => "za",
        'じ' | 'ぢ' => "ji",
        'ず' | 'づ' => "zu",
        'ぜ' => "ze",
        'ぞ' => "zo",
        'た' => "ta",
        'ち' => "chi",
        'つ' => "tsu",
        'て' => "te",
        'と' => "to",
        _ => of_later_letter(letter),
    }
}

/// The voiced ones of the `t` row, and the rows behind it.
fn of_later_letter(letter: char) -> &'static str {
    match letter {
        'だ' => "da",
        'で' => "de",
        'ど' => "do",
        'な' => "na",
        'に' => "ni",
        'ぬ' => "nu",
        'ね' => "ne",
        'の' => "no",
        'は' => "ha",
        'ひ' => "hi",
        'ふ' => "fu",
        'へ' => "he",
        'ほ' => "ho",
        'ば' => "ba",
        'び' => "bi",
        'ぶ' => "bu",
        'べ' => "be",
        'ぼ' => "bo",
        'ぱ' => "pa",
        'ぴ' => "pi",
        'ぷ' => "pu",
        'ぺ' => "pe",
        'ぽ' => "po",
        'ま' => "ma",
        'み' => "mi",
        'む' => "mu",
        'め' => "me",
        'も' => "mo",
        'や' | 'ゃ' => "ya",
        'ゆ' | 'ゅ' => "yu",
        'よ' | 'ょ' => "yo",
        'ら' => "ra",
        'り' => "ri",
        'る' => "ru",
        'れ' => "re",
        'ろ' => "ro",
        'わ' | 'ゎ' => "wa",
        'ん' => "n",
        'ゔ' => "vu",
        _ => "",
    }
}
