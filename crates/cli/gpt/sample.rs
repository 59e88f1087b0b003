//! `m2g gpt sample`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_gpt::Generator;
use m2g_gpt::continuation::{StopReason, Until, continue_until};
use m2g_text::tokenizer::Tokenizer;
use serde_json::json;

use super::generation_flags::{GenerationFlags, at_least_one, tell_of_window};
use super::prompt::{Prompt, PromptFlags};
use crate::interrupt::{self, Work};
use crate::output;
use crate::terminal::lines::{counted, wrap};
use crate::terminal::notes;
use crate::terminal::width::columns;

/// Let a trained model continue a text.
///
/// The text is what --prompt gives or what is piped in. Without one, it starts after the end-of-text
/// token or, if the model has none, after a newline.
#[derive(Args)]
pub struct Sample {
    /// The run: a name under runs/, or a path; or a GGUF file.
    #[arg(value_name = "RUN|FILE.gguf")]
    run: String,
    #[command(flatten)]
    prompt: PromptFlags,
    /// Number of new tokens per sample.
    #[arg(long, value_name = "N", default_value_t = 500)]
    tokens: usize,
    /// Number of samples.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    samples: usize,
    #[command(flatten)]
    generation: GenerationFlags,
    /// Print one JSON object per sample, and a final one, to stdout. `stop_reason` says why a sample
    /// ended: end-of-text, stop, length or, after Ctrl-C, interrupted. Of a stop text, `tokens` has what was
    /// generated, and `text` has nothing.
    #[arg(long)]
    json: bool,
}

/// The interval between flushes: short enough to look smooth, without a system call per token.
const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

impl Sample {
    /// Generates, and reports the speed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let _work = Work::orderly();
        with_threads(self.generation.threads(), || self.samples())?
    }

    fn samples(&self) -> anyhow::Result<ExitCode> {
        let (gpt, tokenizer) = self.generation.load(&self.run)?;
        let tokenizer = tokenizer.as_ref();
        let prompt = self.prompt(tokenizer, gpt.config().vocab_size)?;
        if prompt.is_empty() && self.tokens == 0 {
            bail!("--tokens is 0 and there is no prompt, so there is nothing to print: give at least 1");
        }
        let start = match &prompt[..] {
            // Without a tokenizer, token 0.
            [] => tokenizer.map_or(vec![0], Tokenizer::start_of_text),
            prompt => prompt.to_vec(),
        };
        let seed = self.generation.seed();
        let (options, until) = (self.generation.options(seed), self.generation.until(self.tokens));
        let (mut tokens, mut seconds) = (0, 0.0);
        for sample in 0..self.samples {
            let mut generator =
                Generator::new(&gpt, &options, &start, sample as u64)?.only_tokens_of(tokenizer);
            generator.stop_when(interrupt::requested);
            if sample == 0 && generator.dropped() > 0 {
                tell_of_window("the prompt", start.len(), gpt.config().block_size);
            }
            let started = Instant::now();
            if self.json {
                json(&mut generator, tokenizer, &prompt, &until, seed)?;
            } else {
                if sample > 0 {
                    output::line("---------------")?;
                }
                stream(&mut generator, tokenizer, &prompt, &until)?;
            }
            seconds += started.elapsed().as_secs_f64();
            tokens += generator.tokens().len() - start.len();
            if interrupt::requested() {
                break;
            }
        }
        let per_second = if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
        if self.json {
            output::line(json!({
                "event": "done", "tokens": tokens, "seconds": seconds, "tokens_per_second": per_second,
                "seed": seed,
            }))?;
        }
        let repeat = self.generation.unknown_seed(seed);
        let repeat = repeat.map_or(String::new(), |seed| format!("; --seed {seed} repeats it"));
        let stopped = if interrupt::requested() { "stopped before the end: " } else { "" };
        let tokens = counted(tokens, "token");
        let summary = format!("{stopped}{tokens} in {seconds:.2} s, {per_second:.0} tokens/s{repeat}");
        notes::line(wrap(&summary, columns(), 2));
        Ok(if interrupt::requested() { ExitCode::from(interrupt::EXIT_CODE) } else { ExitCode::SUCCESS })
    }

    /// The tokens to continue; empty without a prompt.
    fn prompt(&self, tokenizer: Option<&Tokenizer>, v: usize) -> anyhow::Result<Vec<u32>> {
        match (self.prompt.read()?, tokenizer) {
            (Prompt::Tokens(ids), _) => match ids.iter().find(|&&id| id as usize >= v) {
                Some(id) => bail!("--prompt-tokens has {id}, but the ids of this model are 0 to {}", v - 1),
                None => Ok(ids),
            },
            (Prompt::Text(text), _) if text.is_empty() => Ok(Vec::new()),
            (Prompt::Text(text), Some(tokenizer)) => self.generation.encode(tokenizer, &text),
            (Prompt::Text(_), None) => {
                bail!("{} has no tokenizer: give token ids with --prompt-tokens 1,2,3", self.run)
            }
        }
    }
}

/// Prints the prompt, and the tokens as they are generated.
fn stream(
    generator: &mut Generator<'_>,
    tokenizer: Option<&Tokenizer>,
    prompt: &[u32],
    until: &Until,
) -> anyhow::Result<()> {
    let mut out = output::Stream::open();
    let mut flushed: Option<Instant> = None;
    continue_until(generator, tokenizer, until, prompt, &mut |text| {
        out.write(text)?;
        if flushed.is_none_or(|flushed| flushed.elapsed() >= FLUSH_INTERVAL) {
            out.flush()?;
            flushed = Some(Instant::now());
        }
        anyhow::Ok(!interrupt::requested())
    })?;
    out.write("\n")?;
    out.flush()
}

/// Prints the whole sample as one JSON object.
fn json(
    generator: &mut Generator<'_>,
    tokenizer: Option<&Tokenizer>,
    prompt: &[u32],
    until: &Until,
    seed: u64,
) -> anyhow::Result<()> {
    let mut go_on = |_: &str| anyhow::Ok(!interrupt::requested());
    let all = continue_until(generator, tokenizer, until, &[], &mut go_on)?;
    let stop = match &all.reason {
        StopReason::Stop(text) => Some(text),
        _ => None,
    };
    output::line(json!({
        "event": "sample", "prompt": readable(tokenizer, prompt), "prompt_tokens": prompt,
        "text": all.text, "tokens": all.tokens, "stop_reason": all.reason.name(), "stop": stop, "seed": seed,
    }))
}

/// Tokens as text, or as ids without a tokenizer.
fn readable(tokenizer: Option<&Tokenizer>, ids: &[u32]) -> String {
    match tokenizer {
        Some(tokenizer) => tokenizer.decode(ids),
        None => ids.iter().map(|id| format!("{id} ")).collect(),
    }
}
