//! What a currency's smallest unit is, and how an event's amount becomes a count of it.

use super::decimal::scaled;
use super::{Text, When, at_text, first};
use crate::record::{Money, MoneyKind, Reason};
use crate::source::Fault;
use crate::source::json::{Json, Pointer};

/// Which events move money, and where its amount and currency stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyRule {
    /// Whether it is paid or given back.
    pub kind: MoneyKind,
    /// Which events it holds for.
    pub when: When,
    /// The amount, a JSON number or its text; the first that is present.
    pub amount: Vec<Pointer>,
    /// The ISO 4217 code.
    pub currency: Text,
    /// Decimals of the minor unit; `None` takes the currency's own.
    pub decimals: Option<u8>,
}

impl MoneyRule {
    /// The money of the event; `None` where the rule does not hold or there is no amount.
    pub(super) fn read(&self, root: &Json<'_>) -> Result<Option<Money>, Fault> {
        if !self.when.holds(root) {
            return Ok(None);
        }
        let Some((path, value)) = first(&self.amount, root) else { return Ok(None) };
        let currency = at_text(&self.currency, root)?.trim().to_ascii_uppercase();
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(wrong(&self.currency, "a currency code of three letters"));
        }
        let decimals = self.decimals.unwrap_or_else(|| decimals_of(&currency));
        let minor = value
            .scalar()
            .and_then(|text| scaled(text.trim(), decimals.into()))
            .ok_or_else(|| wrong(path, "an amount"))?;
        // A negative purchase is how many tills write a return; what is given back is counted
        // without a sign.
        let kind = if minor < 0 { MoneyKind::Return } else { self.kind };
        let minor = minor.checked_abs().ok_or_else(|| wrong(path, "an amount"))?;
        Ok(Some(Money { kind, currency, decimals, minor }))
    }
}

fn wrong(at: &dyn std::fmt::Display, expected: &str) -> Fault {
    Fault { reason: Reason::WrongType, detail: format!("{at}: expected {expected}") }
}

/// The decimals of a currency's minor unit by ISO 4217.
fn decimals_of(currency: &str) -> u8 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}
