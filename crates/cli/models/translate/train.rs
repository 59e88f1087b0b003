//! `m2g translate train`.

use std::path::Path;

use m2g_core::train::{Model, Outcome};
use m2g_core::{Error, threads};
use m2g_translate::data::{Batches, Corpus};
use m2g_translate::decode::Options;
use m2g_translate::evaluation::translations;
use m2g_translate::training::{Description, Training};
use m2g_translate::{Config, LrDecay, Transformer};
use serde_json::{Value, json};

use crate::machine;
use crate::models::translate::own_data::own_data;
use crate::output::percent;
use crate::terminal::lines::{counted, entry_at, fact, note};
use crate::terminal::width::columns;
use crate::train::TrainCommand;
use crate::train::watch::{Column, EvaluationLog, Log, StepLog, StepWork};
use crate::translate::settings::Settings;

/// The validation pairs that are shown after training.
const SHOWN_PAIRS: usize = 3;

/// The column in which the results after training start.
const RESULT_COLUMN: usize = 17;

/// The line after an evaluation.
const EVALUATIONS: EvaluationLog = EvaluationLog {
    event: "eval",
    epochs: None,
    loss: "training loss",
    columns: &[
        Column { metric: "val_loss", title: "validation loss", format: |loss| format!("{loss:.4}") },
        Column { metric: "val_perplexity", title: "perplexity", format: |x| format!("{x:.3}") },
        Column { metric: "val_accuracy", title: "accuracy", format: percent },
        Column { metric: "val_bleu", title: "BLEU", format: |bleu| format!("{bleu:.2}") },
        Column { metric: "val_exact", title: "exact", format: percent },
    ],
};

impl TrainCommand for Transformer<f32> {
    type Settings = Settings;
    const USE_WITH: &'static str = "translate";
    const LENGTH_FLAG: &'static str = "--max-iters N";

    fn length(description: &Description) -> String {
        counted(description.config.max_iters, "step")
    }

    fn prepare(settings: &Settings) -> anyhow::Result<(Config, Corpus)> {
        let mut config = settings.resolve()?;
        let corpus = Corpus::load(&config, None).map_err(Error::from)?;
        settings.take_tokenizer(&mut config, &corpus.tokenizer)?;
        Ok((config, corpus))
    }

    fn reopen(settings: &Settings, run: &Path) -> anyhow::Result<(Description, Corpus)> {
        let mut description = Training::describe(run)?;
        let mut config = description.config.clone();
        settings.resume(&mut config)?;
        let corpus = match config.data == description.config.data {
            true => own_data(&description, Some("name its new place with --data"))?,
            false => Corpus::load(&config, Some(&description.tokenizer)).map_err(Error::from)?,
        };
        (description.config.max_iters, description.config.data) = (config.max_iters, config.data);
        Ok((description, corpus))
    }

    fn introduce(training: &Training<'_>, corpus: &Corpus) -> anyhow::Result<Log> {
        Ok(Log { steps: Some(introduce(training, corpus)), evaluations: Some(EVALUATIONS) })
    }

    fn json(_: &Training<'_>, outcome: &Outcome, tokens_per_second: f64) -> Value {
        json!({
            "val_loss": outcome.metric("val_loss"),
            "val_perplexity": outcome.metric("val_perplexity"),
            "val_bleu": outcome.metric("val_bleu"),
            "val_exact": outcome.metric("val_exact"),
            "best_val_loss": outcome.best_score.map(|score| -score),
            "best_step": outcome.best_step,
            "steps": outcome.steps,
            "seconds": outcome.seconds,
            "tokens_per_second": tokens_per_second,
        })
    }

