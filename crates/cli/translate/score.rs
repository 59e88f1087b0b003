//! `m2g translate score`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use m2g_core::threads::with_threads;
use m2g_translate::Transformer;
use m2g_translate::decode::score;
use serde_json::json;

use super::parallel::Parallel;
use crate::flags::{Checkpoint, run_path};
use crate::models::run::load;
use crate::output;
use crate::terminal::lines::note;

/// Score given translations: how likely does the model find each of them?
///
/// Prints the mean log-probability per token of each translation, a tab, and its number of tokens.
#[derive(Args)]
pub struct Score {
    /// The run: a name under runs/, or a path.
    #[arg(value_name = "RUN")]
    run: String,
    /// The file with the sentences, one on each line; - for standard input.
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// The file with their translations.
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Print one JSON object per pair to stdout, with the log-probability of each token.
    #[arg(long)]
    json: bool,
}

impl Score {
    /// Scores and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (model, description) = load::<Transformer<f32>>(&run_path(&self.run), self.checkpoint.file())?;
        let (tokenizer, max_length) = (&description.tokenizer, description.model.max_length);
        let (pairs, special) = Parallel::read(&self.source, &self.target)?.encode(tokenizer, max_length)?;
        let scores = with_threads(0, || score(&model, &pairs, special))??;
        let mut all = (0.0, 0);
        for (i, tokens) in scores.iter().enumerate() {
            let sum: f64 = tokens.iter().sum();
            all = (all.0 + sum, all.1 + tokens.len());
            let mean = sum / tokens.len() as f64;
            match self.json {
                true => output::line(json!({
                    "event": "score", "line": i + 1, "log_probability": sum, "per_token": mean,
                    "tokens": pairs.target.get(i), "log_probabilities": tokens,
                }))?,
                false => output::line(format!("{mean:.4}\t{}", tokens.len()))?,
            }
        }
        if all.1 > 0 {
            let loss = -all.0 / all.1 as f64;
            note(&format!("{} tokens, perplexity {:.4}", all.1, loss.exp()));
        }
        Ok(ExitCode::SUCCESS)
    }
}
