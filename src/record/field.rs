//! Which fields are records compared on?

use serde::{Deserialize, Serialize};

/// A field that two records are compared on; a normalised record has at most one value in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Field {
    Given,
    Surname,
    BirthDate,
    Email,
    Phone,
    GovernmentId,
    House,
    Street,
    Street2,
    City,
    Region,
    Postcode,
    Gender,
    Occupation,
    Loyalty,
    Cookie,
    Device,
    Card,
    /// A field that the model names and gives its meaning; so are the ones after it.
    Custom1,
    Custom2,
    Custom3,
    Custom4,
    Custom5,
    Custom6,
    Custom7,
    Custom8,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = 26;

    /// The fields that mean nothing until a model names them.
    pub const CUSTOM: [Self; 8] = [
        Self::Custom1,
        Self::Custom2,
        Self::Custom3,
        Self::Custom4,
        Self::Custom5,
        Self::Custom6,
        Self::Custom7,
        Self::Custom8,
    ];

    /// Every field, in the order of the model.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Given,
        Self::Surname,
        Self::BirthDate,
        Self::Email,
        Self::Phone,
        Self::GovernmentId,
        Self::House,
        Self::Street,
        Self::Street2,
        Self::City,
        Self::Region,
        Self::Postcode,
        Self::Gender,
        Self::Occupation,
        Self::Loyalty,
        Self::Cookie,
        Self::Device,
        Self::Card,
        Self::Custom1,
        Self::Custom2,
        Self::Custom3,
        Self::Custom4,
        Self::Custom5,
        Self::Custom6,
        Self::Custom7,
        Self::Custom8,
    ];

    /// The name in pipeline files, model files, tables and explanations. A custom field's own name is the model's to
    /// know.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Surname => "surname",
            Self::BirthDate => "birth_date",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::GovernmentId => "government_id",
            Self::House => "house",
            Self::Street => "street",
            Self::Street2 => "street2",
            Self::City => "city",
            Self::Region => "region",
            Self::Postcode => "postcode",
            Self::Gender => "gender",
            Self::Occupation => "occupation",
            Self::Loyalty => "loyalty",
            Self::Cookie => "cookie",
            Self::Device => "device",
            Self::Card => "card",
            Self::Custom1 => "custom1",
            Self::Custom2 => "custom2",
            Self::Custom3 => "custom3",
            Self::Custom4 => "custom4",
            Self::Custom5 => "custom5",
            Self::Custom6 => "custom6",
            Self::Custom7 => "custom7",
            Self::Custom8 => "custom8",
        }
    }

    /// The field of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Whether it means nothing until a model names it.
    pub const fn is_custom(self) -> bool {
        self as u8 >= Self::Custom1 as u8
    }

    /// Whether one value of this field points at one customer, or a few who share it. Of a custom field only the model
    /// knows.
    pub const fn is_identifier(self) -> bool {
        matches!(
            self,
            Self::Email
                | Self::Phone
                | Self::GovernmentId
                | Self::Loyalty
                | Self::Cookie
                | Self::Device
                | Self::Card
        )
    }
}
