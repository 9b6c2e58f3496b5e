//! What does a receipt of an erasure say?
//!
//! What was removed where, in numbers and names of files; nothing of who it was. It is signed under
//! a secret of the state, so whoever has the state can tell a receipt of its own from any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Plan;
use crate::error::{Context, Error, Kind, Result};
use crate::pipeline::opening::open_existing_state;

/// The receipt of one erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its name, in hexadecimal digits.
    pub receipt: String,
    /// The pipeline.
    pub pipeline: String,
    /// When it was asked for.
    pub requested_at: String,
    /// By what kind of identifier the person was found.
    pub found_by: String,
    /// The identities that are no more.
    pub identities: Vec<String>,
    /// How many records were removed from the state.
    pub records: u64,
    /// How many events, of which only a keyed mark is left.
    pub events: u64,
    /// How many dead letters that named the person.
    pub dead_letters: u64,
    /// What was removed from each table, by its name.
    pub tables: BTreeMap<String, TableTrace>,
    /// The commits of the snapshots of the state that were deleted.
    pub snapshots: Vec<u64>,
    /// The commit of the state in which the person is no more; all of the state was written anew behind it.
    pub state: u64,
    /// What an erasure does not reach.
    pub not_reached: Vec<String>,
    /// A keyed BLAKE3 of all the above, in hexadecimal digits.
    #[serde(default)]
    pub signature: String,
}

/// What was removed from a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTrace {
    /// The version without the person.
    pub version: u64,
    /// Rows that were removed from its files.
    pub rows: u64,
    /// The files that held them, and were replaced and deleted.
    pub files: Vec<String>,
    /// How many files of earlier versions were deleted beside them.
    pub deleted_files: u64,
    /// How many files of the log.
    pub deleted_log_files: u64,
}

impl Receipt {
    /// What is signed: the receipt without its signature, as compact JSON.
    pub(in crate::pipeline) fn to_sign(&self) -> Result<Vec<u8>> {
        let unsigned = Self { signature: String::new(), ..self.clone() };
        serde_json::to_vec(&unsigned).context(Kind::Internal, "encode a receipt")
    }
}

/// Whether the state of a pipeline signed a receipt, given as JSON; returns the receipt if so.
///
/// **Errors:** `Invalid` where it is none, or not of this state, or was changed since.
pub fn receipt_of(plan: &Plan, json: &[u8]) -> Result<Receipt> {
    let receipt: Receipt = serde_json::from_slice(json)
        .map_err(|error| Error::invalid(format!("this is no receipt of an erasure: {error}")))?;
    let mut store = open_existing_state(&plan.state)?;
    let signature = blake3::Hash::from_bytes(store.sign(&receipt.to_sign()?)?);
    store.settle()?;
    // Compared in constant time.
    match blake3::Hash::from_hex(&receipt.signature) {
        Ok(given) if given == signature => Ok(receipt),
        _ => Err(Error::invalid("the receipt was not signed by this state, or was changed since")),
    }
}
