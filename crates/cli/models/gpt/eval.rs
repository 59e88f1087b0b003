//! `m2g gpt eval`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_core::{Tape, WeightFormat};
use m2g_gpt::Gpt;
use m2g_gpt::data::{Corpus, OWN_TEXT};
use m2g_gpt::evaluation::{full_pass_batch_size, full_pass_loss};
use m2g_gpt::token_rows::TokenRows;
use m2g_gpt::training::{Description, Training};
use serde_json::json;

use crate::eval::{EvalCommand, Measured};
use crate::flags::one_of;

/// The flags of `m2g gpt eval` alone.
#[derive(Args)]
pub struct Flags {
    /// Measure rows of token ids, {"tokens": [[...], ...]}. The model predicts each token of a row,
    /// except the first, from those before it.
    #[arg(long, value_name = "FILE.json", conflicts_with = "data")]
    tokens: Option<PathBuf>,
    /// Measure the validation split of this data, given as for `train` [default: the data that the run
    /// was trained on].
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Write the logits of the rows to this file, as a tensor `logits` of shape (B, T, V).
    #[arg(long, value_name = "FILE.safetensors", requires = "tokens")]
    logits: Option<PathBuf>,
    /// Store the weights in this format, as in `sample`, to see its effect on the loss.
    #[arg(long, value_name = "FORMAT", default_value = "f32",
          value_parser = one_of::<WeightFormat>(&["f32", "bf16", "int8"]))]
    weights: WeightFormat,
}

impl EvalCommand for Gpt<f32> {
    type Flags = Flags;

    fn evaluate(flags: Flags, run: &Path, file: &str) -> anyhow::Result<Measured> {
        let (mut gpt, description) = Training::load(run, file)?;
        if flags.weights != WeightFormat::F32 {
            gpt.pack(flags.weights);
        }
        let (loss, tokens) = with_threads(0, || match &flags.tokens {
            Some(file) => {
                let rows = TokenRows::read(file, gpt.config())?;
                let loss = match &flags.logits {
                    Some(path) => rows.loss_and_logits(&gpt, path)?,
                    None => rows.loss(&gpt)?,
                };
                anyhow::Ok((loss, rows.shape().iter().product::<usize>()))
            }
            None => validation_loss(flags.data.as_deref(), &gpt, &description),
        })??;
        Ok(Measured {
            text: format!("loss  {loss:.4} nats per token  ({tokens} tokens)"),
            json: json!({"loss": loss, "tokens": tokens, "logits": flags.logits}),
        })
    }
}

/// The loss on the complete validation split, and the number of predicted tokens.
fn validation_loss(
    data: Option<&str>,
    gpt: &Gpt<f32>,
    description: &Description,
) -> anyhow::Result<(f64, usize)> {
    let data = match data {
        Some(data) => data,
        None if description.data.is_empty() => {
            bail!("this run was imported: give data to measure it on, with --data or --tokens")
        }
        None => &description.config.data,
    };
    let Some(tokenizer) = &description.tokenizer else {
        bail!("this run has no tokenizer: give rows of token ids with --tokens")
    };
    let corpus = Corpus::load(data, tokenizer.kind())?;
    if corpus.tokenizer != *tokenizer {
        if data == OWN_TEXT {
            bail!(
                "{data} is part of this program and has changed since the run was made: give data with the \
                 run's tokenizer, with --data"
            );
        }
        bail!(
            "{data} has another vocabulary ({} tokens of {}) than the run ({} of {}): give data with the \
             run's tokenizer",
            corpus.tokenizer.vocab_size(),
            corpus.tokenizer.kind(),
            tokenizer.vocab_size(),
            tokenizer.kind()
        );
    }
    let mut tape = Tape::new();
    tape.set_gradients(false);
    let loss = full_pass_loss(gpt, &mut tape, &corpus.val, full_pass_batch_size(gpt.config()))?;
    Ok((loss, corpus.val.len() - 1))
}
