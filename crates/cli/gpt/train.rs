//! `m2g gpt train`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::threads::{self, with_threads};
use m2g_core::train::{Ended, Model, Outcome, Save};
use m2g_gpt::data::{Corpus, entropy};
use m2g_gpt::training::Training;
use m2g_gpt::{GenerateOptions, Generator, Gpt};
use m2g_text::Sampling;
use m2g_text::TextError;
use m2g_text::tokenizer::{Tokenizer, TokenizerError};
use serde_json::json;

use super::settings::Settings;
use super::watch::{Watch, Work};
use crate::flags::{new_run_path, quoted, run_path};
use crate::{interrupt, machine, output};

/// How long the sample at the end is.
const SAMPLE_TOKENS: usize = 300;

/// How long the machine's peak is measured.
const PEAK_TIME: Duration = Duration::from_millis(50);

/// Train a GPT. Without flags: a small one, on this project's own notes and sources.
#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    settings: Settings,
    /// How many threads to use; the result is the same for any number [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where to save: a name under runs/, or a path [default: runs/gpt, gpt-2, ...].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Replace the run if it exists.
    #[arg(long)]
    overwrite: bool,
    /// Go on with a run that was stopped; with --max-iters, beyond its end.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "overwrite"])]
    resume: Option<String>,
    /// Write one JSON object for each logged step and each evaluation, and a last one, to stdout.
    #[arg(long)]
    json: bool,
}

impl Train {
    /// Trains, and reports how it went.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        interrupt::listen();
        let threads = usize::from(self.threads.unwrap_or(0));
        with_threads(threads, || match self.resume.clone() {
            Some(run) => self.resume(&run_path(&run)),
            None => self.start(),
        })?
    }

    fn start(self) -> anyhow::Result<ExitCode> {
        let path = match &self.run {
            Some(name) => run_path(name),
            None => new_run_path("gpt"),
        };
        let (config, tokenizer) = self.settings.resolve()?;
        let corpus = match &tokenizer {
            None => Corpus::load(&config.data, config.tokenizer.parse()?)?,
            Some(its) => load_for(&config.data, its, &config.init_from)?,
        };
        let training = Training::new(config, &corpus, Save::at(&path, self.overwrite))?;
        train(training, &corpus, &path, self.json)
    }

    fn resume(self, path: &Path) -> anyhow::Result<ExitCode> {
        if let Some(flag) = self.settings.first_fixed() {
            bail!(
                "{flag} cannot change when a run is resumed: its settings stand in {}",
                path.join("config.toml").display()
            );
        }
        let mut description = Training::describe(path)?;
        let mut config = description.config.clone();
        self.settings.resume(&mut config);
        description.config.max_iters = config.max_iters;
        let corpus = match &description.tokenizer {
            None => Corpus::load(&config.data, config.tokenizer.parse()?)?,
            Some(its) => load_for(&config.data, its, &path.display().to_string())?,
        };
        let training = Training::resume(path, &corpus, description)?;
        let steps = training.description.config.max_iters;
        let done = match training.ended() {
            None => {
                eprintln!("resuming {} after step {}", path.display(), training.state.step);
                return train(training, &corpus, path, self.json);
            }
            Some(Ended::OutOfPatience) => "has run out of patience".to_string(),
            Some(_) => format!("has made all its {steps} steps: give more with --max-iters N"),
        };
        bail!("{} {done}; or use it with `m2g gpt sample {}`", path.display(), quoted(path))
    }
}

/// Loads data for the tokenizer of a run, and says whose it is where it does not fit.
fn load_for(data: &str, tokenizer: &Tokenizer, run: &str) -> anyhow::Result<Corpus> {
    Corpus::load_for(data, tokenizer).map_err(|error| match error {
        TextError::Tokenizer(error @ TokenizerError::UnknownCharacters { .. }) => {
            anyhow!("{run} is a checkpoint of another vocabulary than that of {data}: {error}")
        }
        error => error.into(),
    })
}

