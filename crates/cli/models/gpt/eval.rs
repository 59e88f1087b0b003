//! `m2g gpt eval`.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::ranks::Ranks;
use m2g_core::threads::with_threads;
use m2g_core::{Error, Tape, WeightFormat};
use m2g_gpt::data::{Corpus, Windows, is_built_in};
use m2g_gpt::evaluation::{full_pass_batch_size, full_pass_loss};
use m2g_gpt::token_rows::TokenRows;
use m2g_gpt::training::Description;
use m2g_gpt::{Config, Gpt};
use m2g_text::token_file::is_nanogpt;
use m2g_text::{TextError, Tokenizer};
use serde_json::json;

use crate::errors::without_advice;
use crate::eval::{EvalCommand, Measured};
use crate::flags::one_of;
use crate::models::run::{data_is_gone, load};
use crate::output_file;
use crate::terminal::lines::{flow, note};
use crate::terminal::width::columns;

/// The flags of `m2g gpt eval` alone.
#[derive(Args)]
pub struct Flags {
    /// Measure rows of token ids, {"tokens": [[...], ...]}. The model predicts each token of a row,
    /// except the first, from those before it.
    #[arg(long, value_name = "FILE.json", conflicts_with = "data", help_heading = "Input")]
    tokens: Option<PathBuf>,
    /// Measure the validation split of this data, given as for `train`, with the run's own tokenizer
    /// [default: the data that the run was trained on].
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Write the logits of the rows to this file, as a tensor `logits` of shape (B, T, V).
    #[arg(long, value_name = "FILE.safetensors", requires = "tokens")]
    logits: Option<PathBuf>,
    /// Store the weights in this format, as in `sample`, to see its effect on the loss.
    #[arg(long, value_name = "FORMAT", default_value = "f32", help_heading = "Choice",
          value_parser = one_of::<WeightFormat>(&WeightFormat::NAMES))]
    weights: WeightFormat,
}

impl EvalCommand for Gpt<f32> {
    type Flags = Flags;

    fn evaluate(flags: Flags, run: &Path, file: &str) -> anyhow::Result<Measured> {
        if let Some(path) = &flags.logits {
            output_file::check_format("--logits", path, &["safetensors"])?;
        }
        let (mut gpt, description) = load::<Gpt<f32>>(run, file)?;
        if flags.weights != WeightFormat::F32 {
            gpt.pack(flags.weights);
        }
        let (loss, tokens) = with_threads(0, || match &flags.tokens {
            Some(file) => {
                let rows = TokenRows::read(file, gpt.config())?;
                let loss = match &flags.logits {
                    Some(path) => {
                        let mut loss = 0.0;
                        output_file::write(path, |file| {
                            loss = finite(rows.loss_and_logits(&gpt, file, path)?)?;
                            Ok(())
                        })?;
                        loss
                    }
                    None => rows.loss(&gpt)?,
                };
                anyhow::Ok((loss, rows.shape().iter().product::<usize>()))
            }
            None => validation_loss(flags.data.as_deref(), &gpt, &description),
        })??;
        finite(loss)?;
        let logits = flags.logits.as_ref().map(|path| path.to_string_lossy());
        let text = [format!("loss  {loss:.4} nats per token"), format!("({tokens} tokens)")];
        Ok(Measured {
            text: flow(&text, "  ", columns(), 6),
            json: json!({"loss": loss, "tokens": tokens, "logits": logits}),
        })
    }
}

/// The loss, if it is a number.
fn finite(loss: f64) -> Result<f64, Error> {
    if loss.is_finite() { Ok(loss) } else { Err(Error::NotFiniteResult("losses")) }
}

/// The loss on the complete validation split, and the number of predicted tokens.
fn validation_loss(
    data: Option<&str>,
    gpt: &Gpt<f32>,
    description: &Description,
) -> anyhow::Result<(f64, usize)> {
    let corpus = match data {
        Some(data) => other_data(data, gpt, description)?,
        None if description.data.is_empty() => {
            bail!("this run was imported: give data to measure it on, with --data or --tokens")
        }
        None => own_data(description)?,
    };
    check_vocabulary(&corpus, gpt, description)?;
    corpus.reports.iter().for_each(|report| note(without_advice(report)));
    let mut tape = Tape::without_gradients();
    let windows = Windows::new(&corpus.val, gpt.config().block_size)?;
    let batch_size = full_pass_batch_size(gpt.config());
    let loss = full_pass_loss(gpt, &mut tape, windows, batch_size, &mut Ranks::default())?;
    Ok((loss, corpus.val.len() - 1))
}

/// The data that the run was trained on, encoded by its own tokenizer.
fn own_data(description: &Description) -> anyhow::Result<Corpus> {
    let data = &description.config.data;
    let corpus = Corpus::load_configured(&description.config, description.tokenizer.as_ref());
    let corpus = corpus.map_err(|error| match error {
        TextError::Tokenizer(error) if is_built_in(data) => anyhow!(
            "{data} is part of this program and has changed since the run was made ({error}): give other data \
             with --data"
        ),
        TextError::UnknownData { .. } => data_is_gone(data, Some("measure other data with --data")),
        error => with_data(data, error),
    })?;
    if corpus.fingerprint != description.data {
        note(&format!("note: {data} has changed since the run was trained"));
    }
    Ok(corpus)
}

/// Other data, encoded by the run's own tokenizer. A run without one reads token ids.
fn other_data(data: &str, gpt: &Gpt<f32>, description: &Description) -> anyhow::Result<Corpus> {
    match &description.tokenizer {
        Some(tokenizer) => {
            // Its documents end where those of the run's own data do.
            let config = Config { data: data.into(), vocab_size: 0, ..description.config.clone() };
            Corpus::load_configured(&config, Some(tokenizer)).map_err(|error| with_data(data, error))
        }
        None if is_nanogpt(Path::new(data)) => Ok(Corpus::load_ids(data, gpt.config().vocab_size)?),
        None => bail!(
            "this run has no tokenizer: give rows of token ids with --tokens, or a folder with train.bin and \
             val.bin with --data"
        ),
    }
}

/// The error with the name of the data, if its text does not fit the tokenizer.
fn with_data(data: &str, error: TextError) -> anyhow::Error {
    match error {
        TextError::Tokenizer(error) if error.is_of_text() => anyhow!("{data}: {error}"),
        error => error.into(),
    }
}

/// Checks that the data has the tokens that the run knows: a prepared folder brings its own.
fn check_vocabulary(corpus: &Corpus, gpt: &Gpt<f32>, description: &Description) -> anyhow::Result<()> {
    let name = |tokenizer: &Option<Tokenizer>| {
        tokenizer.as_ref().map_or("no tokenizer".into(), |tokenizer| tokenizer.name())
    };
    let fits = match (&corpus.tokenizer, &description.tokenizer) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => corpus.vocab_size <= gpt.config().vocab_size,
    };
    if !fits {
        bail!(
            "{} has another vocabulary ({} tokens of {}) than the run ({} of {}): give text, or prepare it with \
             the run's tokenizer",
            corpus.source,
            corpus.vocab_size,
            name(&corpus.tokenizer),
            gpt.config().vocab_size,
            name(&description.tokenizer)
        );
    }
    Ok(())
}
