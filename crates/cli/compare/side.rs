//! One side of a comparison: a model or a run, and one real training step of it.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use m2g_core::trace::Record;
use m2g_core::train::run::{self, LAST};
use m2g_core::train::{Model, Save, State};
use m2g_core::{Error, Params};
use m2g_digits::{Backprop, training as digits};
use m2g_gpt::data::Corpus;
use m2g_gpt::training as gpt;
use m2g_text::TextError;
use serde_json::Value;

use crate::flags::{nearest, quoted, run_path};
use crate::subject::in_single_ops;

/// Steps before the one that is recorded, so that its times are those of a training that
/// is under way.
pub const WARM_UP: u64 = 2;

/// A model or a run, and one training step of it.
pub struct Side {
    /// What was asked for.
    pub name: String,
    /// Which model it is: `digits` or `gpt`.
    pub kind: &'static str,
    /// The run, if it is one.
    pub run: Option<Run>,
    /// The data that the step was made with.
    pub data: String,
    /// What a batch is.
    pub batch: String,
    /// The parameters before the step.
    pub params: Params<f32>,
    /// Everything that ran.
    pub records: Vec<Record>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// A run, and what its last checkpoint says of it.
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// The metadata of its last checkpoint.
    pub metadata: Value,
}

impl Run {
    /// Finds a run, and which model it is.
    fn find(name: &str) -> anyhow::Result<(Self, &'static str)> {
        let path = run_path(name);
        let (metadata, kind) = match run::metadata(&path, LAST, digits::KIND) {
            Err(Error::Checkpoint { .. }) => (run::metadata(&path, LAST, gpt::KIND), gpt::KIND),
            found => (found, digits::KIND),
        };
        let metadata = metadata.map_err(|error| match error {
            Error::NoRun(path) => {
                let near = nearest(name, [digits::KIND, gpt::KIND]);
                anyhow!(
                    "there is no run in {}{}: give digits, gpt, or a run that was trained with --run NAME",
                    path.display(),
                    near.map_or(String::new(), |near| format!(" (did you mean {near}?)"))
                )
            }
            error => error.into(),
        })?;
        Ok((Self { path, metadata }, kind))
    }

    /// Where its training stands.
    pub fn state(&self) -> anyhow::Result<State> {
        let file = self.path.join(LAST);
        serde_json::from_value(self.metadata["state"].clone()).map_err(|e| {
            anyhow!("{} is not a usable checkpoint: its state cannot be read ({e})", file.display())
        })
    }
}

impl Side {
    /// Makes a step of `digits`, `gpt` or a run, of which nothing is written anywhere.
    pub fn of(name: &str) -> anyhow::Result<Self> {
        let (run, kind) = match [digits::KIND, gpt::KIND].into_iter().find(|kind| *kind == name) {
            Some(kind) => (None, kind),
            None => {
                let (run, kind) = Run::find(name)?;
                (Some(run), kind)
            }
        };
        let step = match kind {
            digits::KIND => digit_step(run.as_ref()),
            _ => gpt_step(run.as_ref()),
        };
        let mut side = step.map_err(|error| match &run {
            // A file names itself; of two runs, whose data it is must be said.
            Some(run) if !error.is::<Error>() => anyhow!("{}: {error}", run.path.display()),
            _ => error,
        })?;
        side.name = name.into();
        side.run = run;
        Ok(side)
    }
}

