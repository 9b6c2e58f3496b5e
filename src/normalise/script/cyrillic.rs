//! Russian, Ukrainian, Bulgarian and Serbian names as their bearers write them in Latin letters.
//!
//! Of the usual romanisations the shortest common one: `ия` is `ia`, a last `ий` and `ый` is `y`, the soft sign is
//! nothing (`Юлия` yulia, `Дмитрий` dmitry, `Сергій` serhiy). Letters that only one language has tell which it is; a
//! word without any is read as Russian.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Russian,
    Ukrainian,
    Bulgarian,
    Serbian,
}

fn language(letters: &[char]) -> Language {
    let has = |known: &[char]| letters.iter().any(|c| known.contains(c));
    if has(&['і', 'ї', 'є', 'ґ']) {
        return Language::Ukrainian;
    }
    if has(&['ђ', 'ћ', 'љ', 'њ', 'ј', 'џ', 'ѓ', 'ќ', 'ѕ']) {
        return Language::Serbian;
    }
    // Elsewhere the hard sign only stands before a soft vowel.
    let is_vowel = |at: usize| {
        letters[at] == 'ъ' && !matches!(letters.get(at + 1), Some('е' | 'ё' | 'ю' | 'я'))
    };
    if (0..letters.len()).any(is_vowel) { Language::Bulgarian } else { Language::Russian }
}

/// Spells one word of lower-case letters.
pub(super) fn spell(letters: &[char]) -> String {
    let language = language(letters);
    let mut out = String::with_capacity(letters.len() * 2);
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let (before, after) =
            (at.checked_sub(1).map(|at| letters[at]), letters.get(at + 1).copied());
        let is_last = at + 2 == letters.len();
        // A last `ий`, `ый`: one letter.
        if is_last && matches!((letter, after), ('и' | 'ы', Some('й'))) {
            out.push('y');
            break;
        }
        out.push_str(match letter {
            'ь' => soft_sign(after),
            'я' if matches!(before, Some('и' | 'і' | 'ї')) => "a",
            'ю' if matches!(before, Some('и' | 'і' | 'ї')) => "u",
            'ї' if before.is_none() => "yi",
            'є' if before.is_none() => "ye",
            _ => of_language(language, letter).unwrap_or_else(|| of_letter(letter)),
        });
        at += 1;
    }
    out
}

/// `Соловьёв` is `soloviev`, `Илья` is `ilya`.
fn soft_sign(after: Option<char>) -> &'static str {
    match after {
        Some('е' | 'ё' | 'є') => "i",
        _ => "",
    }
}

/// A letter that this language writes in its own way.
fn of_language(language: Language, letter: char) -> Option<&'static str> {
    Some(match (language, letter) {
        (Language::Ukrainian, 'г') => "h",
        (Language::Ukrainian, 'и') => "y",
        (Language::Bulgarian, 'ъ') => "a",
        (Language::Bulgarian, 'щ') => "sht",
        (Language::Bulgarian, 'х') | (Language::Serbian, 'х') => "h",
        (Language::Serbian, 'ж') => "z",
        (Language::Serbian, 'ц' | 'ч') => "c",
        (Language::Serbian, 'ш') => "s",
        _ => return None,
    })
}

fn of_letter(letter: char) -> &'static str {
    match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' | 'ѓ' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' | 'ѐ' | 'ѣ' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' | 'ї' | 'ѝ' => "i",
        'й' | 'ы' => "y",
        'к' | 'ќ' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ў' => "w",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ю' => "yu",
        'я' => "ya",
        'є' => "ie",
        'ђ' => "dj",
        'ћ' => "c",
        'љ' => "lj",
        'њ' => "nj",
        'ј' => "j",
        'џ' => "dz",
        'ѕ' => "dz",
        _ => "",
    }
}
