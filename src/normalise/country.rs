//! Which country does a code or a name mean?

use super::text::words;

/// The ISO 3166 two-letter code of a country's code or usual name, upper case; None if it is
/// neither.
pub fn code(text: &str) -> Option<&'static str> {
    let words = words(text);
    if words.len() == 2 {
        let upper = words.to_ascii_uppercase();
        let upper = if upper == "UK" { "GB" } else { &upper };
        return CODES.iter().find(|code| *code == &upper).copied();
    }
    by_name(&words)
}

/// The code of a country's name or three-letter code; `name` as [`words`] writes it.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let at = NAMES.iter().position(|(_, names)| names.split('|').any(|known| known == name));
    at.map(|at| NAMES[at].0)
}

const CODES: [&str; 245] = [
    "AC", "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
    "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS",
    "BT", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO",
    "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG",
    "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG",
    "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GT", "GU", "GW", "GY", "HK", "HN", "HR", "HT",
    "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE",
    "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR",
    "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN",
    "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF",
    "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL",
    "PM", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD",
    "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY",
    "SZ", "TA", "TC", "TD", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW",
    "TZ", "UA", "UG", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF", "WS", "XK",
    "YE", "YT", "ZA", "ZM", "ZW",
];

/// Names in English and in the country's own languages.
const NAMES: [(&str, &str); 96] = [
    ("AE", "united arab emirates|uae|are"),
    ("AR", "argentina|arg"),
    ("AT", "austria|osterreich|oesterreich|aut"),
    ("AU", "australia|aus"),
    ("BD", "bangladesh|bgd"),
    ("BE", "belgium|belgie|belgique|belgien|bel"),
    ("BG", "bulgaria|bgr"),
    ("BO", "bolivia"),
    ("BR", "brazil|brasil|bra"),
    ("BY", "belarus|blr"),
    ("CA", "canada|can|kanada"),
    ("CH", "switzerland|schweiz|suisse|svizzera|che"),
    ("CL", "chile|chl"),
    ("CN", "china|chn|zhong guo|peoples republic of china"),
    ("CO", "colombia|col"),
    ("CR", "costa rica"),
    ("CU", "cuba"),
    ("CY", "cyprus|cyp"),
    ("CZ", "czechia|czech republic|cesko|ceska republika|cze"),
    ("DE", "germany|deutschland|deu|allemagne|alemania"),
    ("DK", "denmark|danmark|dnk|danemark"),
    ("DO", "dominican republic|republica dominicana"),
    ("DZ", "algeria|algerie|dza"),
    ("EC", "ecuador"),
    ("EE", "estonia|eesti|est"),
    ("EG", "egypt|egy"),
    ("ES", "spain|espana|esp|spanien"),
    ("FI", "finland|suomi|fin"),
    ("FR", "france|fra|frankreich|francia"),
    (
        "GB",
        "uk|united kingdom|great britain|britain|england|scotland|wales|northern ireland|gbr|u k",
    ),
    ("GG", "guernsey"),
    ("GH", "ghana|gha"),
    ("GR", "greece|hellas|ellada|ellas|grc"),
    ("GT", "guatemala"),
    ("HK", "hong kong|hkg"),
    ("HN", "honduras"),
    ("HR", "croatia|hrvatska|hrv"),
    ("HU", "hungary|magyarorszag|hun"),
    ("ID", "indonesia|idn"),
    ("IE", "ireland|eire|irl|republic of ireland"),
    ("IL", "israel|isr"),
    ("IM", "isle of man"),
    ("IN", "india|ind|bharat"),
    ("IQ", "iraq"),
    ("IR", "iran"),
    ("IS", "iceland|isl"),
    ("IT", "italy|italia|ita|italien"),
    ("JE", "jersey"),
    ("JM", "jamaica|jam"),
    ("JP", "japan|jpn|nippon|nihon|ri ben"),
    ("KE", "kenya|ken"),
    ("KR", "south korea|korea|republic of korea|kor"),
    ("KZ", "kazakhstan"),
    ("LI", "liechtenstein"),
    ("LK", "sri lanka|lka"),
    ("LT", "lithuania|lietuva|ltu"),
    ("LU", "luxembourg|luxemburg|lux"),
    ("LV", "latvia|latvija|lva"),
    ("MA", "morocco|maroc|mar"),
    ("MT", "malta|mlt"),
    ("MX", "mexico|mex|mexiko"),
    ("MY", "malaysia|mys"),
    ("NG", "nigeria|nga"),
    ("NI", "nicaragua"),
    ("NL", "netherlands|nederland|the netherlands|holland|nld"),
    ("NO", "norway|norge|nor|norwegen"),
    ("NP", "nepal"),
    ("NZ", "new zealand|nzl|aotearoa"),
    ("PA", "panama"),
    ("PE", "peru|per"),
    ("PH", "philippines|phl"),
    ("PK", "pakistan|pak"),
    ("PL", "poland|polska|pol|polen"),
    ("PR", "puerto rico"),
    ("PT", "portugal|prt"),
    ("PY", "paraguay"),
    ("RO", "romania|rou"),
    ("RS", "serbia|srbija|srb"),
    ("RU", "russia|russian federation|rossia|rossiya|rossiia|rossiyskaya federatsia|rus"),
    ("SA", "saudi arabia|sau"),
    ("SE", "sweden|sverige|swe|schweden"),
    ("SG", "singapore|sgp"),
    ("SI", "slovenia|slovenija|svn"),
    ("SK", "slovakia|slovensko|svk"),
    ("SV", "el salvador"),
    ("TH", "thailand|tha"),
    ("TN", "tunisia|tunisie|tun"),
    ("TR", "turkey|turkiye|tur"),
    ("TW", "taiwan|twn"),
    ("UA", "ukraine|ukraina|ukrayina|ukr"),
    ("US", "usa|united states|united states of america|america|u s a|u s"),
    ("UY", "uruguay"),
    ("UZ", "uzbekistan"),
    ("VE", "venezuela|ven"),
    ("VN", "vietnam|viet nam|vnm"),
    ("ZA", "south africa|zaf"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_known() {
        assert!(NAMES.iter().all(|(code, _)| CODES.contains(code)));
        for (text, want) in [
            ("us", Some("US")),
            ("UK", Some("GB")),
            ("U.S.A.", Some("US")),
            ("Österreich", Some("AT")),
            ("España", Some("ES")),
            ("zz", None),
            ("", None),
            ("Atlantis", None),
        ] {
            assert_eq!(code(text), want, "{text}");
        }
    }
}
