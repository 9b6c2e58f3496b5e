//! What can a blocking key be made of, and how is that written?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::record::Field;

/// One part of a blocking key. Written as text: `email`, `surname:3`, `birth_year`, `any_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Part {
    /// The value of a field.
    Value(Field),
    /// The first so many characters of a field's value, 1 to 99.
    Beginning(Field, u8),
    /// How the surname sounds.
    SurnameSound,
    /// The year of birth.
    Year,
    /// Month and day of birth, the lesser first, so that swapped ones meet.
    MonthDay,
    /// Year of birth, then month and day as above.
    YearMonthDay,
    /// The e-mail address before the `@`.
    EmailLocal,
    /// The first word of the street.
    Street1,
    /// The outward part of the postcode.
    Outward,
    /// How a name token sounds; each makes a key of its own.
    AnyToken,
    /// Each pair of name tokens makes a key of its own.
    TokenPair,
}

/// The parts that are not a field's value or its beginning, by their names.
const NAMED: [(&str, Part); 9] = [
    ("surname_sound", Part::SurnameSound),
    ("birth_year", Part::Year),
    ("birth_month_day", Part::MonthDay),
    ("birth_year_month_day", Part::YearMonthDay),
    ("email_local", Part::EmailLocal),
    ("street_word", Part::Street1),
    ("outward_code", Part::Outward),
    ("any_name", Part::AnyToken),
    ("name_pair", Part::TokenPair),
];

impl Part {
    /// The fields that it is made from.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Value(field) | Self::Beginning(field, _) => {
                std::slice::from_ref(&Field::ALL[field as usize])
            }
            Self::SurnameSound => &[Field::Surname],
            Self::Year | Self::MonthDay | Self::YearMonthDay => &[Field::BirthDate],
            Self::EmailLocal => &[Field::Email],
            Self::Street1 => &[Field::Street],
            Self::Outward => &[Field::Postcode],
            Self::AnyToken | Self::TokenPair => &[Field::Given, Field::Surname],
        }
    }

    /// Reads a part; `field` knows the names of fields.
    ///
    /// **Errors:** what is wrong with the text, or what `field` says.
    pub fn read(text: &str, field: impl Fn(&str) -> Result<Field, String>) -> Result<Self, String> {
        if let Some((_, part)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*part);
        }
        let Some((name, length)) = text.split_once(':') else {
            return field(text).map(Self::Value);
        };
        let field = field(name)?;
        match length.parse() {
            Ok(length @ 1..=99) => Ok(Self::Beginning(field, length)),
            _ => Err("after the colon stands how many characters count, 1 to 99".into()),
        }
    }

    /// Whether a record may have several; such a part can only come first in a key.
    pub const fn is_many(self) -> bool {
        matches!(self, Self::AnyToken | Self::TokenPair)
    }

    /// The names of the parts that are not a field's value or its beginning.
    pub fn names() -> [&'static str; NAMED.len()] {
        NAMED.map(|(name, _)| name)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(field) => f.write_str(field.name()),
            Self::Beginning(field, length) => write!(f, "{}:{length}", field.name()),
            part => {
                let named = NAMED.iter().find(|(_, named)| named == part);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, |name| {
            Field::of_name(name).ok_or_else(|| format!("`{text}` is no part of a blocking key"))
        })
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_as_it_is_written() {
        let fields = Field::ALL.into_iter();
        let of_fields = fields.flat_map(|f| [Part::Value(f), Part::Beginning(f, 3)]);
        for part in of_fields.chain(NAMED.map(|(_, part)| part)) {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "nose", "surname:", "surname:0", "surname:100", "nose:3", "any_name:2"] {
            text.parse::<Part>().expect_err(text);
        }
    }
}
