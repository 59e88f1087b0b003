//! The flags of `m2g gpt sample` and `m2g gpt chat`: how a model writes, and when it stops.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use anyhow::bail;
use clap::Args;
use m2g_core::WeightFormat;
use m2g_core::settings::SettingValue;
use m2g_gpt::continuation::Until;
use m2g_gpt::{GenerateOptions, Gpt, gguf};
use m2g_text::source::unescape;
use m2g_text::tokenizer::{SpecialToken, Tokenizer};
use m2g_text::{Sampling, source::with_thousands_separators};

use super::export::names_gguf;
use crate::flags::{Checkpoint, Threads, one_of, run_path};
use crate::models::run::load;
use crate::terminal::lines::note;
use crate::terminal::notes;

/// How a model writes.
#[derive(Args, Clone, Debug)]
pub struct GenerationFlags {
    /// Temperature: below 1 favours likely tokens, above 1 makes the choice more random.
    #[arg(long, value_name = "X", default_value_t = Sampling::WRITING.temperature)]
    temperature: f64,
    /// Sample from the N most likely tokens, ties included.
    #[arg(long, value_name = "N", default_value_t = Sampling::WRITING.top_k.unwrap_or(1))]
    top_k: usize,
    /// Sample from the smallest set of most likely tokens with this total probability.
    #[arg(long, value_name = "X")]
    top_p: Option<f64>,
    /// Always take the most likely token.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p"])]
    greedy: bool,
    /// The random seed; each sample gets its own random stream [default: a new one, which is printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop before this text; \n is a newline. May be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = stop_text)]
    stop: Vec<String>,
    /// Go on after the end-of-text token, instead of stopping there.
    #[arg(long)]
    ignore_end_of_text: bool,
    /// Read <|endoftext|> in the prompt as the end-of-text token, not as plain text.
    #[arg(long)]
    special_tokens: bool,
    /// When the window is full, drop the N oldest tokens [default: half of block_size].
    #[arg(long, value_name = "N")]
    slide: Option<usize>,
    /// Recompute all keys and values for every token: slower, with the same text (unless products are in
    /// bf16, which rounds otherwise then).
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// The storage format of weights: smaller formats are faster and less precise. int8 has one
    /// scale per matrix row, q8_0 and q4_0 one for every 32 weights, as in llama.cpp; activations stay
    /// f32 [default: f32; of a GGUF file, as it is stored].
    #[arg(long, value_name = "FORMAT", value_parser = one_of::<WeightFormat>(&WeightFormat::NAMES))]
    weights: Option<WeightFormat>,
    #[command(flatten)]
    threads: Threads,
}

/// A number of tokens, at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match usize::from_text(text)? {
        0 => Err("it must be at least 1".into()),
        number => Ok(number),
    }
}

/// A stop text as it was typed.
pub fn stop_text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty: give a text of at least one character".into()),
        text => Ok(unescape(text)),
    }
}

impl GenerationFlags {
    /// The number of threads; 0 means one per core.
    pub fn threads(&self) -> usize {
        self.threads.number()
    }

    /// The model of a run or of a GGUF file, and its tokenizer, ready to write.
    pub fn load(&self, name: &str) -> anyhow::Result<(Gpt<f32>, Option<Tokenizer>)> {
        let run = run_path(name);
        let (gpt, tokenizer) = match names_gguf(Path::new(name)) && !run.is_dir() {
            true => self.load_file(Path::new(name))?,
            false => {
                let (mut gpt, description) = load::<Gpt<f32>>(&run, self.checkpoint.file())?;
                gpt.pack(self.weights.unwrap_or_default());
                (gpt, description.tokenizer)
            }
        };
        if tokenizer.is_none() && !self.stop.is_empty() {
            bail!("{name} has no tokenizer, so --stop has no text to look for");
        }
        Ok((gpt, tokenizer))
    }

    fn load_file(&self, file: &Path) -> anyhow::Result<(Gpt<f32>, Option<Tokenizer>)> {
        if self.checkpoint.last {
            bail!("--last belongs to a run, but {} is a file with one model: leave it out", file.display());
        }
        let gguf::Loaded { mut gpt, tokenizer, notes } = gguf::load(file)?;
        notes.iter().for_each(|text| note(&format!("note: {text}")));
        if let Some(format) = self.weights {
            gpt.pack(format);
        }
        if let Err(why) = &tokenizer {
            note(&format!("the model reads only token ids: {why}"));
        }
        Ok((gpt, tokenizer.ok()))
    }

    /// The seed that was given, or a new one, short enough to type.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(RandomState::new().build_hasher().finish() as u32))
    }

    /// The seed, if the user cannot know it and it decides the text.
    pub fn unknown_seed(&self, seed: u64) -> Option<u64> {
        (self.seed.is_none() && !self.greedy).then_some(seed)
    }

    /// How tokens are chosen.
    pub fn options(&self, seed: u64) -> GenerateOptions {
        GenerateOptions {
            sampling: Sampling {
                temperature: self.temperature,
                top_k: Some(self.top_k),
                top_p: self.top_p,
                greedy: self.greedy,
            },
            seed,
            cache: !self.no_cache,
            slide: self.slide,
        }
    }

    /// When a text of at most `tokens` tokens ends.
    pub fn until(&self, tokens: usize) -> Until {
        Until { tokens, stop: self.stop.clone(), past_end_of_text: self.ignore_end_of_text }
    }

    /// The tokens of a text that a person wrote.
    pub fn encode(&self, tokenizer: &Tokenizer, text: &str) -> anyhow::Result<Vec<u32>> {
        let spelling = SpecialToken::EndOfText.spelling();
        if self.special_tokens {
            if text.contains(spelling) && tokenizer.end_of_text().is_none() {
                bail!(
                    "the model has no end-of-text token: leave out --special-tokens to read {spelling} as text"
                );
            }
            return Ok(tokenizer.encode_with_special(text)?);
        }
        if text.contains(spelling) && tokenizer.end_of_text().is_some() {
            notes::line(format_args!(
                "{spelling} in the prompt is read as plain text; --special-tokens makes it a token"
            ));
        }
        Ok(tokenizer.encode(text)?)
    }
}

/// Says that the model does not see the start of a text of `tokens` tokens.
pub fn tell_of_window(what: &str, tokens: usize, window: usize) {
    notes::line(format_args!(
        "{what} has {} tokens, but the model reads {window}: it sees the last {window}",
        with_thousands_separators(tokens as u64)
    ));
}
