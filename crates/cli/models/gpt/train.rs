//! `m2g gpt train`.

use std::path::Path;

use anyhow::anyhow;
use m2g_core::train::{Model, Outcome};
use m2g_core::{Error, threads};
use m2g_gpt::data::{Corpus, entropy, is_built_in};
use m2g_gpt::training::{Description, Training};
use m2g_gpt::writing::Writing;
use m2g_gpt::{Config, GenerateOptions, Generator, Gpt, GptConfig};
use m2g_text::source::{PIPED, STANDARD_INPUT};
use m2g_text::token_file::is_prepared;
use m2g_text::{Sampling, TextError, Tokenizer, TokenizerKind, tales};
use serde_json::{Value, json};

use crate::errors::with_dashes;
use crate::gpt::settings::Settings;
use crate::machine;
use crate::models::run::data_is_gone;
use crate::output::percent;
use crate::terminal::lines::{counted, entry_at, fact, fold, note, wrap};
use crate::terminal::width::columns;
use crate::train::TrainCommand;
use crate::train::watch::{Column, EvaluationLog, Log, StepLog, StepWork};

/// The length of the sample after training.
const SAMPLE_TOKENS: usize = 300;

/// The sentences after training that are held to the grammar of the tales.
const COUNTED_SENTENCES: usize = 200;

/// The column in which the results after training start.
const RESULT_COLUMN: usize = 17;

/// The line after an evaluation.
const EVALUATIONS: EvaluationLog = EvaluationLog {
    event: "eval",
    epochs: None,
    loss: "training loss",
    columns: &[
        Column { metric: "val_loss", title: "validation loss", format: loss },
        Column { metric: "train_loss_estimate", title: "sampled: training", format: loss },
        Column { metric: "val_loss_estimate", title: "validation", format: loss },
    ],
};

fn loss(loss: f64) -> String {
    format!("{loss:.4}")
}

impl TrainCommand for Gpt<f32> {
    type Settings = Settings;
    const USE_WITH: &'static str = "sample";
    const LENGTH_FLAG: &'static str = "--max-iters N";

    fn length(description: &Description) -> String {
        counted(description.config.max_iters, "step")
    }

    fn prepare(settings: &Settings) -> anyhow::Result<(Config, Corpus)> {
        let (mut config, tokenizer) = settings.resolve()?;
        let corpus = load_corpus(&config, tokenizer.as_ref(), &config.init_from);
        let corpus = corpus.map_err(|error| match (error.downcast_ref(), settings.preset_of_data()) {
            (Some(TextError::UnknownData { data, .. }), Some(name)) => anyhow!(
                "{name} trains on the folder {data}, which is not here: make it with `m2g gpt prepare TEXT... \
                 --tokenizer {} --out {data}`, or give other text with --data",
                config.tokenizer
            ),
            _ => error,
        })?;
        settings.check_tokenizer(&config, corpus.tokenizer.as_ref())?;
        // Prepared data brings its own.
        if let Some(name) = corpus.tokenizer.as_ref().map(Tokenizer::name)
            && is_prepared(Path::new(&config.data))
            && name.parse::<TokenizerKind>().is_ok()
        {
            config.tokenizer = name;
        }
        config.data = repeatable(config.data);
        Ok((config, corpus))
    }

    fn reopen(settings: &Settings, run: &Path) -> anyhow::Result<(Description, Corpus)> {
        let mut description = Training::describe(run)?;
        // Before its data is read: it has none.
        if description.data.is_empty() {
            return Err(Error::Imported(run.to_path_buf()).into());
        }
        let mut config = description.config.clone();
        settings.resume(&mut config)?;
        let is_given = config.data != description.config.data;
        let corpus = load_corpus(&config, description.tokenizer.as_ref(), &run.display().to_string());
        let corpus = corpus.map_err(|error| match error.downcast_ref() {
            Some(TextError::UnknownData { data, .. }) if !is_given => {
                data_is_gone(data, Some("name its new place with --data"))
            }
            _ => error,
        })?;
        (description.config.max_iters, description.config.data) = (config.max_iters, repeatable(config.data));
        Ok((description, corpus))
    }

    fn introduce(training: &Training<'_>, corpus: &Corpus) -> anyhow::Result<Log> {
        Ok(Log { steps: Some(introduce(training, corpus)?), evaluations: Some(EVALUATIONS) })
    }

