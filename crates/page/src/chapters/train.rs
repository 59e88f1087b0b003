//! Starts, steers and watches a training.

use m2g_core::settings::{Kind, Role, Settings};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;
use crate::training::{Order, Speed};

/// The training in progress, or the last one.
pub fn current(state: &State, _: &Request) -> Answer {
    Ok(Reply::Json(state.training.view()))
}

/// The settings of a kind of model.
pub fn settings(_: &State, request: &Request) -> Answer {
    let all = match request.required("kind")? {
        "digits" => described::<m2g_digits::Config>(),
        "gpt" => described::<m2g_gpt::Config>(),
        kind => return Err(Refusal::bad(format!("kind is {kind}: the page trains digits and gpt"))),
    };
    Ok(Reply::Json(json!({"settings": all})))
}

fn described<C: Settings + Default>() -> Vec<Value> {
    let default = C::default();
    let setting = |s: &m2g_core::settings::Setting<C>| {
        json!({
            "name": s.name, "about": s.doc.split_whitespace().collect::<Vec<_>>().join(" "), "group": s.group,
            "default": (s.stored.write)(&default).unwrap_or_default(), "resumable": s.role == Role::Resumable,
            "choices": (s.kind == Kind::Name).then(|| (s.names)()),
        })
    };
    C::SETTINGS.iter().filter(|s| s.has_flag).map(setting).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    kind: String,
    run: Option<String>,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    speed: Speed,
}

/// Starts a run.
pub fn start(state: &State, request: &Request) -> Answer {
    let Start { kind, run, settings, speed } = request.json()?;
    let path = (state.commands.new_run)(&kind, run.as_deref())?;
    let name = state.models.name_of(&path)?;
    Ok(Reply::Json(state.training.begin(Order::new(&kind, (name, path), &settings, speed)?)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    run: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    speed: Speed,
}

/// Resumes a run of the listing.
pub fn resume(state: &State, request: &Request) -> Answer {
    let Resume { run, settings, speed } = request.json()?;
    let path = state.models.folder(&run)?;
    let order = Order::resume((run, path), settings, speed)?;
    Ok(Reply::Json(state.training.begin(order)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steer {
    speed: Option<Speed>,
    #[serde(default)]
    stop: bool,
}

/// Changes the speed, takes a step, or stops.
pub fn control(state: &State, request: &Request) -> Answer {
    let Steer { speed, stop } = request.json()?;
    Ok(Reply::Json(state.training.steer(speed, stop)?))
}

/// Streams what happens.
pub fn events(state: &State, _: &Request) -> Answer {
    Ok(Reply::Events(state.training.join()))
}

/// A parameter after the last step, or its gradient.
pub fn parameter(state: &State, request: &Request) -> Answer {
    let name = request.required("name")?;
    let (mut data, mut shape, step) = state.training.parameter(name, request.switch("gradient"))?;
    if let Some(row) = request.optional::<usize>("row")? {
        let columns = shape.last().copied().unwrap_or(1).max(1);
        let rows = data.chunks_exact(columns).len();
        let chosen = data.chunks_exact(columns).nth(row).map(<[f32]>::to_vec);
        data = chosen.ok_or_else(|| Refusal::missing(format!("{name} has {rows} rows")))?;
        shape = vec![columns];
    }
    Ok(Reply::elements(&data, &shape).with("x-step", step))
}
