//! Which model decides?

use std::fs;

use crate::config::{MatchPlan, OperatingPoint};
use crate::error::{Context, Error, Kind, Result};
use crate::score::Model;
use crate::state::Store;

/// About how many customers there are, where the pipeline does not say.
const EXPECTED_CUSTOMERS: f64 = 20_000.0;

/// Merges stop below this match weight under the built-in model, in bits.
const THRESHOLD_BITS: f64 = 0.0;
/// How far the named operating points lie from the balanced one, in bits.
const OPERATING_POINT_BITS: f64 = 3.0;

/// The model that is frozen with the state; on an empty state the pipeline's is, from now on.
///
/// **Errors:** `Invalid` where the model file cannot be read, or is not the one that the state was made with.
pub(super) fn frozen(plan: &MatchPlan, store: &mut Store) -> Result<Model> {
    let wanted = wanted(plan)?;
    let Some(frozen) = store.model()? else {
        store.set_model(wanted.to_json().as_bytes())?;
        return Ok(wanted);
    };
    let text = String::from_utf8(frozen.bytes).context(Kind::Data, "read the frozen model")?;
    let frozen = Model::from_json(&text)
        .map_err(|error| Error::data("state: the frozen model cannot be read").caused_by(error))?;
    if frozen != wanted {
        return Err(Error::invalid(
            "[match]: the state was made with another model; records that were matched under one model must not be \
             matched under another: set it back, or run with a new [state] path and publish.url",
        ));
    }
    Ok(frozen)
}

/// The model that the pipeline file asks for.
pub(super) fn wanted(plan: &MatchPlan) -> Result<Model> {
    let mut model = match &plan.model {
        Some(path) => {
            let name = path.display();
            let text = fs::read_to_string(path)
                .context(Kind::Invalid, format!("match.model = {name}: read model file"))?;
            Model::from_json(&text)
                .map_err(|error| error.context(format!("match.model = {name}")))?
        }
        None => built_in(plan),
    };
    let parameters = &mut model.parameters;
    parameters.block_cap = plan.block_cap;
    parameters.component_cap = plan.component_cap;
    if let Some(bits) = plan.threshold_bits {
        parameters.threshold_bits = bits;
    }
    match plan.operating_point {
        Some(OperatingPoint::Precise) => parameters.threshold_bits += OPERATING_POINT_BITS,
        Some(OperatingPoint::Broad) => parameters.threshold_bits -= OPERATING_POINT_BITS,
        Some(OperatingPoint::Balanced) | None => {}
    }
    Ok(model)
}

fn built_in(plan: &MatchPlan) -> Model {
    #[expect(clippy::cast_precision_loss, reason = "about how many")]
    let customers = plan.expected_customers.map_or(EXPECTED_CUSTOMERS, |count| count as f64);
    let mut model = Model::default_with(customers);
    model.parameters.threshold_bits = THRESHOLD_BITS;
    model
}
