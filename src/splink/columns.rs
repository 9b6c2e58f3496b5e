//! Which field does a column stand for?

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::record::Field;
use crate::score::Level;

/// Names that columns of one meaning commonly have.
const COMMON: [(&[&str], Field); 15] = [
    (
        &["first_name", "firstname", "forename", "forename1", "fname", "given_name", "givenname"],
        Field::Given,
    ),
    (&["last_name", "lastname", "lname", "family_name", "sur_name"], Field::Surname),
    (&["dob", "date_of_birth", "birthdate", "birthday"], Field::BirthDate),
    (&["email_address", "e_mail", "mail"], Field::Email),
    (
        &["phone_number", "phonenumber", "telephone", "telephone_number", "tel", "mobile"],
        Field::Phone,
    ),
    (
        &["ssn", "social_security_number", "national_insurance_number", "nino", "tax_id"],
        Field::GovernmentId,
    ),
    (&["house_number", "street_number"], Field::House),
    (&["street_name", "address", "address_1", "address1", "address_line_1"], Field::Street),
    (&["address_2", "address2", "address_line_2"], Field::Street2),
    (&["town", "suburb", "locality"], Field::City),
    (&["state", "county", "province"], Field::Region),
    (&["zip", "zipcode", "zip_code", "postal_code", "postcode_fake", "post_code"], Field::Postcode),
    (&["sex"], Field::Gender),
    (&["job", "profession"], Field::Occupation),
    (&["loyalty_id", "loyalty_number"], Field::Loyalty),
];

/// The fields of columns, as they come to be named.
pub(super) struct Columns {
    /// What the user says.
    given: BTreeMap<String, String>,
    /// The custom fields so far, by name, in the order of their slots.
    own: Vec<(String, &'static str)>,
}

impl Columns {
    pub(super) fn new(given: &BTreeMap<String, String>) -> Result<Self> {
        let given: BTreeMap<String, String> = given
            .iter()
            .map(|(column, field)| (column.to_lowercase(), field.trim().to_owned()))
            .collect();
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let wrong = given.iter().find(|(_, name)| {
            name.is_empty()
                || !name.chars().all(legal)
                || Field::of_name(name).is_some_and(Field::is_custom)
        });
        if let Some((column, field)) = wrong {
            return Err(Error::invalid(format!(
                "--column {column}={field}: give a field such as given, birth_date or postcode, or a name for a \
                 field of your own, of small letters, digits and `_`"
            )));
        }
        Ok(Self { given, own: Vec::new() })
    }

    /// The field that these columns are, compared on these levels.
    pub(super) fn field(&mut self, columns: &[String], levels: &[Level]) -> Result<Field, String> {
        let Some(column) = columns.first() else { return Err("it names no column".into()) };
        let name = match self.given.get(column) {
            Some(name) => name.clone(),
            None if columns.len() > 1 => "location".to_owned(),
            None => common(column).map_or_else(|| column.clone(), |field| field.name().to_owned()),
        };
        if let Some(field) = Field::of_name(&name).filter(|field| !field.is_custom()) {
            return Ok(field);
        }
        if let Some(at) = self.own.iter().position(|(own, _)| *own == name) {
            return Ok(Field::CUSTOM[at]);
        }
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.chars().all(legal) || Field::of_name(&name).is_some() {
            return Err(format!("`{name}` cannot name a field; say --column \"{name}\"=FIELD"));
        }
        let slot = Field::CUSTOM.get(self.own.len()).copied();
        let slot = slot.ok_or("there can be 8 fields of one's own, not more")?;
        self.own.push((name, kind_of(levels)));
        Ok(slot)
    }

    /// The name of a custom field.
    pub(super) fn name(&self, field: Field) -> Option<String> {
        self.own(field).map(|(name, _)| name.clone())
    }

    /// What the values of a custom field are, in the words of pipeline files.
    pub(super) fn kind(&self, field: Field) -> Option<&'static str> {
        self.own(field).map(|(_, kind)| *kind)
    }

    fn own(&self, field: Field) -> Option<&(String, &'static str)> {
        let at = Field::CUSTOM.iter().position(|custom| *custom == field)?;
        self.own.get(at)
    }
}

fn common(column: &str) -> Option<Field> {
    let named = |(names, field): &(&[&str], Field)| names.contains(&column).then_some(*field);
    let built_in = Field::of_name(column).filter(|field| !field.is_custom());
    built_in.or_else(|| COMMON.iter().find_map(named))
}

/// What values must be for levels to make sense.
fn kind_of(levels: &[Level]) -> &'static str {
    let kind = levels.iter().find_map(|level| match level {
        Level::DaysWithin(_) => Some("date"),
        Level::KilometresWithin(_) => Some("location"),
        Level::NumberWithin(_) | Level::ShareWithin(_) => Some("number"),
        Level::SharedToken | Level::SharedTokens(_) => Some("words"),
        _ => None,
    });
    kind.unwrap_or("text")
}
