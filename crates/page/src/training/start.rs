//! Starts and resumes trainings: the same settings, data and session as on the command line.

use std::path::PathBuf;

use m2g_core::settings::{Role, Settings};
use m2g_core::threads::with_threads;
use m2g_core::train::{Ended, Outcome, RunLock, Save, Session, SessionModel};
use m2g_digits::Network;
use m2g_gpt::Gpt;
use m2g_gpt::data::Corpus;
use serde_json::{Map, Value, json};

use super::eye::Eye;
use super::images::Images;
use super::one::{Speed, Stage, Training};
use crate::hub::{Hub, lock};
use crate::server::reply::{Refusal, event};

/// A training to begin.
#[derive(Debug)]
pub struct Order {
    /// The name in the listing.
    name: String,
    path: PathBuf,
    speed: Speed,
    what: What,
}

#[derive(Debug)]
enum What {
    Digits(Box<m2g_digits::Config>),
    Gpt(Box<m2g_gpt::Config>),
    Resume { kind: &'static str, settings: Map<String, Value> },
}

impl Order {
    /// A new run in a folder.
    pub fn new(
        kind: &str,
        (name, path): (String, PathBuf),
        settings: &Map<String, Value>,
        speed: Speed,
    ) -> Result<Self, Refusal> {
        let what = match kind {
            "digits" => {
                let mut config = m2g_digits::Config::default();
                set(&mut config, settings, false)?;
                config.validate()?;
                What::Digits(Box::new(config))
            }
            "gpt" => {
                let mut config = m2g_gpt::Config::default();
                set(&mut config, settings, false)?;
                config.validate()?;
                // As on the command line, a run stores what `auto` means for its data.
                config.tokenizer = config.tokenizer_kind()?.to_string();
                What::Gpt(Box::new(config))
            }
            _ => return Err(Refusal::bad(format!("kind is {kind}: the page trains digits and gpt"))),
        };
        Ok(Self { name, path, speed, what })
    }

    /// A run to resume.
    pub fn resume(
        (name, path): (String, PathBuf),
        settings: Map<String, Value>,
        speed: Speed,
    ) -> Result<Self, Refusal> {
        let kind = m2g_core::train::run_folder::kind(&path, m2g_core::train::run_folder::LAST)?;
        let kind = match kind.as_str() {
            "digits" => "digits",
            "gpt" => "gpt",
            _ => {
                return Err(Refusal::bad(format!(
                    "{} is a {kind} run: resume it on the command line",
                    path.display()
                )));
            }
        };
        Ok(Self { name, path, speed, what: What::Resume { kind, settings } })
    }

    /// Refuses a new run in a folder that exists.
    pub(super) fn check_place(&self) -> Result<(), Refusal> {
        match &self.what {
            What::Digits(_) | What::Gpt(_) if self.path.exists() => {
                Err(Refusal::bad(format!("{} exists: choose another name", self.path.display())))
            }
            _ => Ok(()),
        }
    }

    /// The training before it begins.
    pub(super) fn training(&self) -> Training {
        let (kind, settings) = match &self.what {
            What::Digits(config) => ("digits", json!(config)),
            What::Gpt(config) => ("gpt", json!(config)),
            What::Resume { kind, settings } => (*kind, json!(settings)),
        };
        Training::new(self.name.clone(), &self.path, kind, settings, self.speed)
    }

    /// Trains to the end, in the thread of the training.
    pub(super) fn run(self, training: &Training, hub: &Hub, images: &Images) {
        let trained = with_threads(0, || self.train(training, hub, images));
        let trained = trained.map_err(anyhow::Error::from).and_then(|trained| trained);
        let mut view = lock(&training.view);
        match trained {
            Ok((stage, result)) => (view.state, view.result) = (stage, result),
            Err(error) => (view.state, view.error) = (Stage::Failed, Some(error.to_string())),
        }
        drop(view);
        training.changed.notify_all();
        training.announce(hub);
    }

