//! The settings of a training: the default or a named configuration, then flags.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::BoolishValueParser;
use m2g_core::Mask;
use m2g_core::Precision;
use m2g_core::data::catalogue;
use m2g_core::nn::{NormPlace, Positions, Score};
use m2g_gpt::Config;
use m2g_gpt::presets::{PRESETS, preset};
use m2g_gpt::training::Training;
use m2g_text::{Tokenizer, TokenizerKind};

use crate::config_file::{parse, read, with_keys};
use crate::flags::{nearest, one_of, run_path, with_dashes};

/// The flags that set one setting each, under nanoGPT's names; what is not given comes
/// from the configuration.
#[derive(Args, Clone, Debug, Default)]
pub struct Settings {
    /// A TOML file with settings, or the name of one that is built in: own-text (the
    /// default), shakespeare-char-cpu, shakespeare-char, gpt2-124m, finetune-gpt2.
    #[arg(long, value_name = "FILE.toml|NAME")]
    pub config: Option<String>,
    /// What to train on: a text file, a folder of text or one that `m2g gpt prepare`
    /// made, the name of a dataset, or own-text.
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
    /// How text becomes tokens: char, byte, gpt2, bpe:N.
    #[arg(long, value_name = "NAME")]
    pub tokenizer: Option<String>,
    /// Start from the best model of this run, with its shape and its tokenizer.
    #[arg(long, value_name = "RUN")]
    pub init_from: Option<String>,
    /// Blocks.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub n_layer: Option<usize>,
    /// Attention heads in each block.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub n_head: Option<usize>,
    /// Numbers that stand for a token; a multiple of n_head.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub n_embd: Option<usize>,
    /// Tokens that the model sees at a time.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub block_size: Option<usize>,
    /// The probability with which a number is left out of a step.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub dropout: Option<f64>,
    /// Whether linear layers and norms have a bias.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        value_parser = BoolishValueParser::new())]
    pub bias: Option<bool>,
    /// Whether the head shares the token embedding.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        value_parser = BoolishValueParser::new())]
    pub tie_weights: Option<bool>,
    /// How the model knows where a token stands.
    #[arg(long, value_name = "NAME",
        value_parser = one_of::<Positions>(&["learned", "sinusoidal", "rotary", "alibi", "none"]))]
    pub positions: Option<Positions>,
    /// The base of the wavelengths of sinusoidal positions.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub positions_base: Option<f64>,
    /// How well a key answers a query.
    #[arg(long, value_name = "NAME", value_parser = one_of::<Score>(&Score::NAMES))]
    pub score: Option<Score>,
    /// Which keys a query sees: causal, reversed, none, window:N, finite.
    #[arg(long, value_name = "NAME")]
    pub mask: Option<Mask>,
    /// Where the norms stand.
    #[arg(long, value_name = "NAME", value_parser = one_of::<NormPlace>(&["before", "after", "none"]))]
    pub norm: Option<NormPlace>,
    /// Whether each part of a block adds to what is there, or replaces it.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        value_parser = BoolishValueParser::new())]
    pub residual: Option<bool>,
    /// Whether layers use fused ops, which are faster; op by op, every matrix can be looked at.
    #[arg(long, alias = "attention", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        value_parser = fused)]
    pub fused: Option<bool>,
    /// How exactly matrix products and attention are computed: bf16 is faster on processors
    /// that multiply it, and slower on others.
    #[arg(long, value_name = "NAME", value_parser = one_of::<Precision>(&["f32", "bf16"]))]
    pub precision: Option<Precision>,
    /// Sequences in a pass.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch_size: Option<usize>,
    /// Passes whose gradients are averaged for one step.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub gradient_accumulation_steps: Option<usize>,
    /// Steps in all.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_iters: Option<u64>,
    /// The largest learning rate.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub learning_rate: Option<f64>,
    /// Whether the learning rate falls along half a cosine.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        value_parser = BoolishValueParser::new())]
    pub decay_lr: Option<bool>,
    /// Steps in which the learning rate rises.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub warmup_iters: Option<u64>,
    /// The step at which the learning rate reaches min_lr; 0 is max_iters.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub lr_decay_iters: Option<u64>,
    /// The learning rate at the end.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub min_lr: Option<f64>,
    /// AdamW's weight decay.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub weight_decay: Option<f64>,
    /// AdamW's memory of the gradient.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub beta1: Option<f64>,
    /// AdamW's memory of its square.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub beta2: Option<f64>,
    /// The largest norm of a gradient; 0 is no limit.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub grad_clip: Option<f64>,
    /// Steps from one evaluation on the whole validation split to the next.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub eval_interval: Option<u64>,
    /// Batches of nanoGPT's sampled estimate beside it; 0 leaves it out.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub eval_iters: Option<u64>,
    /// Steps from one line of the log to the next.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub log_interval: Option<u64>,
    /// Stop after so many evaluations without a lower loss; 0 is never.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub patience: Option<u32>,
    /// The seed of all random numbers.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
}

