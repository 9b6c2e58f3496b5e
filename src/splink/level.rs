//! A condition of Splink's in, a level out: which grade of agreement is meant?

use super::sql::{Expr, Op, parse};
use crate::score::Level;

/// What a condition says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// A value is missing.
    Null,
    /// Anything else.
    Otherwise,
    /// A grade of agreement of these columns.
    Level(Level, Vec<String>),
}

const SECONDS_A_DAY: f64 = 86_400.0;

/// Patterns by which Splink's library takes e-mail addresses and British postcodes apart.
const PATTERNS: [(&str, Taken); 6] = [
    ("^[^@]+", Taken::Local),
    ("@([^@]+)$", Taken::Domain),
    ("@(.*)$", Taken::Domain),
    ("^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? [0-9]", Taken::Sector),
    ("^[A-Za-z]{1,2}[0-9][A-Za-z0-9]?", Taken::District),
    ("^[A-Za-z]{1,2}", Taken::Area),
];

/// What is taken of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    All,
    Beginning(usize),
    Local,
    Domain,
    Sector,
    District,
    Area,
}

/// One column of one of the two records.
#[derive(Clone, Debug, PartialEq)]
struct Side {
    column: String,
    left: bool,
    taken: Taken,
}

/// Reads a level's condition.
///
/// **Errors:** why it has no counterpart.
pub(super) fn meaning(condition: &str) -> Result<Meaning, String> {
    if condition.trim().eq_ignore_ascii_case("else") {
        return Ok(Meaning::Otherwise);
    }
    if let Some(place) = kilometres(condition) {
        return place;
    }
    let expr = parse(condition)?;
    if is_null(&expr) {
        return Ok(Meaning::Null);
    }
    let mut columns = Vec::new();
    let level = level(&expr, &mut columns)?;
    columns.sort_unstable();
    columns.dedup();
    match columns.as_slice() {
        [_] => Ok(Meaning::Level(level, columns)),
        _ => Err(format!("it is about several columns together ({})", columns.join(", "))),
    }
}

/// The column that a side of a blocking rule or condition takes all or the beginning of: column, whether it is the left
/// record's, and how many characters.
pub(super) fn beginning(expr: &Expr) -> Result<(String, bool, Option<usize>), String> {
    let side = side(expr)?;
    match side.taken {
        Taken::All => Ok((side.column, side.left, None)),
        Taken::Beginning(length) => Ok((side.column, side.left, Some(length))),
        _ => Err("keys are made of whole values or their beginnings".into()),
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Or(parts) => parts.iter().all(is_null),
        Expr::IsNull(_) => true,
        _ => false,
    }
}

fn level(expr: &Expr, columns: &mut Vec<String>) -> Result<Level, String> {
    let mut all = |parts: &[Expr]| -> Result<Vec<Level>, String> {
        parts.iter().map(|part| level(part, columns)).collect()
    };
    match expr {
        Expr::Or(parts) => Ok(Level::Any(all(parts)?)),
        Expr::And(parts) => {
            let there = |part: &&Expr| !matches!(part, Expr::Not(inner) if is_null(inner));
            let parts: Vec<Expr> = parts.iter().filter(there).cloned().collect();
            let mut levels = all(&parts)?;
            Ok(if levels.len() == 1 { levels.swap_remove(0) } else { Level::All(levels) })
        }
        Expr::Binary(Op::Equal, left, right) => equality(left, right, columns),
        Expr::Binary(op, left, right) => {
            // A number may stand on either side.
            match (number(left), number(right)) {
                (None, Some(limit)) => bound(left, *op, limit, columns),
                (Some(limit), None) => bound(right, mirrored(*op), limit, columns),
                _ => Err("it compares neither two columns nor a distance with a number".into()),
            }
        }
        Expr::Not(_) => Err("negations have no counterpart".into()),
        _ => Err("it is no comparison".into()),
    }
}

const fn mirrored(op: Op) -> Op {
    match op {
        Op::Less => Op::Greater,
        Op::LessOrEqual => Op::GreaterOrEqual,
        Op::Greater => Op::Less,
        Op::GreaterOrEqual => Op::LessOrEqual,
        op => op,
    }
}

fn equality(left: &Expr, right: &Expr, columns: &mut Vec<String>) -> Result<Level, String> {
    match pair(left, right, columns)? {
        Taken::All => Ok(Level::Exact),
        Taken::Beginning(length) => Ok(Level::Beginning(length)),
        Taken::Local => Ok(Level::SameLocalPart),
        Taken::Domain => Ok(Level::SameDomain),
        // Postcodes are compared without the space: the sector is all but the last two characters.
        Taken::Sector => Ok(Level::ButForLast(2)),
        Taken::District => Ok(Level::SameOutward),
        Taken::Area => Ok(Level::SameLeadingLetters),
    }
}

/// What both sides take of the same column.
fn pair(left: &Expr, right: &Expr, columns: &mut Vec<String>) -> Result<Taken, String> {
    let (left, right) = (side(left)?, side(right)?);
    if left.column != right.column {
        return Err(format!(
            "it compares {} with {}, and a level here is about one column",
            left.column, right.column
        ));
    }
    if left.left == right.left {
        return Err("it looks at one record only".into());
    }
    if left.taken != right.taken {
        return Err("it takes different parts of the two values".into());
    }
    columns.push(left.column);
    Ok(left.taken)
}

