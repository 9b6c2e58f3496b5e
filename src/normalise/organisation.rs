//! What is an organisation's one spelling?
//!
//! Words of `a`–`z` and `0`–`9`, single spaces between them, without the legal form (`Ltd`, `GmbH & Co. KG`, `S.p.A.`,
//! 株式会社) and a leading article: which company it is stands in the rest. A few abbreviations are written out, so that
//! `Child Dev. Ctr.` and `Child Development Center` agree.

use super::text::{Lines, clean, code, says_nothing, words};

/// Legal forms that no person is called, as [`code`] writes them.
const CERTAIN: &[&str] = &[
    "corp",
    "corporation",
    "eurl",
    "gmbh",
    "inc",
    "incorporated",
    "limited",
    "llc",
    "llp",
    "ltd",
    "ltda",
    "plc",
    "pllc",
    "pty",
    "sarl",
    "spzoo",
    "sro",
];

/// Legal forms, as [`code`] writes them; some are words or names elsewhere, so only in an organisation's.
const FORMS: &[&str] = &[
    "ab",
    "ad",
    "ag",
    "aps",
    "as",
    "asa",
    "berhad",
    "bhd",
    "bt",
    "bv",
    "bvba",
    "cjsc",
    "co",
    "company",
    "corp",
    "corporation",
    "cv",
    "doo",
    "ehf",
    "eireli",
    "eood",
    "eurl",
    "ev",
    "gbr",
    "ggmbh",
    "gk",
    "gmbh",
    "hf",
    "inc",
    "incorporated",
    "jsc",
    "kft",
    "kg",
    "kgaa",
    "kk",
    "lda",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "mbh",
    "nv",
    "nyrt",
    "oao",
    "oe",
    "ohg",
    "oo",
    "ood",
    "ooo",
    "ou",
    "oy",
    "oyj",
    "pao",
    "pjsc",
    "plc",
    "pllc",
    "pte",
    "pty",
    "pvt",
    "rl",
    "rt",
    "sa",
    "sae",
    "sapa",
    "sarl",
    "sas",
    "sasu",
    "sau",
    "sca",
    "sci",
    "sdn",
    "se",
    "sgps",
    "sia",
    "sl",
    "slu",
    "snc",
    "sp",
    "spa",
    "spk",
    "sprl",
    "spzoo",
    "srl",
    "sro",
    "tbk",
    "tov",
    "uab",
    "ug",
    "vof",
    "zao",
    "zoo",
    "zrt",
];

/// Words that stand between the words of a legal form: `GmbH & Co.`, `S. de R.L. de C.V.`, `Sp. z o.o.`
const BETWEEN: &[&str] = &["and", "de", "et", "s", "und", "y", "z"];

/// Legal forms that stand first.
const LEADING: &[&str] = &["firma", "oao", "ooo", "pao", "stichting", "the", "tov", "uab", "zao"];

const EAST_ASIAN: [&str; 9] = [
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "株式会社",
    "有限会社",
    "合同会社",
    "(株)",
    "(有)",
    "주식회사",
];

/// Abbreviations, written out.
fn written_out(word: &str) -> &str {
    match word {
        "acad" => "academy",
        "admin" => "administration",
        "assn" | "assoc" | "asso" => "association",
        "bros" => "brothers",
        "centre" | "ctr" | "cntr" | "cntre" => "center",
        "comm" | "cmty" | "commty" => "community",
        "dept" => "department",
        "dev" | "devel" | "dvlpmnt" => "development",
        "dist" => "district",
        "ed" | "educ" => "education",
        "elem" => "elementary",
        "fdn" | "found" => "foundation",
        "govt" => "government",
        "grp" => "group",
        "hosp" => "hospital",
        "inst" => "institute",
        "intl" => "international",
        "lab" | "labs" => "laboratories",
        "mfg" => "manufacturing",
        "mgmt" | "mgt" => "management",
        "natl" => "national",
        "org" => "organization",
        "organisation" => "organization",
        "saint" => "st",
        "sch" => "school",
        "soc" => "society",
        "svc" | "svcs" | "service" => "services",
        "tech" => "technology",
        "univ" => "university",
        other => other,
    }
}

/// An organisation's name as it is compared; None for a placeholder.
pub fn organisation(raw: &str) -> Option<String> {
    let text = clean(raw, Lines::Join);
    if says_nothing(&text.text) {
        return None;
    }
    let mut name = text.text.into_owned();
    for form in EAST_ASIAN {
        let rest = name.replace(form, " ");
        if !says_nothing(&rest) {
            name = rest;
        }
    }
    let mut folded: Vec<String> = name.split_whitespace().flat_map(spelt).collect();
    loop {
        let before = folded.len();
        if before > 1 && LEADING.contains(&&*folded[0]) {
            folded.remove(0);
        }
        folded.truncate(end_of_name(&folded));
        if folded.len() == before {
            break;
        }
    }
    let written: Vec<&str> = folded.iter().map(|word| written_out(word)).collect();
    let name = written.join(" ");
    (!says_nothing(&name)).then_some(name)
}

