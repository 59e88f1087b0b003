//! How a session starts, trains and loads.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::fit::Fit;
use super::observer::Observer;
use super::run_folder::{self, BEST, LAST, RunFolder, RunLock, Save};
use super::session::{Outcome, Session, SessionCode, SessionModel};
use super::state::{Ended, State};
use super::step::Stepper;
use super::task::{Metrics, Task};
use crate::checkpoint::{Checkpoint, OPTIMIZER, unusable};
use crate::error::in_plain_words;
use crate::memory::Footprint;
use crate::optim::Optimizer;
use crate::ranks::Ranks;
use crate::trace::Record;
use crate::{Error, Tape};

impl<M: SessionModel> SessionCode<M> {
    /// The functions, compiled in the crate that calls this for a static.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self { start, resume, run, trace_step, step: Stepper::step, describe: describe::<M>, create, load }
    }
}

fn start<'a, M: SessionModel>(
    config: M::Config,
    data: &'a M::Data,
    save: Save<'_>,
) -> Result<Session<'a, M>, Error> {
    M::validate(&config)?;
    let base = M::init_from(&config).map(|run| Session::<M>::load(run, BEST)).transpose()?;
    let (base, base_description) = base.unzip();
    let description = M::describe(config, data, base_description.as_ref())?;
    let notes = check_memory::<M>(&description, data)?;
    let model = M::init(&description, base.as_ref())?;
    let optimizer = M::optimizer(&description, data);
    // Fails before a folder is created if the data does not fit.
    M::task(&description, data)?;
    let folder = create_folder(save, &description, &model, &*optimizer)?;
    Ok(Session {
        model,
        description,
        state: State::default(),
        notes,
        optimizer,
        data,
        folder,
        best: None,
        ranks: Ranks::default(),
    })
}

fn resume<'a, M: SessionModel>(
    run: RunLock,
    data: &'a M::Data,
    description: M::Description,
) -> Result<Session<'a, M>, Error> {
    let path = &run.path().to_path_buf();
    M::validate(M::config(&description))?;
    if M::trained_on(&description).is_empty() {
        return Err(Error::Imported(path.to_path_buf()));
    }
    if M::trained_on(&description) != M::fingerprint(data) {
        return Err(Error::OtherData { run: path.to_path_buf(), data: M::source(data) });
    }
    M::task(&description, data)?;
    let mut notes = check_memory::<M>(&description, data)?;
    let last = path.join(LAST);
    let (toml, json) = written::<M>(&description)?;
    let restore = |mut checkpoint: Checkpoint<f32>, state: &State| {
        let same = json == written::<M>(&read_description::<M>(path, LAST, &checkpoint.metadata)?)?.1;
        checkpoint.check_finite(&last)?;
        let model = restored::<M>(&last, &mut checkpoint, &description)?;
        let mut optimizer = M::optimizer(&description, data);
        let mut get =
            |name: &str, shape: &[usize]| checkpoint.take(&last, &format!("{OPTIMIZER}{name}"), shape);
        optimizer.restore(model.params(), state.step, &mut get)?;
        match checkpoint.tensors.keys().next() {
            Some(other) => {
                let why = format!("its optimizer {} has no tensor called {other}", optimizer.name());
                Err(unusable(&last, &why))
            }
            None => Ok((model, optimizer, same)),
        }
    };
    let (mut folder, state, (model, optimizer, same)) = RunFolder::resume(run, M::KIND, restore)?;
    if !same {
        folder.set_config(toml, json);
    }
    notes.extend(run_folder::note_on(&last)?);
    Ok(Session {
        model,
        description,
        state,
        notes,
        optimizer,
        data,
        folder: Some(folder),
        best: None,
        ranks: Ranks::default(),
    })
}

fn run<M: SessionModel>(session: &mut Session<'_, M>, observer: &mut dyn Observer) -> Result<Outcome, Error> {
    let options = session.options();
    let mut task = M::task(&session.description, session.data)?;
    if let Some(folder) = session.folder.as_ref().filter(|folder| !folder.is_locked()) {
        observer.warning(&format!(
            "the file system of {} has no locks: do not train this run in two processes",
            folder.path().display()
        ));
    }
    let mut fit = Fit {
        state: session.state.clone(),
        folder: session.folder.as_mut(),
        best: session.best.take(),
        ranks: std::mem::take(&mut session.ranks),
        ..Fit::new(&mut session.model, &mut *session.optimizer, options)
    };
    let ended = fit.run(&mut task, observer)?;
    let Fit { state, best, last_evaluation, mut ranks, .. } = fit;
    session.state = state;
    let mut ended = ended;
    let mut test = |model: &M, ranks: &mut Ranks| {
        let mut tape = Tape::without_gradients();
        tape.set_stop(observer.stop_during_evaluation());
        match ended {
            Ended::Stopped => Ok(Metrics::new()),
            _ => task.test(model, &mut tape, ranks).or_else(|error| match error {
                Error::Stopped => {
                    ended = Ended::Stopped;
                    Ok(Metrics::new())
                }
                error => Err(error),
            }),
        }
    };
    let last_test = test(&session.model, &mut ranks)?;
    let loaded = match (best, &session.folder) {
        (Some(best), _) => {
            *session.model.params_mut() = best;
            Ok(())
        }
        (None, Some(folder)) if session.state.best_step > 0 => {
            let path = folder.path().join(BEST);
            let params = session.model.params_mut();
            Checkpoint::load(&path).and_then(|mut checkpoint| checkpoint.restore(&path, params))
        }
        (None, _) => Ok(()),
    };
    ranks.agree(loaded)?;
    let best_test = test(&session.model, &mut ranks)?;
    session.ranks = ranks;
    Ok(Outcome {
        ended,
        steps: session.state.step,
        seconds: session.state.seconds,
        best_step: session.state.best_step,
        best_score: session.state.best_score,
        last_evaluation,
        best_test,
        last_test,
    })
}

