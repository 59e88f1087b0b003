//! The model that a command looks at: one that is not trained yet, or that of a run.

use anyhow::bail;
use m2g_core::train::Model;
use m2g_core::train::run::{self, BEST, LAST};
use m2g_digits::normalise::SIDE;
use m2g_digits::{Network, training as digits};
use m2g_gpt::{Gpt, GptConfig, training as gpt};
use m2g_text::Tokenizer;

use crate::flags::run_path;

/// A model, and what its checkpoint says of it.
pub enum Subject {
    /// A digit network.
    Digits(Box<Network<f32>>, Box<digits::Description>),
    /// A GPT, whose attention is computed in single ops.
    Gpt(Box<Gpt<f32>>, Box<gpt::Description>),
}

/// The models that are not trained yet, by name.
const UNTRAINED: [&str; 2] = [digits::KIND, gpt::KIND];

impl Subject {
    /// `digits` or `gpt` with their default settings and first weights, or the best (or
    /// last) model of a run.
    pub fn open(name: &str, last: bool) -> anyhow::Result<Self> {
        if UNTRAINED.contains(&name) {
            if last {
                bail!("--last is for runs, and {name} is a model that is not trained yet: give a run's name");
            }
            return if name == digits::KIND { untrained_digits() } else { untrained_gpt() };
        }
        let (path, file) = (run_path(name), if last { LAST } else { BEST });
        match run::kind(&path, file)?.as_str() {
            digits::KIND => {
                let (network, description) = digits::Training::load(&path, file)?;
                Ok(Self::Digits(Box::new(network), Box::new(description)))
            }
            gpt::KIND => {
                let (gpt, description) = gpt::Training::load(&path, file)?;
                Ok(Self::Gpt(Box::new(in_single_ops(gpt)?), Box::new(description)))
            }
            other => bail!("{name} is a model of kind {other}: give a run of digits or of a GPT"),
        }
    }
}

/// The digit network that `m2g digits train` begins with.
fn untrained_digits() -> anyhow::Result<Subject> {
    let description = digits::Description {
        config: m2g_digits::Config::default(),
        image: (SIDE, SIDE),
        classes: m2g_core::data::mnist::CLASSES,
        data: String::new(),
    };
    Ok(Subject::Digits(Box::new(description.network()?), Box::new(description)))
}

/// The GPT that `m2g gpt train` begins with, for GPT-2's tokens, so that it reads any text.
fn untrained_gpt() -> anyhow::Result<Subject> {
    let tokenizer = Tokenizer::gpt2();
    let config = m2g_gpt::Config { tokenizer: tokenizer.kind().to_string(), ..Default::default() };
    let model = config.model(tokenizer.vocab_size());
    let gpt = Gpt::new(model.clone(), config.seed)?;
    let description = gpt::Description { config, model, tokenizer: Some(tokenizer), data: String::new() };
    Ok(Subject::Gpt(Box::new(in_single_ops(gpt)?), Box::new(description)))
}

/// The same model with attention and feed-forward layers in single ops: each matrix can then
/// be looked at.
pub fn in_single_ops(gpt: Gpt<f32>) -> anyhow::Result<Gpt<f32>> {
    let config = GptConfig { fused: false, ..gpt.config().clone() };
    let mut same = Gpt::zeros(config)?;
    *same.params_mut() = gpt.params().clone();
    Ok(same)
}
