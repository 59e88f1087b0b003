//! `model_args`, the settings of nanoGPT's model.

use m2g_core::Error;
use m2g_core::nn::GeluForm;
use m2g_text::pickle::{Pickle, ValueId};

use crate::{Config, GptConfig};

/// The settings of the model in a checkpoint.
///
/// # Errors
/// A sentence that names the first setting that is missing, unknown or invalid.
pub(super) fn read(pickle: &Pickle, checkpoint: ValueId) -> Result<GptConfig, String> {
    let missing =
        "it holds no model_args: it is not a checkpoint of nanoGPT, which says how many heads the model has";
    let args = pickle.needed(checkpoint, "model_args").map_err(|e| e.to_string())?.ok_or(missing)?;
    for &(key, _) in pickle.dict(args).ok_or("its model_args is not a dict")? {
        let key = pickle.text(key).unwrap_or("a key that is no text");
        if !["n_layer", "n_head", "n_embd", "block_size", "bias", "vocab_size", "dropout"].contains(&key) {
            return Err(format!("its model_args has {}, which nanoGPT does not know", key.escape_debug()));
        }
    }
    let size = |key: &str| {
        let value = pickle.get(args, key).ok_or(format!("its model_args has no {key}"))?;
        pickle.size(value).ok_or(format!("{key} in its model_args is not a whole number"))
    };
    let (bias, gelu) = match pickle.get(args, "bias") {
        // The first versions had biases and GELU by tanh, and did not say so.
        None => (true, GeluForm::Tanh),
        Some(value) => {
            let bias = pickle.flag(value).ok_or("bias in its model_args is neither True nor False")?;
            (bias, GeluForm::Exact)
        }
    };
    let dropout = match pickle.get(args, "dropout") {
        None => 0.0,
        Some(value) => pickle.number(value).ok_or("dropout in its model_args is not a number")?,
    };
    let config = GptConfig {
        n_layer: size("n_layer")?,
        n_head: size("n_head")?,
        n_embd: size("n_embd")?,
        block_size: size("block_size")?,
        bias,
        dropout,
        tie_weights: true,
        gelu,
        ..Config::default().model(size("vocab_size")?)
    };
    config.validate().map_err(|e| match e {
        Error::Setting { name, value, rule } => {
            format!("{name} in its model_args is {value}: {}", rule.replace('`', ""))
        }
        other => other.to_string(),
    })?;
    Ok(config)
}
