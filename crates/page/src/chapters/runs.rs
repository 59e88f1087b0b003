//! All runs: their table, their curves, and what changes while they train, wherever they were started.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use m2g_core::train::run_folder::{METRICS, logged_steps, metrics};
use serde_json::{Value, json};

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
    if !state.watch.looking.swap(true, Relaxed)
        && let Err(refusal) = Look::start(state)
    {
        state.watch.looking.store(false, Relaxed);
        return Err(refusal);
    }
    Ok(Reply::Events(receiver))
}

/// The thread that looks at the folders.
struct Look {
    /// Its own listing and summaries.
    state: State,
}

impl Look {
    /// Starts the thread. The first look is over before the stream is open: whoever then reads the list is told of all
    /// that changes later.
    fn start(state: &State) -> Result<(), Refusal> {
        let look = Self { state: State::new(state.models.asked().to_vec(), state.commands) };
        let (_, names) = look.changes()?;
        let watch = Arc::clone(&state.watch);
        std::thread::Builder::new()
            .name("watch runs".into())
            .spawn(move || look.until_unheard(&watch, names))?;
        Ok(())
    }

    /// The runs that have changed since the last look, and the names of all.
    fn changes(&self) -> Result<(Vec<Value>, Vec<String>), Refusal> {
        let runs = self.state.models.runs()?;
        let seen = runs.iter().map(|run| self.state.watch.summary(&self.state.commands, run));
        let changed = seen.filter_map(|(summary, is_new)| is_new.then_some(summary)).collect();
        Ok((changed, runs.into_iter().map(|run| run.name).collect()))
    }

    /// Tells what changes after a look at which the runs had these names.
    fn until_unheard(self, watch: &Watch, mut names: Vec<String>) {
        loop {
            while watch.hub.is_heard() {
                std::thread::sleep(INTERVAL);
                // A listing that cannot be read now is read the next time.
                let Ok((changed, now)) = self.changes() else { continue };
                let gone: Vec<&String> = names.iter().filter(|name| !now.contains(name)).collect();
                if !changed.is_empty() || !gone.is_empty() {
                    watch.hub.send(&event("runs", &json!({"runs": changed, "gone": gone})));
                }
                names = now;
            }
            watch.looking.store(false, Relaxed);
            // Somebody may have come just now, who saw this thread still looking.
            if !watch.hub.is_heard() || watch.looking.swap(true, Relaxed) {
                return;
            }
        }
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
