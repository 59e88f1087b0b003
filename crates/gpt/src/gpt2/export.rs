//! A model becomes a folder.

use std::io::Write;
use std::path::Path;

use m2g_core::{Error, Float, Params, Tensor, atomic};
use serde_json::{Value, json};

use super::import::transposed;
use super::layout::{Slot, layout};
use super::{CONFIG, ExportError, MODEL, settings, tensor_file, vocabulary};
use crate::GptConfig;
use m2g_text::Tokenizer;

/// Writes a folder that `transformers` loads as `GPT2LMHeadModel`: `config.json`,
/// `generation_config.json` and `model.safetensors`, and the tokenizer: GPT-2's as
/// `vocab.json` and `merges.txt`, others in this project's form as
/// `m2g_tokenizer.json`. GPT-2 always has biases; those of a model without are zero.
///
/// The folder appears only when it is whole. One that exists is replaced only with
/// `overwrite`, and only if it is empty or holds such a model.
///
/// # Errors
/// [`ExportError::Inexpressible`] if GPT-2 has no such model; [`ExportError::Params`]
/// if the parameters are not those of `config`; [`ExportError::Exists`];
/// [`m2g_core::Error::Io`] if it cannot be written.
pub fn export(
    dir: &Path,
    config: &GptConfig,
    params: &Params<f32>,
    tokenizer: Option<&Tokenizer>,
    overwrite: bool,
) -> Result<(), ExportError> {
    let end_of_text = tokenizer.and_then(Tokenizer::end_of_text);
    let config_json = settings::write(config, end_of_text)?;
    let tensors = arrange(config, params)?;
    if dir.exists() {
        let is_export = dir.join(CONFIG).is_file();
        let empty = dir.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        let replaceable = empty || (overwrite && is_export);
        if !replaceable {
            return Err(ExportError::Exists { path: dir.to_path_buf(), is_export });
        }
    }
    atomic::folder(dir, |new| {
        write_json(&new.join(CONFIG), &config_json)?;
        let generation = json!({
            "_from_model_config": true, "bos_token_id": end_of_text, "eos_token_id": end_of_text
        });
        write_json(&new.join("generation_config.json"), &generation)?;
        if let Some(tokenizer) = tokenizer {
            vocabulary::write(new, tokenizer)?;
        }
        let names: Vec<_> = tensors.iter().map(|(slot, _)| (slot.their_name(), slot.their_shape())).collect();
        let path = new.join(MODEL);
        tensor_file::write(&path, &names, |i, file| {
            let mut bytes = Vec::new();
            match &tensors[i] {
                (Slot { conv1d: true, .. }, Some(value)) => {
                    Float::to_le_bytes(transposed(value).data(), &mut bytes)
                }
                (_, Some(value)) => Float::to_le_bytes(value.data(), &mut bytes),
                (slot, None) => Float::to_le_bytes(Tensor::<f32>::zeros(&slot.shape).data(), &mut bytes),
            }
            file.write_all(&bytes).map_err(Error::io("write", &path))
        })
    })?;
    Ok(())
}

/// A tensor of the files with its numbers; none for the bias that a model without
/// biases does not have.
type Filled<'p> = (Slot, Option<&'p Tensor<f32>>);

/// Every tensor of the files, in their order.
fn arrange<'p>(config: &GptConfig, params: &'p Params<f32>) -> Result<Vec<Filled<'p>>, ExportError> {
    let slots = layout(config).into_iter().map(|slot| {
        let value = params.iter().find(|p| p.name == slot.name).map(|p| &p.value);
        match value {
            Some(value) if value.shape() == slot.shape => Ok((slot, Some(value))),
            None if !config.bias && slot.is_bias() => Ok((slot, None)),
            _ => Err(ExportError::Params { name: slot.name, expected: slot.shape }),
        }
    });
    slots.collect()
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    atomic::write(path, |file| writeln!(file, "{value:#}"))
}