fn side(expr: &Expr) -> Result<Side, String> {
    match expr {
        Expr::Column { alias: None, name } => {
            let sides = [("_l", true), ("_r", false)];
            let found = sides.iter().find_map(|(end, left)| Some((name.strip_suffix(end)?, *left)));
            let (column, left) = found.ok_or_else(|| format!("`{name}` is of neither record"))?;
            Ok(Side { column: column.to_owned(), left, taken: Taken::All })
        }
        Expr::Column { alias: Some(alias), name } if alias == "l" || alias == "r" => {
            Ok(Side { column: name.clone(), left: alias == "l", taken: Taken::All })
        }
        Expr::Call(function, arguments) => of_call(function, arguments),
        Expr::Number(_) | Expr::Text(_) => Err("it compares with a constant".into()),
        _ => Err("a side of it is neither a column nor a part of one".into()),
    }
}

fn of_call(function: &str, arguments: &[Expr]) -> Result<Side, String> {
    let whole = |side: Side, taken| match side.taken {
        Taken::All => Ok(Side { taken, ..side }),
        _ => Err("it takes a part of a part".to_owned()),
    };
    match (function, arguments) {
        // What these do, Onefold's normalisation does anyway.
        ("lower" | "upper" | "trim" | "ltrim" | "rtrim", [inner])
        | ("nullif", [inner, Expr::Text(_)])
        | (
            "try_strptime" | "strptime" | "to_date" | "try_to_timestamp" | "try_cast_date",
            [inner, _],
        )
        | ("try_cast_timestamp", [inner, _])
        | ("date" | "to_date" | "epoch" | "unix_timestamp" | "array_sort" | "list_sort", [inner]) => {
            side(inner)
        }
        ("substr" | "substring", [inner, Expr::Number(1.0), Expr::Number(length)])
        | ("left", [inner, Expr::Number(length)])
            if *length >= 1.0 && *length <= 99.0 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "1 to 99")]
            #[expect(clippy::cast_sign_loss, reason = "1 to 99")]
            let length = *length as usize;
            whole(side(inner)?, Taken::Beginning(length))
        }
        ("regexp_extract" | "substring", [inner, Expr::Text(pattern), ..]) => {
            let bare = pattern.strip_prefix('(').and_then(|p| p.strip_suffix(')'));
            let known = |of: &&(&str, Taken)| of.0 == pattern || Some(of.0) == bare;
            let (_, taken) = PATTERNS
                .iter()
                .find(known)
                .ok_or_else(|| format!("the pattern `{pattern}` has no counterpart"))?;
            whole(side(inner)?, *taken)
        }
        _ => Err(format!("{function}() has no counterpart")),
    }
}

/// A distance or similarity that is bounded.
fn bound(expr: &Expr, op: Op, limit: f64, columns: &mut Vec<String>) -> Result<Level, String> {
    let at_least = matches!(op, Op::Greater | Op::GreaterOrEqual);
    match expr {
        Expr::Call(function, arguments) => match (function.as_str(), arguments.as_slice()) {
            ("jaro_winkler_similarity" | "jaro_winkler" | "jaro_winkler_sim", [left, right])
                if at_least =>
            {
                part(Level::JaroWinkler(least(op, limit)), pair(left, right, columns)?)
            }
            ("jaro_similarity" | "jaro_sim" | "jaro", [left, right]) if at_least => {
                part(Level::Jaro(least(op, limit)), pair(left, right, columns)?)
            }
            ("levenshtein" | "editdistance" | "edit_distance", [left, right]) if !at_least => {
                part(Level::Levenshtein(most(op, limit)?), pair(left, right, columns)?)
            }
            ("damerau_levenshtein", [left, right]) if !at_least => {
                part(Level::Damerau(most(op, limit)?), pair(left, right, columns)?)
            }
            ("abs", [inner]) if !at_least => difference(inner, op, limit, columns),
            (
                "array_length" | "len" | "length" | "cardinality" | "size" | "array_size",
                [inner, ..],
            ) if at_least => intersection(inner, op, limit, columns),
            ("jaccard", _) => Err("jaccard() counts characters there; here it counts words".into()),
            _ => Err(format!("{function}() bounded so has no counterpart")),
        },
        Expr::Binary(Op::Divided, above, below) if **below == Expr::Case && !at_least => {
            let Expr::Call(function, arguments) = &**above else {
                return Err("the quotient has no counterpart".into());
            };
            let [Expr::Binary(Op::Minus, left, right)] = arguments.as_slice() else {
                return Err("the quotient has no counterpart".into());
            };
            if function != "abs" || pair(left, right, columns)? != Taken::All {
                return Err("the quotient has no counterpart".into());
            }
            Ok(Level::ShareWithin(if op == Op::LessOrEqual { limit.next_up() } else { limit }))
        }
        _ => Err("what it bounds is no distance or similarity that Onefold knows".into()),
    }
}

