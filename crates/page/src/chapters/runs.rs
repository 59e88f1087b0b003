//! All runs: their table, their curves, and what changes while they train, wherever they were started.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use m2g_core::train::run_folder::{METRICS, logged_steps, metrics};
use serde_json::{Value, json};

use crate::models::Listed;
use crate::server::reply::{Answer, Refusal, Reply, event};
use crate::server::request::Request;
use crate::state::State;
use crate::watch::Watch;

/// How often the folders are looked at while somebody watches.
const INTERVAL: Duration = Duration::from_millis(400);
/// The most points of a curve, unless the page asks for fewer.
const POINTS: usize = 500;
const MOST_POINTS: usize = 5000;
/// The most runs whose curves are read at once.
const MOST_RUNS: usize = 50;

/// All runs.
pub fn list(state: &State, _: &Request) -> Answer {
    let runs = state.models.runs()?;
    let all: Vec<Value> = runs.iter().map(|run| state.watch.summary(&state.commands, run).0).collect();
    Ok(Reply::Json(json!({"runs": all})))
}

/// The curves of some runs.
pub fn curves(state: &State, request: &Request) -> Answer {
    let points = request.number("points", POINTS)?.clamp(2, MOST_POINTS);
    let names: Vec<&str> = request.all("run").take(MOST_RUNS).collect();
    let listed = state.models.runs()?;
    let mut runs = Vec::new();
    for name in names {
        let run = listed.iter().find(|run| run.name == name);
        let run = run.ok_or_else(|| Refusal::missing(format!("there is no run called {name}")))?;
        let (summary, _) = state.watch.summary(&state.commands, run);
        // A run that was never trained has no metrics.
        let has_metrics = run.path.join(METRICS).is_file();
        let (evaluations, steps) = match has_metrics {
            true => (metrics(&run.path)?, logged_steps(&run.path)?),
            false => Default::default(),
        };
        runs.push(json!({
            "name": name, "kind": summary["kind"], "evaluations": thinned(evaluations, points),
            "steps": thinned(steps, points),
        }));
    }
    Ok(Reply::Json(json!({"runs": runs})))
}

/// At most `points` of the values, evenly spread; the first and the last stay.
fn thinned(values: Vec<Value>, points: usize) -> Vec<Value> {
    let n = values.len();
    if n <= points {
        return values;
    }
    let chosen: Vec<usize> = (0..points).map(|i| i * (n - 1) / (points - 1)).collect();
    let mut at = chosen.into_iter().peekable();
    let keep = |(i, value): (usize, Value)| at.next_if_eq(&i).map(|_| value);
    values.into_iter().enumerate().filter_map(keep).collect()
}

/// Streams what changes.
pub fn events(state: &State, _: &Request) -> Answer {
    let receiver = state.watch.hub.join([]);
    if !state.watch.looking.swap(true, Relaxed) {
        let (watch, commands) = (Arc::clone(&state.watch), state.commands);
        let look = Look { state: State::new(state.models.asked().to_vec(), commands) };
        let spawned =
            std::thread::Builder::new().name("watch runs".into()).spawn(move || look.until_unheard(&watch));
        if let Err(error) = spawned {
            state.watch.looking.store(false, Relaxed);
            return Err(error.into());
        }
    }
    Ok(Reply::Events(receiver))
}

/// The thread that looks at the folders.
struct Look {
    /// Its own listing and summaries.
    state: State,
}

impl Look {
    fn until_unheard(self, watch: &Watch) {
        let (mut names, mut first) = (Vec::new(), true);
        loop {
            while watch.hub.is_heard() {
                // A listing that cannot be read now is read the next time.
                if let Ok(runs) = self.state.models.runs() {
                    names = self.tell(watch, &runs, &names, first);
                    first = false;
                }
                std::thread::sleep(INTERVAL);
            }
            watch.looking.store(false, Relaxed);
            // Somebody may have come just now, who saw this thread still looking.
            if !watch.hub.is_heard() || watch.looking.swap(true, Relaxed) {
                return;
            }
        }
    }

    /// Tells what has changed since the last look, at which the runs had these names. Returns their names now.
    fn tell(&self, watch: &Watch, runs: &[Listed], before: &[String], first: bool) -> Vec<String> {
        let mut changed = Vec::new();
        for run in runs {
            let (summary, is_new) = self.state.watch.summary(&self.state.commands, run);
            if is_new && !first {
                changed.push(summary);
            }
        }
        let now: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
        let gone: Vec<&String> = before.iter().filter(|name| !now.contains(name)).collect();
        if !changed.is_empty() || !gone.is_empty() {
            watch.hub.send(&event("runs", &json!({"runs": changed, "gone": gone})));
        }
        now
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn thinning_keeps_the_ends() {
        let values: Vec<Value> = (0..1000).map(|i| json!(i)).collect();
        let few = thinned(values.clone(), 7);
        assert_eq!((few.len(), &few[0], &few[6]), (7, &json!(0), &json!(999)));
        assert_eq!(thinned(values[..5].to_vec(), 7).len(), 5);
    }
}
