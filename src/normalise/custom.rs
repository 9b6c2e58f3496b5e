//! How is a value of a field of one's own written, so that equal means equal?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DateOrder;
use super::code::{identifier, plain};
use super::date::{NoDate, birth_date};
use super::organisation::organisation;
use super::text::{code, says_nothing, words};
use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

/// What the values of a custom field are.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Words in their order.
    Text,
    /// The name of an organisation: legal forms and fillers do not matter.
    Organisation,
    /// A set of words, such as tags: the order does not matter.
    Words,
    /// Letters and digits; other characters do not matter.
    Code,
    /// A code that points at one customer, or a few.
    Identifier,
    /// A day.
    Date,
    /// A number with a decimal point.
    Number,
    /// A place: latitude and longitude in degrees.
    Location,
}

/// A custom field of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Custom {
    /// Its slot.
    pub field: Field,
    /// What its values are.
    pub kind: Kind,
}

/// Reads the custom fields of a record.
pub(super) fn read(raw: &RawIdentity, custom: &[Custom], order: DateOrder, out: &mut Normalised) {
    for Custom { field, kind } in custom {
        let raw_field = RawField::Custom(*field);
        let Some(value) = super::value_of(raw, raw_field, *field, out) else { continue };
        match kind.value(value, order) {
            Ok(value) => out.identity.set(*field, &value),
            Err(Nothing::Placeholder) => out.issues.push(Issue::Placeholder(*field)),
            Err(Nothing::Unreadable) => out.issues.push(Issue::Unreadable(*field)),
        }
    }
}

/// Why a text is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// It says "nothing here".
    Placeholder,
    /// It is not of its kind's form.
    Unreadable,
}

impl Kind {
    /// Normalises a value of this kind.
    ///
    /// **Errors:** why it is none.
    pub fn value(self, raw: &str, order: DateOrder) -> Result<String, Nothing> {
        if says_nothing(raw) {
            return Err(Nothing::Placeholder);
        }
        match self {
            Self::Text => plain(raw).ok_or(Nothing::Placeholder),
            Self::Organisation => organisation(raw).ok_or(Nothing::Placeholder),
            Self::Words => {
                let words = words(raw);
                let mut words: Vec<&str> = words.split(' ').filter(|w| !w.is_empty()).collect();
                words.sort_unstable();
                words.dedup();
                if words.is_empty() { Err(Nothing::Placeholder) } else { Ok(words.join(" ")) }
            }
            Self::Code => Ok(code(raw)),
            Self::Identifier => identifier(raw).ok_or(Nothing::Placeholder),
            Self::Date => {
                birth_date(raw, order).map(|date| date.digits).map_err(|none| match none {
                    NoDate::Placeholder => Nothing::Placeholder,
                    NoDate::Unreadable => Nothing::Unreadable,
                })
            }
            Self::Number => Ok(number(raw).ok_or(Nothing::Unreadable)?.to_string()),
            Self::Location => location(raw),
        }
    }

    /// Whether one value points at one customer, or a few who share it.
    pub fn is_identifier(self) -> bool {
        self == Self::Identifier
    }
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    // Zero has a sign in floating point, and none in the world.
    number.is_finite().then_some(number + 0.0)
}

/// `latitude,longitude` with five decimals, about a metre.
fn location(raw: &str) -> Result<String, Nothing> {
    let text = raw.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']'));
    let parts: Vec<&str> = text.split([',', ';', ' ']).filter(|part| !part.is_empty()).collect();
    let [latitude, longitude] = parts.as_slice() else { return Err(Nothing::Unreadable) };
    let (Some(latitude), Some(longitude)) = (number(latitude), number(longitude)) else {
        return Err(Nothing::Unreadable);
    };
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Err(Nothing::Unreadable);
    }
    // Where no place is known, programs write the one south of Ghana.
    if latitude == 0.0 && longitude == 0.0 {
        return Err(Nothing::Placeholder);
    }
    let round = |degrees: f64| (degrees * 1e5).round() / 1e5 + 0.0;
    Ok(format!("{},{}", round(latitude), round(longitude)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_by_their_kind() {
        use Kind::{Code, Date, Identifier, Location, Number, Organisation, Text, Words};
        use Nothing::{Placeholder, Unreadable};
        for (kind, raw, want) in [
            (Text, " São  Paulo! ", Ok("sao paulo")),
            (Text, "n/a", Err(Placeholder)),
            (Organisation, "Acme Ltd.", Ok("acme")),
            (Words, "red, Blue red", Ok("blue red")),
            (Code, "AB-12 c", Ok("ab12c")),
            (Code, "000", Ok("000")),
            (Identifier, "000", Err(Placeholder)),
            (Identifier, "L8-98902c", Ok("l898902c")),
            (Date, "31/12/1999", Ok("19991231")),
            (Date, "soon", Err(Unreadable)),
            (Number, "-0", Ok("0")),
            (Number, " 1.50 ", Ok("1.5")),
            (Number, "1,5", Err(Unreadable)),
            (Number, "inf", Err(Unreadable)),
            (Location, "(51.5074, -0.12780)", Ok("51.5074,-0.1278")),
            (Location, "51.5074;-0.1278", Ok("51.5074,-0.1278")),
            (Location, "0,0", Err(Placeholder)),
            (Location, "91,0", Err(Unreadable)),
            (Location, "51.5", Err(Unreadable)),
        ] {
            let value = kind.value(raw, DateOrder::DayFirst);
            assert_eq!(value.as_deref().map_err(|none| *none), want, "{kind:?} {raw}");
            if let Ok(value) = value {
                assert_eq!(kind.value(&value, DateOrder::DayFirst), Ok(value), "{kind:?} again");
            }
        }
    }
}
