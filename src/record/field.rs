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
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = 18;

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
    ];

    /// The name in pipeline files, model files, tables and explanations.
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
        }
    }

    /// Whether one value of this field points at one customer, or a few who share it.
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