fn trace_step<M: SessionModel>(session: &mut Session<'_, M>, warm_up: u64) -> Result<Vec<Record>, Error> {
    let options = session.options();
    let mut task = M::task(&session.description, session.data)?;
    let state = session.state.clone();
    let mut fit = Fit { state, ..Fit::new(&mut session.model, &mut *session.optimizer, options) };
    fit.trace_step(&mut task, warm_up)
}

fn load<M: SessionModel>(path: &Path, file: &str) -> Result<(M, M::Description), Error> {
    let mut checkpoint = run_folder::load(path, file, M::KIND)?;
    let description = read_description::<M>(path, file, &checkpoint.metadata)?;
    let model = restored::<M>(&path.join(file), &mut checkpoint, &description)?;
    Ok((model, description))
}

fn describe<M: SessionModel>(path: &Path) -> Result<M::Description, Error> {
    read_description::<M>(path, LAST, &run_folder::metadata(path, LAST, M::KIND)?)
}

fn create<M: SessionModel>(
    save: Save<'_>,
    description: &M::Description,
    model: &M,
    optimizer: &dyn Optimizer<f32>,
) -> Result<(), Error> {
    create_folder(save, description, model, optimizer).map(drop)
}

/// A model of this many parameters may be built to find out whether a checkpoint fits it.
const SMALL_MODEL: u64 = 1 << 22;

/// Checks that there is enough memory for training.
fn check_memory<M: SessionModel>(description: &M::Description, data: &M::Data) -> Result<Vec<String>, Error> {
    let warning = M::footprint(description, Some(data)).map(|footprint| footprint.check()).transpose()?;
    Ok(warning.flatten().into_iter().collect())
}

/// The model of a checkpoint.
fn restored<M: SessionModel>(
    path: &Path,
    checkpoint: &mut Checkpoint<f32>,
    description: &M::Description,
) -> Result<M, Error> {
    // A large model is not built before its size is compared with that of the file.
    let found = checkpoint.parameter_count() as u64;
    if let Some(Footprint { parameters: described, .. }) = M::footprint(description, None)
        && described > found.max(SMALL_MODEL)
    {
        let why = format!(
            "its settings describe a model of {described} parameters, but it holds {found}: the settings and \
             the tensors do not belong together"
        );
        return Err(unusable(path, &why));
    }
    let mut model = M::empty(description)?;
    checkpoint.restore(path, model.params_mut())?;
    Ok(model)
}

/// Creates the folder of a run at step 0, with its checkpoints.
fn create_folder<M: SessionModel>(
    save: Save<'_>,
    description: &M::Description,
    model: &M,
    optimizer: &dyn Optimizer<f32>,
) -> Result<Option<RunFolder>, Error> {
    let (toml, json) = written::<M>(description)?;
    RunFolder::create(save, M::KIND, &toml, json, |folder| {
        folder.save(model.params(), Some(model.params()), optimizer, &State::default())
    })
}

/// A description as its run holds it: the configuration for people, and all of it for the checkpoints.
fn written<M: SessionModel>(description: &M::Description) -> Result<(String, Value), Error> {
    let toml = toml::to_string(M::config(description)).map_err(|e| Error::Other(Box::new(e)))?;
    let json = serde_json::to_value(description).map_err(|e| Error::Other(Box::new(e)))?;
    Ok((toml, json))
}

fn read_description<M: SessionModel>(
    path: &Path,
    file: &str,
    metadata: &Value,
) -> Result<M::Description, Error> {
    let path = &path.join(file);
    let description = M::Description::deserialize(&metadata["config"]).map_err(|e| {
        unusable(path, &format!("its configuration cannot be read ({})", in_plain_words(&e.to_string())))
    })?;
    M::check(&description).map_err(|e| unusable(path, &format!("its configuration is damaged ({e})")))?;
    Ok(description)
}