fn train(mut training: Training, corpus: &Corpus, path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let config = training.description.config.clone();
    let work = introduce(&training, corpus);
    let steps = config.max_iters;
    let mut watch = Watch::new(training.state.step, steps, config.log_interval, work, json);
    let outcome = training.run(&mut watch);
    watch.finish();
    let tokens_per_second = watch.tokens_per_second();
    if let Some(error) = watch.failed {
        return Err(error);
    }
    let outcome = outcome?;
    if outcome.ended == Ended::Stopped {
        eprintln!("stopped and saved after {} of {steps} steps; to go on:", training.state.step);
        eprintln!("  m2g gpt train --resume {}", quoted(path));
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    if json {
        output::line(json!({
            "event": "done",
            "val_loss": outcome.metric("val_loss"),
            "best_val_loss": outcome.best_score.map(|score| -score),
            "best_step": outcome.best_step,
            "steps": outcome.steps,
            "seconds": outcome.seconds,
            "tokens_per_second": tokens_per_second,
            "run": path,
        }))?;
    } else {
        output::line(summary(&outcome, tokens_per_second))?;
        output::line(format!("a sample:\n{}", sample(&training.model, &corpus.tokenizer)?))?;
    }
    eprintln!("saved in {}; let it write with `m2g gpt sample {}`", path.display(), quoted(path));
    Ok(ExitCode::SUCCESS)
}

/// Says what is trained on what, and what to expect.
fn introduce(training: &Training, corpus: &Corpus) -> Work {
    let (config, model) = (&training.description.config, &training.description.model);
    for report in &corpus.reports {
        eprintln!("{report}");
    }
    let v = corpus.tokenizer.vocab_size();
    eprintln!(
        "data       {} tokens to train and {} to validate, from {}; tokenizer {} with {v} tokens",
        corpus.train.len(),
        corpus.val.len(),
        corpus.source,
        corpus.tokenizer.kind(),
    );
    let params = training.model.params();
    let decayed: usize = params.iter().filter(|p| p.decay).map(|p| p.value.len()).sum();
    eprintln!(
        "model      {} parameters, {decayed} of them decayed; {} layers, {} heads, {} wide, {} tokens at a time",
        params.count(),
        model.n_layer,
        model.n_head,
        model.n_embd,
        model.block_size,
    );
    eprintln!(
        "reference  a token costs {:.4} at first (ln V); {:.4} by its frequency; {:.4} by the token before it",
        (model.vocab_size as f64).ln(),
        entropy::unigram(&corpus.train),
        entropy::bigram(&corpus.train),
    );
    let tokens = (config.batch_size * config.gradient_accumulation_steps * model.block_size) as u64;
    let gflop = model.flops_per_token(params.count()) as f64 * tokens as f64 / 1e9;
    let peak = machine::product_gflops(model.precision, PEAK_TIME);
    eprintln!(
        "machine    {} threads multiply {} matrices at {peak:.0} GFLOP/s; a step is {tokens} tokens, {gflop:.2} \
         GFLOP (6 N + 12 L C T a token)",
        threads::current(),
        model.precision.name(),
    );
    if !model.precision.is_native() {
        eprintln!(
            "note       this processor does not multiply bf16: the rounded numbers are multiplied as f32, which is no \
             faster than --precision f32"
        );
    }
    Work { tokens, gflop, peak }
}

/// What the model writes after a new line.
fn sample(gpt: &Gpt<f32>, tokenizer: &Tokenizer) -> anyhow::Result<String> {
    let start = tokenizer.encode("\n").unwrap_or(vec![0]);
    let sampling = Sampling { temperature: 0.8, top_k: Some(200), ..Sampling::default() };
    let options = GenerateOptions { sampling, ..GenerateOptions::default() };
    let ids: Vec<u32> =
        Generator::new(gpt, &options, &start, 0)?.take(SAMPLE_TOKENS).collect::<Result<_, _>>()?;
    Ok(tokenizer.decode(&ids))
}

/// The figures at the end.
fn summary(outcome: &Outcome, tokens_per_second: f64) -> String {
    let loss = |loss: Option<f64>| loss.map_or("not measured".into(), |loss| format!("{loss:.4}"));
    format!(
        "validation loss  {}  (step {}, the best)\n  after the last step {}\n{} steps in {:.1} s, {:.0} tokens/s",
        loss(outcome.best_score.map(|score| -score)),
        outcome.best_step,
        loss(outcome.metric("val_loss")),
        outcome.steps,
        outcome.seconds,
        tokens_per_second
    )
}
