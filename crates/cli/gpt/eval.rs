//! `m2g gpt eval`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_core::train::run::{BEST, LAST};
use m2g_core::{Tape, WeightFormat};
use m2g_gpt::Gpt;
use m2g_gpt::data::Corpus;
use m2g_gpt::evaluation::{full_pass_batch_size, full_pass_loss};
use m2g_gpt::token_rows::TokenRows;
use m2g_gpt::training::{Description, Training};
use serde_json::json;

use crate::flags::{one_of, run_path};
use crate::output;

/// Measure a model on text, or on rows of token ids.
#[derive(Args)]
pub struct Eval {
    /// The run: a name under runs/, or a path.
    run: String,
    /// Rows of token ids, {"tokens": [[...], ...]}: the model reads all of a row but the
    /// last and is to predict all but the first.
    #[arg(long, value_name = "FILE.json", conflicts_with = "data")]
    tokens: Option<PathBuf>,
    /// The data whose validation split is measured, as `train` takes it [default: the
    /// data that the run was trained on].
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Write the logits of the rows into this file, as one tensor `logits` (B, T, V).
    #[arg(long, value_name = "FILE.safetensors", requires = "tokens")]
    logits: Option<PathBuf>,
    /// Round the weights as `sample` does with the same flag, to see what that costs.
    #[arg(long, value_name = "FORMAT", default_value = "f32",
          value_parser = one_of::<WeightFormat>(&["f32", "bf16", "int8"]))]
    weights: WeightFormat,
    /// Take the model after the last step, not the best on the validation text.
    #[arg(long)]
    last: bool,
    /// Write one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Measures, and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (mut gpt, description) =
            Training::load(&run_path(&self.run), if self.last { LAST } else { BEST })?;
        if self.weights != WeightFormat::F32 {
            gpt.pack(self.weights);
        }
        let (loss, tokens) = with_threads(0, || match &self.tokens {
            Some(file) => {
                let rows = TokenRows::read(file, gpt.config())?;
                let loss = match &self.logits {
                    Some(path) => rows.loss_and_logits(&gpt, path)?,
                    None => rows.loss(&gpt)?,
                };
                anyhow::Ok((loss, rows.shape().iter().product()))
            }
            None => self.validation_loss(&gpt, &description),
        })??;
        if self.json {
            output::line(json!({"event": "eval", "loss": loss, "tokens": tokens, "logits": self.logits}))?;
        } else {
            output::line(format!("loss  {loss:.4} nats per token  ({tokens} tokens)"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The loss on a complete validation split, and how many tokens were predicted.
    fn validation_loss(&self, gpt: &Gpt<f32>, description: &Description) -> anyhow::Result<(f64, usize)> {
        let data = match &self.data {
            Some(data) => data,
            None if description.data.is_empty() => {
                bail!("this run was not trained here: say with --data or --tokens what to measure it on")
            }
            None => &description.config.data,
        };
        let Some(tokenizer) = &description.tokenizer else {
            bail!("this run has no tokenizer: give rows of token ids with --tokens")
        };
        let corpus = Corpus::load(data, tokenizer.kind())?;
        if corpus.tokenizer != *tokenizer {
            bail!(
                "{data} has another vocabulary ({} tokens of {}) than the run ({} of {}): measure it on data \
                 with the run's tokenizer",
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
}
