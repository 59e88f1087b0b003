//! One recorded training step of a translation model.

use m2g_core::Error;
use m2g_core::train::run_folder::LAST;
use m2g_core::train::{Model, Save};
use m2g_translate::data::{Batches, Corpus};
use m2g_translate::training::Training;
use m2g_translate::{Config, Transformer};

use crate::models::kind::TracedStep;
use crate::models::run::{SavedRun, changed_data, load};
use crate::models::translate::own_data::own_data;

/// See [`ModelKind::trace_step`](crate::models::kind::ModelKind::trace_step).
pub fn trace_step(run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep> {
    let Some(run) = run else {
        let config = Config::default();
        let corpus = Corpus::load(&config, None).map_err(Error::from)?;
        let training = Training::new(config, &corpus, Save::Nowhere)?;
        return record(training, &corpus, warm_up, None);
    };
    let (model, saved) = load::<Transformer<f32>>(&run.path, LAST)?;
    let corpus = own_data(&saved, None)?;
    let note = changed_data(&saved.data, &corpus.fingerprint);
    let mut training = Training::new(saved.config, &corpus, Save::Nowhere)?;
    training.model = model;
    training.state = run.state()?;
    record(training, &corpus, warm_up, note)
}

fn record(
    mut training: Training<'_>,
    corpus: &Corpus,
    warm_up: u64,
    note: Option<String>,
) -> anyhow::Result<TracedStep> {
    // Fused ops would hide the layers that models share.
    training.model = training.model.unfused()?;
    let Config { batch_tokens, gradient_accumulation_steps, shards, seed, .. } = training.description.config;
    let (targets, _) = Batches::new(&corpus.train, batch_tokens, seed).statistics();
    let passes = match gradient_accumulation_steps * shards {
        1 => String::new(),
        n => format!("{n} x "),
    };
    Ok(TracedStep {
        data: corpus.source.clone(),
        batch: format!("{passes}about {targets:.0} target tokens"),
        params: training.model.params().clone(),
        records: training.trace_step(warm_up)?,
        notes: note.into_iter().collect(),
    })
}
