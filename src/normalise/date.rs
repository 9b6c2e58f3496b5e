//! On which day was a person born?
//!
//! `YYYYMMDD`, from every usual order. A day that can only be a month is swapped with it. Eight
//! digits that are no day of any calendar (`19831935`, a typing error) stay as they are: they still
//! compare with the right date.

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

use super::text::{Lines, clean, is_monotone, latin, says_nothing};
use super::{DateOrder, value_of};

/// Two-digit years up to this one are of this century.
const PIVOT: u32 = 20;

/// Dates that forms and databases put where none was given.
const PLACEHOLDERS: [&str; 13] = [
    "00000000", "00010101", "11111111", "12345678", "18991230", "18991231", "19000100", "19000101",
    "19691231", "19700101", "20000101", "99991231", "99999999",
];

/// A birth date as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BirthDate {
    /// `YYYYMMDD`; eight digits, not always a day of the calendar.
    pub digits: String,
    /// Whether day and month had certainly changed places.
    pub swapped: bool,
}

/// Why a text is no birth date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDate {
    /// It says "nothing here".
    Placeholder,
    /// It is not of a date's form.
    Unreadable,
}

/// Reads the birth date of a record.
pub(super) fn read(raw: &RawIdentity, order: DateOrder, out: &mut Normalised) {
    let Some(value) = value_of(raw, RawField::BirthDate, Field::BirthDate, out) else { return };
    match birth_date(value, order) {
        Ok(date) => {
            if date.swapped {
                out.issues.push(Issue::Repaired(Field::BirthDate));
            }
            out.presented.birth_date = calendar(&date.digits);
            out.identity.set(Field::BirthDate, &date.digits);
        }
        Err(NoDate::Placeholder) => out.issues.push(Issue::Placeholder(Field::BirthDate)),
        Err(NoDate::Unreadable) => out.issues.push(Issue::Unreadable(Field::BirthDate)),
    }
}

/// Reads a date; `order` decides between day and month where both are possible.
///
/// **Errors:** why it is none.
pub fn birth_date(raw: &str, order: DateOrder) -> Result<BirthDate, NoDate> {
    let text = clean(raw, Lines::Join);
    if says_nothing(&text.text) {
        return Err(NoDate::Placeholder);
    }
    let groups = groups(&latin(&text.text));
    let date = parts(&groups, order).ok_or(NoDate::Unreadable)?;
    if PLACEHOLDERS.binary_search(&date.digits.as_str()).is_ok() || is_monotone(&date.digits) {
        return Err(NoDate::Placeholder);
    }
    Ok(date)
}

/// One run of digits, or a month by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    Digits(String),
    Month(u32),
}

