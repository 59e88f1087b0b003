//! `m2g gpt sample`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use m2g_core::WeightFormat;
use m2g_core::threads::with_threads;
use m2g_core::train::run::{BEST, LAST};
use m2g_gpt::training::Training;
use m2g_gpt::{GenerateOptions, Generator};
use m2g_text::Sampling;
use m2g_text::tokenizer::{StreamDecoder, Tokenizer};
use serde_json::json;

use crate::flags::{one_of, run_path};
use crate::{interrupt, output};

/// Let a trained model continue a text. Without a prompt, it starts after a newline or, with
/// GPT-2's tokenizer, after the end-of-text token.
#[derive(Args)]
pub struct Sample {
    /// The run: a name under runs/, or a path.
    #[arg(value_name = "RUN")]
    run: String,
    /// The text to continue.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, group = "start")]
    prompt: Option<String>,
    /// A file with the text to continue.
    #[arg(long, value_name = "FILE", group = "start")]
    prompt_file: Option<PathBuf>,
    /// The token ids to continue.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', group = "start")]
    prompt_tokens: Option<Vec<u32>>,
    /// Number of new tokens per sample.
    #[arg(long, value_name = "N", default_value_t = 500)]
    tokens: usize,
    /// Number of samples.
    #[arg(long, value_name = "N", default_value_t = 1)]
    samples: u64,
    /// Temperature: below 1 favours likely tokens, above 1 makes the choice more random.
    #[arg(long, value_name = "X", default_value_t = 0.8, allow_negative_numbers = true)]
    temperature: f64,
    /// Sample from the N most likely tokens, ties included.
    #[arg(long, value_name = "N", default_value_t = 200)]
    top_k: usize,
    /// Sample from the smallest set of most likely tokens with this total probability.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Always take the most likely token.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p"])]
    greedy: bool,
    /// The random seed; each sample gets its own random stream.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// When the window is full, drop the N oldest tokens [default: half of block_size].
    #[arg(long, value_name = "N")]
    slide: Option<usize>,
    /// Recompute all keys and values for every token: slower, with the same text.
    #[arg(long)]
    no_cache: bool,
    /// Use the last parameters of the run instead of the best.
    #[arg(long)]
    last: bool,
    /// The storage format of weights: smaller formats are faster and less precise. int8 has one
    /// scale per matrix row; activations stay f32.
    #[arg(long, value_name = "FORMAT", default_value = "f32",
          value_parser = one_of::<WeightFormat>(&["f32", "bf16", "int8"]))]
    weights: WeightFormat,
    /// Number of threads; the result is the same for any number [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object per sample, and a final one, to stdout.
    #[arg(long)]
    json: bool,
}

/// The interval between flushes: short enough to look smooth, without a system call per token.
const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

