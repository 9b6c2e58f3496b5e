use serde_json::Value;

use super::*;
use crate::normalise::vectors;

#[track_caller]
fn check(text: &str, want: [&str; 5]) {
    let found = location(text);
    let got = [&found.house, &found.street, &found.city, &found.region, &found.postcode];
    assert_eq!(got, want, "{text}");
}

#[test]
fn takes_addresses_apart() {
    check(
        "123 Main St, Apt 5, Springfield, IL 62704",
        ["123", "main street", "springfield", "il", "62704"],
    );
    check(
        "123 Main St Apt #456 Oakland CA 94789-1234",
        ["123", "main street", "oakland", "ca", "94789"],
    );
    check(
        "261 anderson rd n rock hill sc 29730",
        ["261", "anderson road north", "rock hill", "sc", "29730"],
    );
    check("21, Kingswood Road SW2 4JE, London", ["21", "kingswood road", "london", "", "sw24je"]);
    check("318 Upper Street, N1 2XQ London", ["318", "upper street", "london", "", "n12xq"]);
    check("Triftstraße 67 13353 Berlin Deutschland", ["67", "triftstrasse", "berlin", "", "13353"]);
    check("Hauptstr. 12a, 10115 Berlin", ["12a", "hauptstrasse", "berlin", "", "10115"]);
    check("C/ Mayor 5, Madrid, 28013", ["5", "calle mayor", "madrid", "", "28013"]);
    check("12 rue de la Paix, Paris, 75002", ["12", "rue de la paix", "paris", "", "75002"]);
    check("LÓPEZ MATEOS, 106, 21840, MEXICALI", ["106", "lopez mateos", "mexicali", "", "21840"]);
    check("PO Box 1, Seattle, WA 98103", ["", "po box 1", "seattle", "wa", "98103"]);
    check("RR 1 Box 3468, Ava, MO 65608", ["", "po box 3468", "ava", "mo", "65608"]);
    check("Lock Box # 238, Jamison, PA 18929", ["", "po box 238", "jamison", "pa", "18929"]);
    check("Postfach 1234, 10115 Berlin", ["", "po box 1234", "berlin", "", "10115"]);
    check("c/o Smith, 5 High St, Leeds LS6 1AB", ["5", "high street", "leeds", "", "ls61ab"]);
    check(
        "12 Main St, PO Box 7, Seattle, WA 98103",
        ["12", "main street", "seattle", "wa", "98103"],
    );
    check("Columbus, OH", ["", "", "columbus", "oh", ""]);
    check("Paris, France", ["", "", "paris", "", ""]);
    check("10 High St\nLeeds\nLS6 1AB", ["10", "high street", "leeds", "", "ls61ab"]);
    check("", ["", "", "", "", ""]);
}

#[test]
fn shows_what_was_written() {
    let shown = location("12 Rue de l'Église, Apt 3, Lyon, 69001, France").shown;
    assert_eq!(shown.line.as_deref(), Some("12 Rue de l'Église, Apt 3"));
    assert_eq!(shown.city.as_deref(), Some("Lyon"));
    assert_eq!(shown.postcode.as_deref(), Some("69001"));
    assert_eq!(shown.country.as_deref(), Some("FR"));
}

/// The texts of the labels, joined in their order.
fn labelled(components: &str, labels: &[&str]) -> String {
    let all: Value = serde_json::from_str(components).expect("the components are JSON");
    let all: Vec<(String, String)> = serde_json::from_value(all).expect("they are pairs");
    let texts: Vec<&str> = all
        .iter()
        .filter(|(label, _)| labels.contains(&&**label))
        .map(|(_, text)| &**text)
        .collect();
    texts.join(" ")
}

struct Score {
    name: &'static str,
    right: u32,
    all: u32,
    failed: Vec<String>,
}

impl Score {
    fn new(name: &'static str) -> Self {
        Self { name, right: 0, all: 0, failed: vec![] }
    }

    fn add(&mut self, address: &str, got: &str, want: &str) {
        self.all += 1;
        if got == want {
            self.right += 1;
        } else {
            self.failed.push(format!("{address:?}: {got:?}, not {want:?}"));
        }
    }

    #[track_caller]
    fn at_least(&self, floor: f64) {
        let rate = f64::from(self.right) / f64::from(self.all);
        assert!(rate >= floor, "{} {rate:.3} of {}: {:#?}", self.name, self.all, self.failed);
    }
}

/// How the labels of one set are grouped into our fields.
type Labels = [(&'static str, &'static [&'static str]); 5];

fn score(file: &str, labels: &Labels) -> Vec<Score> {
    let mut scores: Vec<Score> = labels.iter().map(|(name, _)| Score::new(name)).collect();
    for row in vectors(file) {
        let found = location(&row[1]);
        let got = [&found.house, &found.street, &found.city, &found.region, &found.postcode];
        for ((score, (name, labels)), got) in scores.iter_mut().zip(labels).zip(got) {
            let text = labelled(&row[2], labels);
            let number = labelled(&row[2], &["USPSBoxID"]);
            let want = match *name {
                "house" => house(&text),
                "street" if text.is_empty() && !number.is_empty() => {
                    format!("po box {}", code(&number))
                }
                "street" => street(&text),
                "city" => city(&text),
                "region" => region(&text),
                _ => postcode(&text, None),
            };
            score.add(&row[1], got, &want);
        }
    }
    scores
}

#[test]
fn american_addresses() {
    let labels: Labels = [
        ("house", &["AddressNumber", "AddressNumberPrefix", "AddressNumberSuffix"]),
        (
            "street",
            &[
                "StreetNamePreModifier",
                "StreetNamePreDirectional",
                "StreetNamePreType",
                "StreetName",
                "StreetNamePostType",
                "StreetNamePostDirectional",
                "StreetNamePostModifier",
            ],
        ),
        ("city", &["PlaceName"]),
        ("region", &["StateName"]),
        ("postcode", &["ZipCode"]),
    ];
    let scores = score("addresses_us.csv", &labels);
    for (score, floor) in scores.iter().zip([0.94, 0.82, 0.86, 0.98, 0.99]) {
        score.at_least(floor);
    }
}

#[test]
fn addresses_of_the_world() {
    let labels: Labels = [
        ("house", &["house_number"]),
        ("street", &["road", "po_box"]),
        ("city", &["city", "city_district"]),
        ("region", &["state"]),
        ("postcode", &["postcode"]),
    ];
    let scores = score("addresses_world.csv", &labels);
    for (score, floor) in scores.iter().zip([0.91, 0.71, 0.72, 0.88, 0.93]) {
        score.at_least(floor);
    }
}
