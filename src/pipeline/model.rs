//! Which model decides?
//!
//! A model file; else, where all sources are files, one that is learnt from them first; else the built-in model, which
//! needs to know about how many customers there are, since that is what makes an agreement of names remarkable or not.
//! Where the pipeline says how many (`expected_customers`), it means the built-in model. Whichever model a state began
//! with is frozen with it.

use std::fs;

use super::gather::gather;
use crate::clock::Stopwatch;
use crate::config::{OperatingPoint, Plan};
use crate::error::{Context, Error, Kind, Result};
use crate::record::{Identity, RecordKey};
use crate::score::Model;
use crate::source::Input;
use crate::state::{self, Store};
use crate::telemetry::{ModelBuiltIn, ModelTrained};
use crate::train::{self, Trained, train};

/// About how many customers there are, where neither pipeline nor files say.
const EXPECTED_CUSTOMERS: f64 = 100_000.0;
/// How many records of an export are of one customer, about; and how few customers are assumed at least.
const RECORDS_PER_CUSTOMER: f64 = 4.0;
const LEAST_CUSTOMERS: f64 = 250.0;
/// Merges stop below this match weight under the built-in model, in bits: rows of an export say much each, events
/// little, and a wrong merge of events joins two whole histories.
const ROWS_THRESHOLD_BITS: f64 = -3.0;
const EVENTS_THRESHOLD_BITS: f64 = 0.0;
/// Edges of the candidate graph start here. Lower, and an identifier that a few people seem to use links them all: at
/// −3 offices, households and namesakes grew into components of thousands, with no better clusters (events of 10,000
/// customers: F1 .948 at 0 and at −1.5, with a third of the pairs to weigh).
const EVENTS_EDGE_BITS: f64 = 0.0;
/// How far the named operating points lie from the balanced one, in bits.
const OPERATING_POINT_BITS: f64 = 3.0;
/// Of more records than this a job does not learn by itself: it would take longer than the job.
const RECORDS_LEARNT_MAX: usize = 500_000;

/// The model that is frozen with the state; on an empty state the pipeline's is, from now on.
///
/// **Errors:** `Invalid` where the model file cannot be read, or is not the one that the state was made with.
pub(super) fn frozen(plan: &Plan, store: &mut Store) -> Result<Model> {
    let text = match store.model()? {
        None => {
            let text = first(plan)?.to_json();
            store.set_model(text.as_bytes())?;
            text
        }
        Some(frozen) => {
            let text = String::from_utf8(frozen.bytes).context(Kind::Data, "read the model")?;
            if asked_for(plan, &text)?.to_json() != text {
                return Err(Error::invalid(
                    "[match]: the state was made with another model, and records that were matched under one must \
                     not be matched under another: set it back, or see with `onefold diff PIPELINE` what this one would \
                     change, and let `onefold rematch PIPELINE` match all records again",
                ));
            }
            text
        }
    };
    // Always as it reads from its text, so that the first run and every later one weigh alike to the last bit.
    read(&text)
}

/// The model of a state, as it was frozen.
pub(super) fn kept(frozen: state::Model) -> Result<Model> {
    read(&String::from_utf8(frozen.bytes).context(Kind::Data, "read the model")?)
}

/// The model that the pipeline asks for now, and its text; `None` where the state was made with it.
///
/// **Errors:** `Invalid` where the state has no model yet, or the model file cannot be read.
pub(super) fn other(plan: &Plan, store: &Store) -> Result<Option<(Model, String)>> {
    let frozen = store.model()?.ok_or_else(|| {
        Error::invalid("[state] path: the state is empty: run the pipeline first")
    })?;
    let frozen = String::from_utf8(frozen.bytes).context(Kind::Data, "read the model")?;
    let text = asked_for(plan, &frozen)?.to_json();
    Ok(if text == frozen { None } else { Some((read(&text)?, text)) })
}

/// The model that the pipeline asks for, beside the one that is frozen: where nobody says how many customers there are,
/// the state's own answer stays, and what it learnt by itself.
fn asked_for(plan: &Plan, frozen: &str) -> Result<Model> {
    let mut frozen = read(frozen)?;
    let customers = plan.matching.expected_customers;
    match &frozen.training {
        Some(training) if plan.matching.model.is_none() && customers.is_none() => {
            frozen.parameters.threshold_bits = training.threshold_bits;
            // An operating point may have lowered it.
            if let Some(bits) = training.edge_bits {
                frozen.parameters.edge_bits = bits;
            }
            set(plan, frozen)
        }
        _ => wanted(plan, customers.map_or(frozen.parameters.entities, count)),
    }
}

