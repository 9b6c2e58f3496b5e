//! What else does an event tell?

use super::{decimal, first, said};
use crate::record::Details;
use crate::source::Fault;
use crate::source::json::{Json, Pointer};

/// Where the details of an event stand; of each, the first that is present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetailRule {
    /// A product category.
    pub category: Vec<Pointer>,
    /// The campaign that caused the event.
    pub campaign: Vec<Pointer>,
    /// A mood from −1 to 1.
    pub sentiment: Vec<Pointer>,
    /// A product.
    pub product: Vec<Pointer>,
    /// How many things were bought or given back.
    pub items: Vec<Pointer>,
    /// What the customer got in touch for.
    pub reason: Vec<Pointer>,
    /// Whether that was resolved.
    pub resolved: Vec<Pointer>,
    /// The customer's language.
    pub language: Vec<Pointer>,
    /// The country where they were.
    pub country: Vec<Pointer>,
    /// Their timezone, or its offset.
    pub timezone: Vec<Pointer>,
}

impl DetailRule {
    /// What cannot be read of it is left out; only a name that is too long makes a dead letter.
    pub(super) fn read(&self, root: &Json<'_>) -> Result<Details, Fault> {
        Ok(Details {
            category: said(&self.category, root)?,
            campaign: said(&self.campaign, root)?,
            sentiment_milli: sentiment(&self.sentiment, root),
            product: said(&self.product, root)?,
            items: items(&self.items, root),
            reason: said(&self.reason, root)?,
            resolved: truth(&self.resolved, root),
            language: said(&self.language, root)?,
            country: said(&self.country, root)?,
            timezone: said(&self.timezone, root)?,
            ..Details::default()
        })
    }
}

fn sentiment(paths: &[Pointer], root: &Json<'_>) -> Option<i32> {
    let (_, value) = first(paths, root)?;
    let milli = decimal::scaled(value.scalar()?.trim(), 3)?;
    i32::try_from(milli.clamp(-1000, 1000)).ok()
}

/// Whole things: a number that no basket holds is none.
fn items(paths: &[Pointer], root: &Json<'_>) -> Option<u64> {
    let (_, value) = first(paths, root)?;
    let items: u32 = value.scalar()?.trim().parse().ok()?;
    Some(items.into())
}

fn truth(paths: &[Pointer], root: &Json<'_>) -> Option<bool> {
    match first(paths, root)?.1 {
        Json::Bool(truth) => Some(*truth),
        value => match value.scalar()?.trim() {
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        },
    }
}
