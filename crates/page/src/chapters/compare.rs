//! One core: the functions that two models share, and their source.

use crate::models::KINDS;
use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;

/// What `m2g compare` says of two models.
pub fn compare(state: &State, request: &Request) -> Answer {
    let name = |key: &str, default: &str| {
        let name = request.text(key).unwrap_or(default).to_string();
        match KINDS.contains(&name.as_str()) {
            true => Ok(name),
            false => Ok::<_, Refusal>(state.models.folder(&name)?.display().to_string()),
        }
    };
    let (a, b) = (name("a", KINDS[0])?, name("b", KINDS[1])?);
    Ok(Reply::Json((state.commands.compare)(&a, &b)?))
}

/// The source at a place that a trace names.
pub fn source(state: &State, request: &Request) -> Answer {
    let (file, line) = (request.required("file")?, request.number("line", 1)?);
    let found = (state.commands.source)(file, line, request.switch("caller"));
    found
        .map(Reply::Json)
        .ok_or_else(|| Refusal::missing(format!("{file} has no line {line} in this program")))
}
