//! One recorded training step of a GPT.

use anyhow::{anyhow, bail};
use m2g_core::train::run_folder::LAST;
use m2g_core::train::{Model, Save};
use m2g_gpt::data::Corpus;
use m2g_gpt::training::Training;
use m2g_gpt::{Config, Gpt};
use m2g_text::TextError;

use crate::flags::quoted;
use crate::models::kind::TracedStep;
use crate::models::run::{SavedRun, changed_data, data_is_gone, load};

/// See [`ModelKind::trace_step`](crate::models::kind::ModelKind::trace_step).
pub fn trace_step(run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep> {
    let Some(run) = run else {
        let config = Config::default();
        let corpus = Corpus::load_configured(&config, None)?;
        let training = Training::new(config, &corpus, Save::Nowhere)?;
        let remark = format!(
            "untrained, with the vocabulary of its default data, {} tokens; `m2g params` and `m2g inspect` give it \
             GPT-2's, to read any text",
            corpus.vocab_size
        );
        return record(training, &corpus, warm_up, Some(remark));
    };
    let (gpt, saved) = load::<Gpt<f32>>(&run.path, LAST)?;
    if saved.data.is_empty() {
        bail!(
            "it was imported and has no training data: train from it with `m2g gpt train --init-from {}`, and \
             compare the new run",
            quoted(&run.path)
        );
    }
    let corpus = Corpus::load_configured(&saved.config, saved.tokenizer.as_ref());
    let corpus = corpus.map_err(|error| match error {
        TextError::Tokenizer(error) => anyhow!("its data has changed since it was trained: {error}"),
        TextError::UnknownData { data, .. } => data_is_gone(&data, None),
        error => error.into(),
    })?;
    if corpus.vocab_size > saved.model.vocab_size {
        bail!(
            "it knows {} tokens, but the text in {} now has {}: restore its data there",
            saved.model.vocab_size,
            corpus.source,
            corpus.vocab_size
        );
    }
    // The parameters are those of the run, whatever it started from.
    let config = Config { init_from: Config::SCRATCH.into(), ..saved.config };
    let mut training = Training::new(config, &corpus, Save::Nowhere)?;
    training.model = gpt;
    training.description.model = saved.model;
    training.state = run.state()?;
    record(training, &corpus, warm_up, changed_data(&saved.data, &corpus.fingerprint))
}

fn record(
    mut training: Training<'_>,
    corpus: &Corpus,
    warm_up: u64,
    note: Option<String>,
) -> anyhow::Result<TracedStep> {
    // Fused ops would hide the layers that models share.
    training.model = training.model.unfused()?;
    let (config, model) = (&training.description.config, &training.description.model);
    let passes = match config.gradient_accumulation_steps * config.shards {
        1 => String::new(),
        n => format!("{n} x "),
    };
    // Batches may grow: this is that of the step to trace.
    let [windows, length] = config.batch_shape(model.block_size, training.state.step + warm_up);
    Ok(TracedStep {
        data: corpus.source.clone(),
        batch: format!("{passes}{windows} x {length} tokens"),
        params: training.model.params().clone(),
        records: training.trace_step(warm_up)?,
        notes: note.into_iter().collect(),
    })
}