/// A step of the digit network.
fn digit_step(run: Option<&Run>) -> anyhow::Result<Side> {
    let trained = run.map(|run| digits::Training::load(&run.path, LAST)).transpose()?;
    let config = trained.as_ref().map_or_else(Default::default, |(_, its)| its.config.clone());
    let data = crate::digits::load(config.data.as_deref(), config.train_on_all)?;
    let named = config.data.as_ref().map_or("mnist".into(), |dir| dir.display().to_string());
    let mut training = digits::Training::new(config, &data, Save::Nowhere)?;
    let mut notes = Vec::new();
    if let (Some(run), Some((network, its))) = (run, trained) {
        if (its.image, its.classes) != (training.description.image, training.description.classes) {
            let ((rows, cols), (these_rows, these_cols)) = (its.image, training.description.image);
            bail!(
                "it tells {} classes of {rows}x{cols} images apart, and the images in {named} have {} classes \
                 and {these_rows}x{these_cols} pixels: put its data back there",
                its.classes,
                training.description.classes
            );
        }
        notes.extend(changed(&its.data, &data.fingerprint));
        training.model = network;
        training.state = run.state()?;
    }
    if training.description.config.backprop == Backprop::ByHand {
        notes.push("its gradient is computed by hand (--backprop by-hand), which records no ops".into());
    }
    let params = training.model.params().clone();
    Ok(Side {
        name: String::new(),
        kind: digits::KIND,
        run: None,
        batch: format!("{} images", training.description.config.batch_size),
        data: named,
        params,
        records: training.trace_step(WARM_UP)?,
        notes,
    })
}

/// A step of the GPT.
fn gpt_step(run: Option<&Run>) -> anyhow::Result<Side> {
    let Some(run) = run else {
        let config = m2g_gpt::Config::default();
        let corpus = Corpus::load(&config.data, config.tokenizer.parse()?)?;
        let training = gpt::Training::new(config, &corpus, Save::Nowhere)?;
        return traced(training, &corpus, Vec::new());
    };
    let (gpt, its) = gpt::Training::load(&run.path, LAST)?;
    if its.data.is_empty() {
        bail!(
            "it was not trained here and has no data: train from it with `m2g gpt train --init-from {}`, and \
             compare the run that comes out",
            quoted(&run.path)
        );
    }
    let corpus = match &its.tokenizer {
        Some(tokenizer) => Corpus::load_for(&its.config.data, tokenizer).map_err(|error| match error {
            TextError::Tokenizer(error) => anyhow!("its data has changed since it was trained: {error}"),
            error => error.into(),
        })?,
        None => Corpus::load(&its.config.data, its.config.tokenizer.parse()?)?,
    };
    if corpus.tokenizer.vocab_size() > its.model.vocab_size {
        bail!(
            "it knows {} tokens, and the text in {} has {} by now: put its data back there",
            its.model.vocab_size,
            corpus.source,
            corpus.tokenizer.vocab_size()
        );
    }
    // Its parameters are those of the run, whatever it began with.
    let config = m2g_gpt::Config { init_from: m2g_gpt::Config::SCRATCH.into(), ..its.config };
    let mut training = gpt::Training::new(config, &corpus, Save::Nowhere)?;
    training.model = gpt;
    training.description.model = its.model;
    training.state = run.state()?;
    traced(training, &corpus, changed(&its.data, &corpus.fingerprint).into_iter().collect())
}

fn traced(mut training: gpt::Training<'_>, corpus: &Corpus, notes: Vec<String>) -> anyhow::Result<Side> {
    // Else the layers that both models have are hidden in ops that only the GPT has.
    training.model = in_single_ops(training.model)?;
    let (config, model) = (&training.description.config, &training.description.model);
    let passes = match config.gradient_accumulation_steps {
        1 => String::new(),
        n => format!("{n} x "),
    };
    let batch = format!("{passes}{} x {} tokens", config.batch_size, model.block_size);
    let params = training.model.params().clone();
    Ok(Side {
        name: String::new(),
        kind: gpt::KIND,
        run: None,
        data: corpus.source.clone(),
        batch,
        params,
        records: training.trace_step(WARM_UP)?,
        notes,
    })
}

/// Says so if the data is no longer what a run was trained on.
fn changed(then: &str, now: &str) -> Option<String> {
    (then != now)
        .then(|| "its data has changed since it was trained: the step is made with the data of now".into())
}

/// Says so if a model was taken where a run has the same name.
pub fn hint(name: &str) -> Option<String> {
    let path = Path::new("runs").join(name);
    let model = [digits::KIND, gpt::KIND].contains(&name);
    (model && path.is_dir()).then(|| {
        format!("{name} is the model with its default settings; the run of that name is {}", quoted(&path))
    })
}