    fn text(
        training: &Training<'_>,
        corpus: &Corpus,
        outcome: &Outcome,
        tokens_per_second: f64,
    ) -> anyhow::Result<String> {
        let columns = columns();
        let show = |value: Option<f64>| value.map_or("not measured".into(), |loss| format!("{loss:.4}"));
        let best = outcome.best_score.map(|score| -score);
        let result = format!("{}  (step {}, the best)", show(best), outcome.best_step);
        let mut text = vec![
            entry_at(RESULT_COLUMN, "validation loss", &result, columns),
            format!(
                "{} in {:.1} s, {tokens_per_second:.0} target tokens/s",
                counted(outcome.steps, "step"),
                outcome.seconds
            ),
        ];
        let n = SHOWN_PAIRS.min(corpus.val.len());
        let indices: Vec<usize> = (0..n).map(|i| i * corpus.val.len() / n).collect();
        let (ours, theirs) =
            translations(&training.model, &corpus.tokenizer, &corpus.val, &indices, Options::default())?;
        for ((&i, ours), theirs) in indices.iter().zip(ours).zip(theirs) {
            let source = corpus.tokenizer.decode_without_special(corpus.val.source.get(i));
            text.push(entry_at(RESULT_COLUMN, "source", &source, columns));
            text.push(entry_at(RESULT_COLUMN, "  translation", &ours, columns));
            text.push(entry_at(RESULT_COLUMN, "  reference", &theirs, columns));
        }
        Ok(text.join("\n"))
    }
}

/// Describes the data, the model and the machine.
fn introduce(training: &Training<'_>, corpus: &Corpus) -> StepLog {
    let (config, model) = (&training.description.config, &training.description.model);
    corpus.reports.iter().for_each(|report| note(&report.replace("(max_length)", "(--max-length)")));
    let batches = Batches::new(&corpus.train, config.batch_tokens, config.seed);
    let ((targets, padding), epoch) = (batches.statistics(), batches.in_order().len());
    fact(
        "data",
        &format!(
            "{} for training and {} for validation from {}; {} tokens in the vocabulary of both languages",
            counted(corpus.train.len() as u64, "pair"),
            corpus.val.len(),
            corpus.source,
            corpus.tokenizer.vocab_size(),
        ),
    );
    let or_one = if corpus.train.longest() > config.batch_tokens { ", or of one longer pair" } else { "" };
    fact(
        "batches",
        &format!(
            "{epoch} in an epoch, each of up to {} tokens with padding{or_one}; {} is padding",
            config.batch_tokens,
            percent(padding)
        ),
    );
    let parameters = training.model.params().count();
    fact(
        "model",
        &format!(
            "{parameters} parameters; {} + {} layers, {}, {} wide, {} in the feed-forward layers",
            model.encoder_layers,
            model.decoder_layers,
            counted(model.n_head, "head"),
            model.d_model,
            model.d_ff,
        ),
    );
    fact(
        "rate",
        &format!(
            "rises to {:.2e} in {} steps, then falls {}; loss at random {:.4} (ln V)",
            config.peak_learning_rate(),
            config.warmup_iters,
            match config.lr_decay {
                LrDecay::InverseSqrt => "with the square root of the step",
                LrDecay::Cosine => "along half a cosine to 0",
                LrDecay::Linear => "along a line to 0",
                LrDecay::Trapezoid => "at the end only, along a line to 0",
            },
            (model.vocab_size as f64).ln()
        ),
    );
    let tokens = targets * (config.gradient_accumulation_steps * config.shards) as f64;
    // Forward and backward, 6 per parameter and token, without attention.
    let gflop = 6.0 * parameters as f64 * tokens / 1e9;
    let peak = machine::peak(model.precision);
    fact(
        "machine",
        &format!(
            "{} products at {peak:.0} GFLOP/s with {}; a step is about {tokens:.0} target tokens, {gflop:.2} \
             GFLOP (6 N per token)",
            model.precision.name(),
            counted(threads::current(), "thread"),
        ),
    );
    StepLog { interval: config.log_interval, work: Box::new(move |_| StepWork { tokens, gflop }), peak }
}
