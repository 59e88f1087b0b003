//! Writes a model to a folder in Hugging Face's format.

use std::io::Write;
use std::path::Path;

use m2g_core::{Error, Number, Params, Tensor, atomic};
use serde_json::{Value, json};

use super::layout::{CONFIG, MODEL, TensorSpec, layout};
use super::stored::transposed;
use super::{ExportError, settings, tensor_file};
use crate::GptConfig;
use m2g_text::{Tokenizer, hugging_face};

/// All files that an export can hold.
const FILES: [&str; 8] = [
    CONFIG,
    GENERATION_CONFIG,
    MODEL,
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "m2g_tokenizer.json",
];

const GENERATION_CONFIG: &str = "generation_config.json";

/// Writes a folder that `transformers` loads as `GPT2LMHeadModel`: `config.json`,
/// `generation_config.json`, `model.safetensors` and the files of the tokenizer. GPT-2 always has
/// biases: those of a model without biases are written as zeros. Returns a sentence if only this
/// program can read the tokenizer.
///
/// The folder appears only when it is complete. An existing folder is replaced if it is empty, or
/// if it holds such a model and nothing else, and `overwrite` is set.
///
/// # Errors
/// [`ExportError::Inexpressible`] if the format cannot express the model; [`ExportError::Params`]
/// if the parameters do not fit `config`; [`ExportError::Exists`]; [`m2g_core::Error::Foreign`] if
/// the folder holds other files as well; [`m2g_core::Error::Io`] if a file cannot be written.
pub fn export(
    dir: &Path,
    config: &GptConfig,
    params: &Params<f32>,
    tokenizer: Option<&Tokenizer>,
    overwrite: bool,
) -> Result<Option<String>, ExportError> {
    let end_of_text = tokenizer.and_then(Tokenizer::end_of_text);
    let config_json = settings::write(config, end_of_text)?;
    let tensors = tensors_to_write(config, params)?;
    let may_replace = || {
        // A link that leads nowhere is taken too.
        if dir.symlink_metadata().is_err() {
            return Ok(());
        }
        let is_export = dir.join(CONFIG).is_file();
        let empty = dir.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        if overwrite && is_export && !empty {
            return Ok(atomic::check_own(dir, "such an export", |name| FILES.contains(&name))?);
        }
        match empty {
            true => Ok(()),
            false => Err(ExportError::Exists { path: dir.to_path_buf(), is_export }),
        }
    };
    atomic::folder(dir, may_replace, |new| {
        write_json(&new.join(CONFIG), &config_json)?;
        let generation = json!({
            "_from_model_config": true, "bos_token_id": end_of_text, "eos_token_id": end_of_text
        });
        write_json(&new.join(GENERATION_CONFIG), &generation)?;
        let note = match tokenizer {
            Some(tokenizer) => hugging_face::write(new, tokenizer, config.block_size)?,
            None => None,
        };
        let names: Vec<_> = tensors.iter().map(|(spec, _)| (spec.their_name(), spec.their_shape())).collect();
        let path = new.join(MODEL);
        tensor_file::write(&path, &names, |i, file| {
            let mut bytes = Vec::new();
            match &tensors[i] {
                (TensorSpec { conv1d: true, .. }, Some(value)) => {
                    Number::to_le_bytes(transposed(value).data(), &mut bytes)
                }
                (_, Some(value)) => Number::to_le_bytes(value.data(), &mut bytes),
                (spec, None) => Number::to_le_bytes(Tensor::<f32>::zeros(&spec.shape).data(), &mut bytes),
            }
            file.write_all(&bytes).map_err(Error::io("write", &path))
        })?;
        Ok(note)
    })
}

/// A tensor of the file with its value; `None` for the biases of a model without biases.
type TensorToWrite<'p> = (TensorSpec, Option<&'p Tensor<f32>>);

/// All tensors, in the order of the file.
fn tensors_to_write<'p>(
    config: &GptConfig,
    params: &'p Params<f32>,
) -> Result<Vec<TensorToWrite<'p>>, ExportError> {
    let tensors = layout(config).into_iter().map(|spec| {
        let value = params.iter().find(|p| p.name == spec.name).map(|p| &p.value);
        match value {
            Some(value) if value.shape() == spec.shape => Ok((spec, Some(value))),
            None if !config.bias && spec.is_bias() => Ok((spec, None)),
            _ => Err(ExportError::Params { name: spec.name, expected: spec.shape }),
        }
    });
    tensors.collect()
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    atomic::write(path, |file| writeln!(file, "{value:#}"))
}
