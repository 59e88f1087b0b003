//! What there is: models, a training in progress.

use m2g_core::threads;
use serde_json::{Value, json};

use crate::models::KINDS;
use crate::server::reply::{Answer, Reply};
use crate::server::request::Request;
use crate::state::State;

/// What there is: models, a training in progress.
pub fn answer(state: &State, _: &Request) -> Answer {
    let mut models = Vec::new();
    for run in state.models.runs()? {
        let (summary, _) = state.watch.summary(&state.commands, &run);
        models.push(json!({
            "name": run.name, "kind": summary["kind"], "trained": true, "run": true, "asked": run.asked,
            "wrong": summary["wrong"], "best": summary["best"], "metric": summary["metric"], "saved": summary["saved"],
        }));
    }
    // Runs that the user named keep their place; the others follow, latest first.
    models.sort_by_key(|model| {
        let saved = model["saved"].as_str().unwrap_or_default().to_string();
        (model["asked"] != json!(true), std::cmp::Reverse(saved))
    });
    models.extend(KINDS.map(|kind| {
        json!({
            "name": kind, "kind": kind, "trained": false, "run": false, "asked": false, "wrong": Value::Null,
            "best": Value::Null, "metric": Value::Null,
        })
    }));
    Ok(Reply::Json(json!({
        "version": env!("CARGO_PKG_VERSION"), "models": models,
        "training": state.training.view(), "threads": threads::current(),
    })))
}
