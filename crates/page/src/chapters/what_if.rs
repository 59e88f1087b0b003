//! What if the score or the mask were another one? What there is to choose, and what experiments measured.

use m2g_core::Mask;
use m2g_core::nn::Score;
use serde_json::json;

use crate::server::reply::{Answer, Reply};
use crate::server::request::Request;
use crate::state::State;

/// The scores and masks, those of the model, and the measured results of retrained models.
pub fn choices(state: &State, request: &Request) -> Answer {
    let model = state.models.open(request.text("model").unwrap_or("gpt"))?;
    let (gpt, _) = model.gpt()?;
    let own = |score: Score| {
        let config = m2g_gpt::GptConfig { score, ..gpt.config().clone() };
        gpt.with_config(config).is_err()
    };
    let scores =
        Score::ALL.map(|score| json!({"name": score, "equation": score.equation(), "own": own(score)}));
    let others = ["causal", "reversed", "none", "window:8", "finite"];
    let mut masks: Vec<Mask> = others.iter().filter_map(|name| name.parse().ok()).collect();
    if !masks.contains(&gpt.config().mask) {
        masks.insert(0, gpt.config().mask.clone());
    }
    let lab: Vec<_> = ["score", "mask"].into_iter().flat_map(state.commands.lab).collect();
    Ok(Reply::Json(json!({
        "scores": scores, "masks": masks, "score": gpt.config().score, "mask": gpt.config().mask, "lab": lab,
    })))
}