/// A level of a part of the values.
fn part(level: Level, taken: Taken) -> Result<Level, String> {
    match taken {
        Taken::All => Ok(level),
        Taken::Local => Ok(Level::LocalPart(Box::new(level))),
        _ => Err("similarities of that part of a value have no counterpart".into()),
    }
}

/// `abs(inner)` at most so much: a difference of dates or numbers.
fn difference(
    inner: &Expr,
    op: Op,
    limit: f64,
    columns: &mut Vec<String>,
) -> Result<Level, String> {
    let below = |limit: f64| if op == Op::Less { limit.next_down() } else { limit };
    match inner {
        Expr::Binary(Op::Minus, left, right) => {
            let is_time = |expr: &Expr| matches!(expr, Expr::Call(name, _) if name == "epoch" || name == "unix_timestamp");
            let times = is_time(left) && is_time(right);
            if pair(left, right, columns)? != Taken::All {
                return Err("differences of parts have no counterpart".into());
            }
            Ok(if times {
                Level::DaysWithin(below(limit) / SECONDS_A_DAY)
            } else {
                Level::NumberWithin(below(limit))
            })
        }
        Expr::Call(function, arguments)
            if matches!(function.as_str(), "datediff" | "date_diff" | "datesub" | "date_sub") =>
        {
            let (left, right) = match arguments.as_slice() {
                [left, right] => (left, right),
                [Expr::Text(unit), left, right] if unit.eq_ignore_ascii_case("day") => {
                    (left, right)
                }
                [Expr::Column { alias: None, name }, left, right] if name == "day" => (left, right),
                _ => {
                    return Err(
                        "dates are compared by days; months and years are no fixed time".into()
                    );
                }
            };
            pair(left, right, columns)?;
            Ok(Level::DaysWithin(below(limit)))
        }
        _ => Err("what it bounds is no difference that Onefold knows".into()),
    }
}

fn intersection(
    inner: &Expr,
    op: Op,
    limit: f64,
    columns: &mut Vec<String>,
) -> Result<Level, String> {
    let Expr::Call(function, arguments) = inner else {
        return Err("the length of what it bounds has no counterpart".into());
    };
    let intersects = matches!(function.as_str(), "list_intersect" | "array_intersect");
    let [left, right] = arguments.as_slice() else {
        return Err(format!("{function}() of that many lists has no counterpart"));
    };
    if !intersects || pair(left, right, columns)? != Taken::All {
        return Err(format!("the length of {function}() has no counterpart"));
    }
    let least = if op == Op::Greater { limit.floor() + 1.0 } else { limit.ceil() };
    match least {
        1.0 => Ok(Level::SharedToken),
        2.0..=99.0 => {
            #[expect(clippy::cast_possible_truncation, reason = "2 to 99")]
            #[expect(clippy::cast_sign_loss, reason = "2 to 99")]
            let least = least as usize;
            Ok(Level::SharedTokens(least))
        }
        _ => Err("so many elements in common have no counterpart".into()),
    }
}

fn least(op: Op, limit: f64) -> f64 {
    if op == Op::Greater { limit.next_up() } else { limit }
}

fn most(op: Op, limit: f64) -> Result<usize, String> {
    let most = if op == Op::Less { limit.ceil() - 1.0 } else { limit.floor() };
    if !(0.0..=99.0).contains(&most) {
        return Err("so many edits have no counterpart".into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "0 to 99")]
    #[expect(clippy::cast_sign_loss, reason = "0 to 99")]
    let most = most as usize;
    Ok(most)
}

/// A constant, perhaps computed.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Number(number) => Some(*number),
        Expr::Binary(op, left, right) => {
            let (left, right) = (number(left)?, number(right)?);
            match op {
                Op::Plus => Some(left + right),
                Op::Minus => Some(left - right),
                Op::Times => Some(left * right),
                Op::Divided => Some(left / right),
                _ => None,
            }
        }
        Expr::Call(function, arguments) => match (function.as_str(), arguments.as_slice()) {
            ("floor", [inner]) => number(inner).map(f64::floor),
            ("ceil" | "ceiling", [inner]) => number(inner).map(f64::ceil),
            _ => None,
        },
        _ => None,
    }
}

/// The great circle as Splink's library writes it: an arc cosine over radians of two columns, at most so much.
fn kilometres(condition: &str) -> Option<Result<Meaning, String>> {
    let text = condition.to_lowercase();
    if !text.contains("acos") || !text.contains("radians") {
        return None;
    }
    let limit = text.rsplit_once("<=").and_then(|(_, limit)| limit.trim().parse::<f64>().ok());
    let mut columns: Vec<String> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter_map(|word| word.strip_suffix("_l"))
        .map(str::to_owned)
        .collect();
    columns.dedup();
    let mut seen = Vec::new();
    columns.retain(|column| {
        let new = !seen.contains(column);
        seen.push(column.clone());
        new
    });
    Some(match (limit, columns.len()) {
        (Some(limit), 2) => Ok(Meaning::Level(Level::KilometresWithin(limit), columns)),
        _ => Err("the distance is not written as Splink's library does".into()),
    })
}