/// The model for a state that has none.
fn first(plan: &Plan) -> Result<Model> {
    let matching = &plan.matching;
    let endless = plan.sources.iter().any(|source| matches!(source.input, Input::Kafka(_)));
    if let Some(customers) = matching.expected_customers {
        return wanted(plan, count(customers));
    }
    if matching.model.is_some() || endless {
        return wanted(plan, EXPECTED_CUSTOMERS);
    }
    let records = gather(plan)?.records;
    let found = records.len();
    let reason = if records.len() < train::Settings::default().least_records {
        "too_few_records"
    } else if records.len() > RECORDS_LEARNT_MAX {
        "too_many_records"
    } else {
        let clock = Stopwatch::start();
        match learn(plan, records.into_iter().collect()) {
            Ok(Trained { model, report }) => {
                let (records, customers) = (report.records, report.customers);
                ModelTrained { records, customers, duration: clock.elapsed() }.emit();
                return set(plan, model);
            }
            // The records say too little of each other to learn from.
            Err(_) => "too_little_in_common",
        }
    };
    ModelBuiltIn { records: found, reason }.emit();
    let found = count(found as u64);
    wanted(plan, (found / RECORDS_PER_CUSTOMER).max(LEAST_CUSTOMERS))
}

/// Learns a model from records, with the fields, rules and caps of the pipeline; its threshold is its own.
///
/// **Errors:** `Invalid` where the records are too few or say too little of each other.
pub fn learn(plan: &Plan, records: Vec<(RecordKey, Identity)>) -> Result<Trained> {
    let customers = (count(records.len() as u64) / RECORDS_PER_CUSTOMER).max(LEAST_CUSTOMERS);
    let mut base = built_in(plan, customers);
    base = base.changed(&plan.matching.changes).map_err(|error| error.context("[match]"))?;
    base.parameters.block_cap = plan.matching.block_cap;
    base.parameters.component_cap = plan.matching.component_cap;
    train(&base, records, &train::Settings::default())
}

fn read(text: &str) -> Result<Model> {
    Model::from_json(text)
        .map_err(|error| Error::data("state: the frozen model cannot be read").caused_by(error))
}

/// The model that the pipeline file asks for, where there are about so many customers.
///
/// **Errors:** `Invalid` where the model file cannot be read.
pub(super) fn wanted(plan: &Plan, customers: f64) -> Result<Model> {
    let matching = &plan.matching;
    let model = match &matching.model {
        Some(path) => {
            let name = path.display();
            let text = fs::read_to_string(path)
                .context(Kind::Invalid, format!("match.model = {name}: read model file"))?;
            Model::from_json(&text)
                .map_err(|error| error.context(format!("match.model = {name}")))?
        }
        None => built_in(plan, customers),
    };
    set(plan, model)
}

/// A model as the pipeline's own settings would have it.
fn set(plan: &Plan, model: Model) -> Result<Model> {
    let matching = &plan.matching;
    let mut model = model.changed(&matching.changes).map_err(|error| error.context("[match]"))?;
    let parameters = &mut model.parameters;
    parameters.block_cap = matching.block_cap;
    parameters.component_cap = matching.component_cap;
    if let Some(bits) = matching.threshold_bits {
        parameters.threshold_bits = bits;
    }
    match matching.operating_point {
        Some(OperatingPoint::Precise) => parameters.threshold_bits += OPERATING_POINT_BITS,
        Some(OperatingPoint::Broad) => parameters.threshold_bits -= OPERATING_POINT_BITS,
        Some(OperatingPoint::Balanced) | None => {}
    }
    // What may merge must be found.
    parameters.edge_bits = parameters.edge_bits.min(parameters.threshold_bits);
    Ok(model)
}

fn built_in(plan: &Plan, customers: f64) -> Model {
    let mut model = Model::default_with(customers);
    let rows = plan.sources.iter().all(|source| !source.mapping.record_id.is_empty());
    let (threshold, edge) = if rows {
        (ROWS_THRESHOLD_BITS, ROWS_THRESHOLD_BITS)
    } else {
        (EVENTS_THRESHOLD_BITS, EVENTS_EDGE_BITS)
    };
    model.parameters.threshold_bits = threshold;
    model.parameters.edge_bits = edge;
    model
}

fn count(customers: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "about how many")]
    let customers = customers as f64;
    customers
}