    fn json(_: &Training<'_>, outcome: &Outcome, tokens_per_second: f64) -> Value {
        json!({
            "val_loss": outcome.metric("val_loss"),
            "best_val_loss": best_loss(outcome),
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
        let show = |value: Option<f64>| value.map_or("not measured".into(), loss);
        let columns = columns();
        let best = format!("{}  (step {}, the best)", show(best_loss(outcome)), outcome.best_step);
        let text = sample(&training.model, corpus.tokenizer.as_ref())?;
        let mut lines = vec![entry_at(RESULT_COLUMN, "validation loss", &best, columns)];
        if outcome.best_step != outcome.steps {
            lines.push(format!("  after the last step {}", show(outcome.metric("val_loss"))));
        }
        lines.extend([
            format!(
                "{} in {:.1} s, {tokens_per_second:.0} tokens/s",
                counted(outcome.steps, "step"),
                outcome.seconds
            ),
            format!("a sample:\n{}", fold(&text, columns)),
        ]);
        if let Some(tokenizer) = &corpus.tokenizer
            && tales::is_name(&training.description.config.data)
        {
            let found = Writing::by(&training.model, tokenizer, &sampling(), COUNTED_SENTENCES)?;
            let written = format!(
                "of {} words that it writes, {} are words of the tales; of {} sentences, {} follow their grammar",
                found.words,
                percent(found.share_of_words()),
                found.sentences,
                percent(found.share_of_sentences()),
            );
            lines.push(wrap(&written, columns, 2));
        }
        Ok(lines.join("\n"))
    }
}

/// The lowest validation loss; the score is its negative.
fn best_loss(outcome: &Outcome) -> Option<f64> {
    outcome.best_score.map(|score| -score)
}

/// Loads the data of a configuration, with `tokenizer` if given. If the data does not fit the
/// tokenizer, the error names `run`, the tokenizer's run.
fn load_corpus(config: &Config, tokenizer: Option<&Tokenizer>, run: &str) -> anyhow::Result<Corpus> {
    let data = &config.data;
    Corpus::load_configured(config, tokenizer).map_err(|error| match error {
        TextError::Tokenizer(error) if tokenizer.is_some() && error.is_of_text() => {
            let changed = match is_built_in(data) {
                true => ", which is part of this program and may have changed since",
                false => "",
            };
            anyhow!("the checkpoint {run} has another vocabulary than {data}{changed}: {error}")
        }
        error => error.into(),
    })
}

/// Where the text is, for another time: a pipe cannot be read again.
fn repeatable(data: String) -> String {
    if data == PIPED { STANDARD_INPUT.into() } else { data }
}

/// Describes the data, the model and the machine, with losses for comparison.
fn introduce(training: &Training<'_>, corpus: &Corpus) -> anyhow::Result<StepLog> {
    let (config, model) = (&training.description.config, &training.description.model);
    corpus.reports.iter().for_each(|report| note(&with_dashes(report)));
    let vocabulary = match &corpus.tokenizer {
        Some(tokenizer) => format!("tokenizer {} with {} tokens", tokenizer.name(), tokenizer.vocab_size()),
        None => format!("ids below {}, without a tokenizer", corpus.vocab_size),
    };
    fact(
        "data",
        &format!(
            "{} training and {} validation tokens from {}; {vocabulary}",
            corpus.train.len(),
            corpus.val.len(),
            corpus.source,
        ),
    );
    let params = training.model.params();
    let decayed: usize = params.iter().filter(|p| p.decay).map(|p| p.value.len()).sum();
    fact(
        "model",
        &format!(
            "{} parameters, {decayed} of them decayed; {}, {}, {} wide, a window of {}",
            params.count(),
            counted(model.n_layer, "layer"),
            counted(model.n_head, "head"),
            model.n_embd,
            counted(model.block_size, "token"),
        ),
    );
    let tokens = entropy::counted(&corpus.train);
    fact(
        "reference",
        &format!(
            "loss per token: {:.4} at random (ln V); {:.4} by frequency; {:.4} from the previous token{}",
            (model.vocab_size as f64).ln(),
            entropy::unigram(&corpus.train)?,
            entropy::bigram(&corpus.train)?,
            if tokens < corpus.train.len() {
                format!(" (in {tokens} tokens of the text)")
            } else {
                String::new()
            },
        ),
    );
    let passes = config.gradient_accumulation_steps * config.shards;
    let parameters = params.count();
    let StepWork { tokens, gflop } =
        step_work(model, parameters, passes, [config.batch_size, model.block_size]);
    let peak = machine::peak(model.precision);
    fact(
        "machine",
        &format!(
            "{} products at {peak:.0} GFLOP/s with {}; a step is {tokens} tokens, {gflop:.2} GFLOP \
             (6 N + 12 L C T per token)",
            model.precision.name(),
            counted(threads::current(), "thread"),
        ),
    );
    if !model.precision.is_native() {
        fact(
            "note",
            &format!(
                "products in bf16 are {}: not faster than --precision f32",
                m2g_core::Bf16Path::in_use().reason(),
            ),
        );
    }
    let (interval, growing, model) = (config.log_interval, config.clone(), model.clone());
    let work = move |step: u64| {
        step_work(&model, parameters, passes, growing.batch_shape(model.block_size, step.saturating_sub(1)))
    };
    Ok(StepLog { interval, work: Box::new(work), peak })
}

/// The tokens and operations of a step: `passes` batches of `windows` times `length` tokens.
fn step_work(model: &GptConfig, parameters: usize, passes: usize, [windows, length]: [usize; 2]) -> StepWork {
    let tokens = (passes * windows * length) as f64;
    StepWork { tokens, gflop: tokens * model.flops_per_token(parameters, length) as f64 / 1e9 }
}

/// How the samples after training are chosen: as those of `m2g gpt sample`.
fn sampling() -> GenerateOptions {
    GenerateOptions { sampling: Sampling::WRITING, ..GenerateOptions::default() }
}

/// A text that the model generates from a newline; without a tokenizer, token ids from token 0.
fn sample(gpt: &Gpt<f32>, tokenizer: Option<&Tokenizer>) -> anyhow::Result<String> {
    let start = tokenizer.and_then(|tokenizer| tokenizer.encode("\n").ok()).unwrap_or(vec![0]);
    let ids: Vec<u32> = Generator::new(gpt, &sampling(), &start, 0)?
        .only_tokens_of(tokenizer)
        .take(SAMPLE_TOKENS)
        .collect::<Result<_, _>>()?;
    Ok(match tokenizer {
        Some(tokenizer) => tokenizer.decode(&ids),
        None => ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    })
}