/// Calls a macro with the names of all settings that a flag simply replaces.
macro_rules! with_settings {
    ($do:ident) => {
        $do!(
            tokenizer,
            n_layer,
            n_head,
            n_embd,
            block_size,
            dropout,
            bias,
            tie_weights,
            positions,
            positions_base,
            score,
            mask,
            norm,
            residual,
            fused,
            precision,
            batch_size,
            gradient_accumulation_steps,
            max_iters,
            learning_rate,
            decay_lr,
            warmup_iters,
            lr_decay_iters,
            min_lr,
            weight_decay,
            beta1,
            beta2,
            grad_clip,
            eval_interval,
            eval_iters,
            log_interval,
            patience,
            seed
        )
    };
}

impl Settings {
    /// The complete configuration, and the tokenizer of the run that it starts from, if
    /// it does.
    pub fn resolve(self) -> anyhow::Result<(Config, Option<Tokenizer>)> {
        if let Some(name) = &self.tokenizer {
            name.parse::<TokenizerKind>().map_err(with_dashes)?;
        }
        let named = self.config.as_deref().map(named).transpose()?;
        let mut config = Config::default();
        let mut tokenizer = None;
        let init_from = self.init_from.clone().or(match &named {
            Some((name, text)) => {
                parse(name, text)?.get("init_from").and_then(|v| v.as_str()).map(String::from)
            }
            None => None,
        });
        if let Some(run) = init_from.as_deref().filter(|run| *run != Config::SCRATCH) {
            let description = Training::describe(&run_path(run))?;
            config = config.shaped_like(&description);
            tokenizer = description.tokenizer;
        }
        if let Some((name, text)) = &named {
            config = with_keys(&config, &[], name, text)?;
        }
        macro_rules! take {
            ($($name:ident),*) => { $(if let Some(value) = self.$name { config.$name = value; })* };
        }
        with_settings!(take);
        if let Some(run) = init_from.filter(|run| run != Config::SCRATCH) {
            config.init_from = full_path(&run_path(&run));
        }
        config.data = data(self.data, &config.data);
        config.validate()?;
        Ok((config, tokenizer))
    }

    /// The first flag that was given, other than --max-iters and --data: what a resumed
    /// training has already decided.
    pub fn first_fixed(&self) -> Option<String> {
        macro_rules! given {
            ($($name:ident),*) => { [$((self.$name.is_some(), stringify!($name))),*] };
        }
        let more = [(self.config.is_some(), "config"), (self.init_from.is_some(), "init_from")];
        let given = with_settings!(given).into_iter().chain(more);
        let fixed = given.filter(|(given, name)| *given && *name != "max_iters").map(|(_, name)| name);
        fixed.map(|name| format!("--{}", name.replace('_', "-"))).next()
    }
}

/// The value of `--fused`, which was `--attention fused|primitive` once.
fn fused(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "fused" | "true" | "yes" | "on" | "1" => Ok(true),
        "primitive" | "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("it must be true or false".into()),
    }
}

/// The TOML of a file, or that of a built-in name.
fn named(name: &str) -> anyhow::Result<(String, String)> {
    let path = PathBuf::from(name);
    if path.is_file() {
        return Ok((name.into(), read(&path)?));
    }
    if let Some(text) = preset(name) {
        return Ok((name.into(), text.into()));
    }
    let names = PRESETS.map(|(name, _)| name);
    match nearest(name.trim_end_matches(".toml"), names) {
        Some(near) => {
            bail!("--config is {name}: there is no such file or configuration; did you mean {near}?")
        }
        None => bail!(
            "--config is {name}: there is no such file, and the configurations are {}",
            names.join(", ")
        ),
    }
}

/// The name of the data: the flag's, else the configuration's. Paths are kept in full, so
/// that --resume finds them from anywhere.
pub fn data(flag: Option<String>, configured: &str) -> String {
    let name = match flag {
        // A folder of datasets, such as $M2G_DATA: the one that the configuration asks for.
        Some(dir) if catalogue::named(configured).is_ok() && Path::new(&dir).join(configured).is_dir() => {
            return full_path(&Path::new(&dir).join(configured));
        }
        Some(name) => name,
        None => configured.to_string(),
    };
    let path = Path::new(&name);
    if name != Config::default().data && path.exists() { full_path(path) } else { name }
}

fn full_path(path: &Path) -> String {
    std::path::absolute(path).unwrap_or(path.to_path_buf()).display().to_string()
}
