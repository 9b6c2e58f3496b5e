//! Names in scripts whose letters do not say how their bearers spell them: Han, Hangul, Arabic, Hebrew.
//!
//! A letter table reads 佐藤 as Chinese (`zuoteng`) and محمد without its vowels (`mhmd`). The common names are listed
//! instead; for what is not listed the letter table's spelling stays. The script also tells the order: surname first,
//! unless the lists say otherwise.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization;

/// Chinese surnames of one character, in both their forms.
const CHINESE: &str = "王李张张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔\
    钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤\
    張劉陳楊黃趙吳孫馬鄭謝許韓馮鄧蕭蔣葉蘇魏呂盧鍾譚陸賈韋鄒龍賀顧龔萬錢嚴湯羅";

/// The Latin spelling of one listed word.
pub(super) fn spelling(word: &str) -> Option<&'static str> {
    if word.is_ascii()
        || !word.chars().any(|c| is_east_asian(c) || matches!(c, '\u{590}'..='\u{6ff}'))
    {
        return None;
    }
    let composed: String = word.chars().filter(|c| c.is_alphabetic()).nfkc().collect();
    let tables = tables();
    [&tables.surnames, &tables.given, &tables.others]
        .iter()
        .find_map(|table| table.get(composed.as_str()))
        .copied()
}

/// Surname and given name of a text that is all in East Asian script.
pub(super) fn in_order(text: &str) -> Option<(&str, &str)> {
    if text.is_ascii() || !text.chars().filter(|c| c.is_alphabetic()).all(is_east_asian) {
        return None;
    }
    let text = text.trim_end_matches(['様', '氏']).trim_end();
    if let Some((given, surname)) = text.split_once('・') {
        // A foreign name in katakana.
        return Some((surname, given));
    }
    let tables = tables();
    let is_surname = |word: &str| tables.surnames.contains_key(word) || is_chinese_surname(word);
    match text.split_once(' ') {
        Some((first, second)) if !second.contains(' ') => {
            let western = is_surname(second) && !is_surname(first);
            Some(if western { (second, first) } else { (first, second) })
        }
        Some(_) => None,
        None => in_one(text, &tables.surnames),
    }
}

/// Parts a word without a space: behind a listed surname, the longest.
fn in_one<'a>(word: &'a str, surnames: &FxHashMap<&str, &str>) -> Option<(&'a str, &'a str)> {
    let count = word.chars().count();
    if !(2..=6).contains(&count) || surnames.contains_key(word) {
        return None;
    }
    let cuts = word.char_indices().map(|(at, _)| at).skip(1).collect::<Vec<_>>();
    let listed = cuts.iter().rev().find(|&&at| surnames.contains_key(&word[..at]));
    let chinese = || cuts.first().filter(|&&at| count <= 3 && is_chinese_surname(&word[..at]));
    let at = *listed.or_else(chinese)?;
    Some(word.split_at(at))
}

fn is_chinese_surname(word: &str) -> bool {
    let mut chars = word.chars();
    let Some(first) = chars.next() else { return false };
    chars.next().is_none() && CHINESE.contains(first)
}

fn is_east_asian(c: char) -> bool {
    let kana = matches!(c, '\u{3041}'..='\u{30ff}' | '々');
    let han = matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
    kana || han || matches!(c, '\u{ac00}'..='\u{d7a3}')
}

struct Tables {
    /// Japanese and Korean.
    surnames: FxHashMap<&'static str, &'static str>,
    /// Japanese.
    given: FxHashMap<&'static str, &'static str>,
    /// Arabic and Hebrew, of both kinds.
    others: FxHashMap<&'static str, &'static str>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let of = |kinds: &[&str]| {
            let rows = include_str!("../data/native_names.txt").lines().filter_map(|line| {
                let (kind, rest) = line.split_once(' ')?;
                kinds.contains(&kind).then(|| rest.split_once(' ')).flatten()
            });
            rows.collect()
        };
        Tables {
            surnames: of(&["japanese-surname", "korean-surname"]),
            given: of(&["japanese-given"]),
            others: of(&["arabic", "hebrew"]),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        let lines: Vec<&str> = include_str!("../data/native_names.txt").lines().collect();
        assert!(lines.is_sorted());
        for line in &lines {
            let words: Vec<&str> = line.split(' ').collect();
            let is_latin =
                |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
            assert!(words.len() == 3 && is_latin(words[2]), "{line}");
            assert_eq!(words[1], words[1].nfkc().collect::<String>(), "{line}");
            assert!(spelling(words[1]).is_some(), "{line}");
        }
    }

    #[test]
    fn the_script_tells_the_order() {
        for (text, want) in [
            ("佐藤 陽子", Some(("佐藤", "陽子"))),
            ("太郎 佐藤", Some(("佐藤", "太郎"))),
            ("高橋健一", Some(("高橋", "健一"))),
            ("佐々木健", Some(("佐々木", "健"))),
            ("王小明", Some(("王", "小明"))),
            ("王伟", Some(("王", "伟"))),
            ("陳 大文", Some(("陳", "大文"))),
            ("김민수", Some(("김", "민수"))),
            ("김 민수", Some(("김", "민수"))),
            ("ジョン・スミス", Some(("スミス", "ジョン"))),
            ("田中様", None),
            ("佐藤", None),
            ("Sato Yoko", None),
            ("太郎 Sato", None),
            ("", None),
        ] {
            assert_eq!(in_order(text), want, "{text}");
        }
    }
}