/// Cuts the text into digits and names of months; the time of day after a date is left out.
fn groups(text: &str) -> Vec<Group> {
    let mut groups = vec![];
    let mut rest = text;
    while groups.len() < 3 {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let Some(first) = rest.chars().next() else { break };
        let of_kind =
            |c: char| c.is_ascii_alphanumeric() && c.is_ascii_digit() == first.is_ascii_digit();
        let end = rest.find(|c| !of_kind(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        if first.is_ascii_digit() {
            groups.push(Group::Digits(run.to_owned()));
        } else if let Some(month) = month(run) {
            groups.push(Group::Month(month));
        }
    }
    groups
}

/// The number of a month by the first letters of its name in English, German, French, Spanish or
/// Italian.
fn month(word: &str) -> Option<u32> {
    const STARTS: [&[&str]; 12] = [
        &["jan", "ene", "gen"],
        &["feb", "fev"],
        &["mar", "mae", "mrz"],
        &["apr", "avr", "abr"],
        &["may", "mai", "mag"],
        &["jun", "juin", "giu"],
        &["jul", "juil", "lug"],
        &["aug", "aou", "ago"],
        &["sep", "set"],
        &["oct", "okt", "ott"],
        &["nov"],
        &["dec", "dez", "dic"],
    ];
    let at = STARTS.iter().position(|starts| starts.iter().any(|start| word.starts_with(start)));
    at.and_then(|at| u32::try_from(at + 1).ok())
}

fn parts(groups: &[Group], order: DateOrder) -> Option<BirthDate> {
    use Group::{Digits, Month};
    match groups {
        [Digits(run), ..] if run.len() == 8 => Some(compact(run, order)),
        [Digits(run)] if run.len() == 6 => {
            let date = numeric(&run[..2], &run[2..4], &run[4..], order)?;
            calendar(&date.digits).is_some().then_some(date)
        }
        [Digits(year), Digits(month), Digits(day)] if year.len() == 4 => {
            let (month, day) = (small(month)?, small(day)?);
            Some(mend(year, month, day))
        }
        [Digits(first), Digits(second), Digits(year)] => numeric(first, second, year, order),
        [Digits(year), Month(month), Digits(day)] if year.len() == 4 => {
            Some(mend(year, *month, small(day)?))
        }
        [Digits(day), Month(month), Digits(year)] | [Month(month), Digits(day), Digits(year)] => {
            Some(mend(&full_year(year)?, *month, small(day)?))
        }
        _ => None,
    }
}

/// `DD MM YYYY` or `MM DD YYYY`: `order` decides, unless only the other is possible.
fn numeric(first: &str, second: &str, year: &str, order: DateOrder) -> Option<BirthDate> {
    let (first, second, year) = (small(first)?, small(second)?, full_year(year)?);
    let (day, month) = match order {
        DateOrder::DayFirst => (first, second),
        DateOrder::MonthFirst => (second, first),
    };
    Some(mend(&year, month, day))
}

/// Eight digits together. The year stands in front unless only its standing at the end makes a
/// date.
fn compact(run: &str, order: DateOrder) -> BirthDate {
    let is_year = |year: &str| matches!(&year[..2], "18" | "19" | "20");
    if !is_year(run)
        && is_year(&run[4..])
        && let Some(date) = numeric(&run[..2], &run[2..4], &run[4..], order)
        && calendar(&date.digits).is_some()
    {
        return date;
    }
    let (month, day) = (small(&run[4..6]), small(&run[6..]));
    match (month, day) {
        (Some(month), Some(day)) => mend(&run[..4], month, day),
        _ => BirthDate { digits: run.to_owned(), swapped: false },
    }
}

/// Swaps what can be no month with what can be one: also an impossible day (`81` of `18`) compares
/// best as a day.
fn mend(year: &str, month: u32, day: u32) -> BirthDate {
    let turned = month > 12 && (1..=12).contains(&day);
    let (month, day) = if turned { (day, month) } else { (month, day) };
    BirthDate { digits: format!("{year}{month:02}{day:02}"), swapped: turned && day <= 31 }
}

fn small(digits: &str) -> Option<u32> {
    if digits.len() <= 2 { digits.parse().ok() } else { None }
}

fn full_year(digits: &str) -> Option<String> {
    match digits.len() {
        4 => Some(digits.to_owned()),
        2 => {
            let short: u32 = digits.parse().ok()?;
            Some(format!("{}{digits}", if short <= PIVOT { 20 } else { 19 }))
        }
        _ => None,
    }
}

/// `YYYY-MM-DD` if the digits are a day on which somebody now living may have been born, or an
/// ancestor.
fn calendar(digits: &str) -> Option<String> {
    let number = |at: std::ops::Range<usize>| digits.get(at)?.parse::<u32>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let year = i32::try_from(year).ok()?;
    let date = chrono::NaiveDate::from_ymd_opt(year, month, day)?;
    (1000..=2100).contains(&year).then(|| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, order: DateOrder, want: &str) {
        let date = birth_date(raw, order).map(|date| date.digits).unwrap_or_default();
        assert_eq!(date, want, "{raw}");
    }

    #[test]
    fn reads_every_usual_order() {
        for raw in [
            "1980-03-14",
            "14/03/1980",
            "14.3.1980",
            "14-03-80",
            "14 Mar 1980",
            "March 14, 1980",
            "14. März 1980",
            "19800314",
            "14031980",
            "140380",
            "1980/3/14",
            "1980-03-14T00:00:00Z",
            "1980年3月14日",
            "14 de marzo 1980",
            "1980-Mar-14",
            "03/14/1980",
            "1980-14-03",
        ] {
            check(raw, DateOrder::DayFirst, "19800314");
        }
        check("03/04/1980", DateOrder::DayFirst, "19800403");
        check("03/04/1980", DateOrder::MonthFirst, "19800304");
        check("3/4/80", DateOrder::MonthFirst, "19800304");
        check("1/2/05", DateOrder::DayFirst, "20050201");
        check("1/2/21", DateOrder::DayFirst, "19210201");
    }

    #[test]
    fn typing_errors_still_compare() {
        check("19831935", DateOrder::DayFirst, "19831935");
        check("29830512", DateOrder::DayFirst, "29830512");
        check("19830005", DateOrder::DayFirst, "19830005");
    }

    #[test]
    fn swaps_are_repairs() {
        let date = birth_date("1980-14-03", DateOrder::DayFirst).expect("a date");
        assert!(date.swapped);
        assert!(!birth_date("1980-12-03", DateOrder::DayFirst).expect("a date").swapped);
    }

    #[test]
    fn placeholders_and_rubbish_are_none() {
        assert!(PLACEHOLDERS.is_sorted());
        for raw in [
            "1900-01-01",
            "01/01/1900",
            "1970-01-01",
            "0000-00-00",
            "01/01/2000",
            "1111-11-11",
            "N/A",
            "-",
            "99999999",
        ] {
            assert_eq!(birth_date(raw, DateOrder::DayFirst), Err(NoDate::Placeholder), "{raw}");
        }
        for raw in ["yesterday", "1980", "29292", "1/2/3/4", "1980-03"] {
            assert_eq!(birth_date(raw, DateOrder::DayFirst), Err(NoDate::Unreadable), "{raw}");
        }
    }
}