impl Sample {
    /// Generates, and reports the speed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        interrupt::listen();
        with_threads(usize::from(self.threads.unwrap_or(0)), || self.samples())?
    }

    fn samples(&self) -> anyhow::Result<ExitCode> {
        let path = run_path(&self.run);
        let (mut gpt, description) = Training::load(&path, if self.last { LAST } else { BEST })?;
        let tokenizer = description.tokenizer.as_ref();
        let prompt = self.prompt(tokenizer)?;
        let start = match &prompt[..] {
            [] => beginning(tokenizer),
            prompt => prompt.to_vec(),
        };
        let options = GenerateOptions {
            sampling: Sampling {
                temperature: self.temperature,
                top_k: Some(self.top_k),
                top_p: self.top_p,
                greedy: self.greedy,
            },
            seed: self.seed,
            cache: !self.no_cache,
            slide: self.slide,
        };
        gpt.pack(self.weights);
        let (mut tokens, mut seconds) = (0, 0.0);
        for sample in 0..self.samples {
            let mut generator = Generator::new(&gpt, &options, &start, sample)?;
            let started = Instant::now();
            if self.json {
                self.json(&mut generator, tokenizer, &prompt)?;
            } else {
                if sample > 0 {
                    output::line("---------------")?;
                }
                self.stream(&mut generator, tokenizer, &prompt)?;
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
            }))?;
        }
        eprintln!("{tokens} tokens in {seconds:.2} s, {per_second:.0} tokens/s");
        Ok(if interrupt::requested() { ExitCode::from(interrupt::EXIT_CODE) } else { ExitCode::SUCCESS })
    }

    /// The tokens to continue; empty without a prompt.
    fn prompt(&self, tokenizer: Option<&Tokenizer>) -> anyhow::Result<Vec<u32>> {
        if let Some(ids) = &self.prompt_tokens {
            return Ok(ids.clone());
        }
        let text = match (&self.prompt, &self.prompt_file) {
            (Some(text), _) => text.clone(),
            (None, Some(file)) => {
                let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                match String::from_utf8(bytes) {
                    Ok(text) => text,
                    Err(e) => bail!(
                        "{} is not UTF-8 text: byte {} is invalid",
                        file.display(),
                        e.utf8_error().valid_up_to()
                    ),
                }
            }
            (None, None) => return Ok(Vec::new()),
        };
        match tokenizer {
            Some(tokenizer) => Ok(tokenizer.encode(&text)?),
            None => bail!("{} has no tokenizer: give token ids with --prompt-tokens 1,2,3", self.run),
        }
    }

    /// Prints the prompt, and the tokens as they are generated.
    fn stream(
        &self,
        generator: &mut Generator<'_, f32>,
        tokenizer: Option<&Tokenizer>,
        prompt: &[u32],
    ) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let mut text = Printer::new(tokenizer);
        for &id in prompt {
            out.write_all(text.push(id).as_bytes())?;
        }
        out.flush()?;
        let mut flushed = Instant::now();
        for _ in 0..self.tokens {
            if interrupt::requested() {
                break;
            }
            out.write_all(text.push(generator.next_token()?).as_bytes())?;
            if flushed.elapsed() >= FLUSH_INTERVAL {
                out.flush()?;
                flushed = Instant::now();
            }
        }
        writeln!(out, "{}", text.finish())?;
        Ok(out.flush()?)
    }

    /// Prints the whole sample as one JSON object.
    fn json(
        &self,
        generator: &mut Generator<'_, f32>,
        tokenizer: Option<&Tokenizer>,
        prompt: &[u32],
    ) -> anyhow::Result<()> {
        let mut tokens = Vec::new();
        while tokens.len() < self.tokens && !interrupt::requested() {
            tokens.push(generator.next_token()?);
        }
        let decode = |ids: &[u32]| {
            let mut printer = Printer::new(tokenizer);
            let mut text: String = ids.iter().map(|&id| printer.push(id)).collect();
            text.push_str(&printer.finish());
            text
        };
        output::line(json!({
            "event": "sample", "prompt": decode(prompt), "prompt_tokens": prompt,
            "text": decode(&tokens), "tokens": tokens,
        }))
    }
}

/// Tokens as text, or as ids without a tokenizer.
enum Printer<'a> {
    Text(StreamDecoder<'a>),
    Ids,
}

impl<'a> Printer<'a> {
    fn new(tokenizer: Option<&'a Tokenizer>) -> Self {
        tokenizer.map_or(Self::Ids, |tokenizer| Self::Text(tokenizer.stream()))
    }

    fn push(&mut self, id: u32) -> String {
        match self {
            Self::Text(decoder) => decoder.push(id),
            Self::Ids => format!("{id} "),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Text(decoder) => decoder.finish(),
            Self::Ids => String::new(),
        }
    }
}

/// The token that marks the start of a text: GPT-2's end-of-text token, or a newline as in nanoGPT.
/// Without a tokenizer, token 0.
fn beginning(tokenizer: Option<&Tokenizer>) -> Vec<u32> {
    let Some(tokenizer) = tokenizer else { return vec![0] };
    match tokenizer.end_of_text() {
        Some(end_of_text) => vec![end_of_text],
        None => tokenizer.encode("\n").unwrap_or_else(|_| vec![0]),
    }
}