    fn train(self, training: &Training, hub: &Hub, images: &Images) -> anyhow::Result<(Stage, Value)> {
        let path = self.path;
        match self.what {
            What::Digits(config) => {
                let data = images.load(&config, None)?;
                let session = Session::<Network<f32>>::new(*config, &data, Save::New(&path))?;
                *lock(&training.description) = Some(session.description.clone());
                observe(session, training, hub)
            }
            What::Gpt(config) => {
                let corpus = Corpus::load_configured(&config, None)?;
                let session = Session::<Gpt<f32>>::new(*config, &corpus, Save::New(&path))?;
                observe(session, training, hub)
            }
            What::Resume { kind: "digits", settings } => {
                let lock_of_run = RunLock::take(&path)?;
                let mut description = Session::<Network<f32>>::describe(&path)?;
                set(&mut description.config, &settings, true)
                    .map_err(|refusal| anyhow::anyhow!(refusal.why))?;
                let data = images.load(&description.config, Some(description.transposed))?;
                let session = Session::<Network<f32>>::resume_locked(lock_of_run, &data, description)?;
                *lock(&training.description) = Some(session.description.clone());
                observe(session, training, hub)
            }
            What::Resume { settings, .. } => {
                let lock_of_run = RunLock::take(&path)?;
                let mut description = Session::<Gpt<f32>>::describe(&path)?;
                set(&mut description.config, &settings, true)
                    .map_err(|refusal| anyhow::anyhow!(refusal.why))?;
                let corpus = Corpus::load_configured(&description.config, description.tokenizer.as_ref())?;
                let session = Session::<Gpt<f32>>::resume_locked(lock_of_run, &corpus, description)?;
                observe(session, training, hub)
            }
        }
    }
}

/// Runs a session under the eye of the page.
fn observe<M: SessionModel>(
    mut session: Session<'_, M>,
    training: &Training,
    hub: &Hub,
) -> anyhow::Result<(Stage, Value)> {
    let options = session.options();
    let parameters = session.model.params().iter().map(|p| json!({"name": p.name, "shape": p.value.shape()}));
    let parameters: Vec<Value> = parameters.collect();
    if session.ended().is_some() {
        anyhow::bail!("{} has taken all its steps: give it more to resume it", training.path().display());
    }
    let mut view = lock(&training.view);
    (view.step, view.steps) = (session.state.step, options.steps);
    view.steps_per_evaluation = options.steps_per_evaluation;
    view.parameters = parameters;
    view.settings = serde_json::to_value(M::config(&session.description))?;
    view.state = Stage::Running;
    drop(view);
    training.announce(hub);
    for note in &session.notes {
        hub.send(&event("warning", &json!({"text": note})));
    }
    let mut eye = Eye::new(training, hub);
    let outcome = session.run(&mut eye);
    eye.flush();
    let outcome = outcome?;
    let stage = if outcome.ended == Ended::Stopped { Stage::Stopped } else { Stage::Finished };
    Ok((stage, result(&outcome)))
}

/// What a finished run has reached.
fn result(outcome: &Outcome) -> Value {
    let test: Map<String, Value> =
        outcome.best_test.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    let mut result = json!({
        "best_score": outcome.best_score, "best_step": outcome.best_step, "seconds": outcome.seconds,
        "last": outcome.last_evaluation,
    });
    if let Some(result) = result.as_object_mut() {
        result.extend(test);
    }
    result
}

/// Sets settings by their names; with `resumed`, only those that a resumed run may change.
fn set<C: Settings>(config: &mut C, settings: &Map<String, Value>, resumed: bool) -> Result<(), Refusal> {
    for (name, value) in settings {
        let setting = C::setting(name);
        let setting = setting.ok_or_else(|| Refusal::bad(format!("there is no setting called {name}")))?;
        if resumed && setting.role != Role::Resumable {
            return Err(Refusal::bad(format!("{name} cannot change when a run is resumed")));
        }
        (setting.stored.read)(config, value.clone()).map_err(|why| {
            // As on the command line, which reads it as a text.
            let text = plain(value);
            let rule = (setting.set)(config, &text).err().unwrap_or(why);
            Refusal::bad(format!("{name} is {text}: {rule}"))
        })?;
    }
    Ok(config.check_each()?)
}

/// A value as a person types it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_is_refused_as_on_the_command_line() {
        for (name, value, why) in [
            ("epochs", json!(1.5), "epochs is 1.5: it must be a whole number, 0 or above"),
            ("seed", json!(-1), "seed is -1: it must be a whole number, 0 or above"),
            ("epochs", json!(null), "epochs is null: it must be a whole number, 0 or above"),
            (
                "hidden",
                json!([30, null]),
                "hidden is 30,null: it must be a whole number, or several separated by commas",
            ),
            ("learning_rate", json!("fast"), "learning_rate is fast: it must be a number"),
        ] {
            let settings = Map::from_iter([(name.to_string(), value)]);
            let refused = set(&mut m2g_digits::Config::default(), &settings, false);
            assert_eq!(refused.map_err(|refusal| refusal.why), Err(why.to_string()));
        }
    }
}