/// The words of one piece between spaces: dotted initials are one (`S.p.A.`), an apostrophe parts nothing (`Paul's`).
fn spelt(piece: &str) -> Vec<String> {
    let initials = piece.contains('.')
        && piece.split('.').all(|part| part.trim_matches(',').chars().count() <= 1);
    if initials || matches!(piece.trim_end_matches(','), "A/S" | "a/s") {
        return Some(code(piece)).filter(|word| !word.is_empty()).into_iter().collect();
    }
    let joined = piece.replace(['\'', '\u{2019}', '`'], "").replace(['&', '+'], " and ");
    words(&joined).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// How many words are left of a legal form at the end; one at least.
fn end_of_name(words: &[String]) -> usize {
    let mut end = words.len();
    let mut at = words.len();
    while at > 1 {
        let word = words[at - 1].as_str();
        // `S. de R.L.`
        let stock = word == "s" && end < words.len() && words[at] == "de";
        if FORMS.contains(&word) || stock || is_lone_letter(words, at - 1) {
            end = at - 1;
        } else if !BETWEEN.contains(&word) || end == words.len() {
            break;
        }
        at -= 1;
    }
    // What joined name and form.
    while end > 1 && matches!(words[end - 1].as_str(), "and" | "und" | "et") {
        end -= 1;
    }
    end.max(1)
}

/// `Sp. z o. o.`: the letters of a form, written apart.
fn is_lone_letter(words: &[String], at: usize) -> bool {
    words[at] == "o"
        && (words.get(at + 1).is_none_or(|next| next == "o"))
        && words[..at].iter().any(|word| word == "sp")
}

/// A person's or sole trader's name without a legal form that is certainly one: `Smith & Co Ltd` is `Smith`.
pub(super) fn without_legal_form(text: &str) -> &str {
    let mut rest = text.trim_end();
    let mut found = false;
    while let Some((before, last)) = rest.rsplit_once(' ') {
        let key = code(last);
        let after_and = || {
            let word = before.rsplit(' ').next().unwrap_or_default();
            matches!(word, "&" | "+" | "and" | "und" | "et")
        };
        let is_form = CERTAIN.contains(&&*key)
            || (matches!(&*key, "co" | "cie") && (found || after_and()))
            || (key == "kg" && code(before).ends_with("co"))
            || (found
                && matches!(last, "&" | "+" | "and" | "und" | "et" | "Pvt" | "Pvt." | "(Pvt)"));
        if !is_form || !before.chars().any(char::is_alphabetic) {
            break;
        }
        found = true;
        rest = before.trim_end_matches([' ', ',']);
    }
    let rest = if found { rest.trim_end_matches([' ', ',', '&', '+']) } else { rest };
    if rest.chars().any(char::is_alphabetic) { rest } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn legal_forms_are_cut() {
        for (raw, want) in [
            ("Acme Plumbing Ltd", "acme plumbing"),
            ("ACME PLUMBING LIMITED", "acme plumbing"),
            ("Acme Plumbing Co., Ltd.", "acme plumbing"),
            ("The Acme Company, Inc.", "acme"),
            ("Müller GmbH & Co. KG", "muller"),
            ("Bäckerei Schmidt e.V.", "backerei schmidt"),
            ("Ferrari S.p.A.", "ferrari"),
            ("Société Générale S.A.", "societe generale"),
            ("Dupont et Cie SARL", "dupont et cie"),
            ("Kowalski Sp. z o.o.", "kowalski"),
            ("Kowalski sp. z o. o.", "kowalski"),
            ("Grupo Azul S. de R.L. de C.V.", "grupo azul"),
            ("Novo Nordisk A/S", "novo nordisk"),
            ("ООО Ромашка", "romashka"),
            ("株式会社サトウ", "sato"),
            ("Smith & Sons", "smith and sons"),
            ("Saint Paul's House", "st pauls house"),
            ("St. Pauls House", "st pauls house"),
            ("Child Dev. Ctr.", "child development center"),
            ("I.B.M. Corporation", "ibm"),
            ("Ltd", "ltd"),
            ("Co & Co", "co"),
        ] {
            assert_eq!(organisation(raw).as_deref(), Some(want), "{raw}");
        }
        for raw in ["", "N/A", "-", "unknown", "???"] {
            assert_eq!(organisation(raw), None, "{raw}");
        }
    }

    #[test]
    fn names_lose_only_certain_forms() {
        for (text, want) in [
            ("John Smith Ltd", "John Smith"),
            ("Smith & Co. Ltd.", "Smith"),
            ("Smith & Co", "Smith"),
            ("Müller GmbH & Co. KG", "Müller"),
            ("Carlos Sa", "Carlos Sa"),
            ("Anna Co", "Anna Co"),
            ("Ltd", "Ltd"),
            ("Inc Ltd", "Inc"),
            ("", ""),
        ] {
            assert_eq!(without_legal_form(text), want, "{text}");
        }
    }

    #[test]
    fn lists_are_sorted() {
        assert!(
            CERTAIN.is_sorted() && FORMS.is_sorted() && BETWEEN.is_sorted() && LEADING.is_sorted()
        );
    }

    proptest! {
        #[test]
        fn normalising_again_changes_nothing(
            raw in prop_oneof![
                any::<String>(),
                "[ -~]{0,40}",
                "([A-Z][a-z]{1,6} ){0,3}(Ltd|GmbH|& Co|S\\.A\\.|Sp\\. z o\\.o\\.|a/s|The|and|de|s)( (Ltd|KG|and|The))?",
            ],
        ) {
            if let Some(name) = organisation(&raw) {
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b' '));
                prop_assert_eq!(organisation(&name), Some(name.clone()));
            }
        }
    }
}
