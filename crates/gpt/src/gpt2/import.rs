//! Reads a model from a folder in Hugging Face's format.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use m2g_core::bounded;
use m2g_text::hugging_face;
use serde_json::Value;

use super::error::not_finite;
use super::layout::{CONFIG, INDEX, LM_HEAD, MODEL, WTE, layout};
use super::stored::{Stored, StoredTensors};
use super::tensor_file::TensorFile;
use super::{ImportError, Imported, git_lfs, settings};

/// The largest `model.safetensors.index.json` in bytes. That of a model of 1000 blocks has 1 MB.
const MAX_INDEX_BYTES: u64 = 16 << 20;

/// Reads a GPT-2 in the format of `transformers`: `config.json`, and `model.safetensors` or the
/// files that `model.safetensors.index.json` names. Widens half-precision tensors to `f32`.
///
/// # Errors
/// [`ImportError`] names the file that cannot be used; [`ImportError::Tensors`] lists all tensors
/// that are missing, unexpected or of the wrong shape or type.
pub fn import(dir: &Path) -> Result<Imported, ImportError> {
    let not_a_folder = |why: String| ImportError::Folder { path: dir.to_path_buf(), why };
    if !dir.is_dir() {
        let is_file = format!("it is a file: give the folder with {CONFIG} and {MODEL}");
        return Err(not_a_folder(if dir.is_file() { is_file } else { "there is no such folder".into() }));
    }
    if !dir.join(CONFIG).is_file() {
        return Err(not_a_folder(format!("it has no {CONFIG}")));
    }
    let mut notes = Vec::new();
    let config = settings::read(&dir.join(CONFIG), &mut notes)?;
    let mut files = open(dir)?;
    let found = StoredTensors::new(stored(&files));
    let specs = layout(&config);
    let problems = found.problems(config.tie_weights, &specs);
    if !problems.is_empty() {
        return Err(ImportError::Tensors { path: dir.to_path_buf(), settings: CONFIG, problems });
    }
    let mut read = |stored: &Stored<usize>, out: &mut [f32]| files[stored.place].read(&stored.name, out);
    let params = found.params(&specs, &mut read)?;
    if config.tie_weights && found.separate_head(&specs, &params, &mut read)?.is_some() {
        // The head was trained separately, so the model is not tied in fact.
        let rule = format!("but {LM_HEAD} differs from {WTE}: set it to false to keep both");
        let (path, key) = (dir.join(CONFIG), "tie_word_embeddings".to_string());
        return Err(ImportError::Config { path, key, value: "true".into(), rule });
    }
    if let Some(broken) = found.first_not_finite(&params) {
        let path = files[broken.place].path().to_path_buf();
        return Err(ImportError::File { path, why: not_finite(&broken.name) });
    }
    let found = hugging_face::read(dir, config.vocab_size).map_err(m2g_core::Error::from)?;
    notes.extend(found.notes);
    Ok(Imported { config, params, tokenizer: found.tokenizer, notes })
}

/// The tensors of all files, each with the index of its file.
fn stored(files: &[TensorFile]) -> Vec<Stored<usize>> {
    let of = |(place, file): (usize, &TensorFile)| {
        let tensors = file.tensors().into_iter();
        let stored = tensors.map(move |(name, info)| Stored {
            name,
            shape: info.shape.clone(),
            dtype: info.dtype,
            place,
        });
        stored.collect::<Vec<_>>()
    };
    files.iter().enumerate().flat_map(of).collect()
}

/// Opens all files that hold tensors.
fn open(dir: &Path) -> Result<Vec<TensorFile>, ImportError> {
    if dir.join(MODEL).is_file() {
        return Ok(vec![TensorFile::open(&dir.join(MODEL))?]);
    }
    let index = dir.join(INDEX);
    if !index.is_file() {
        let other = ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5"];
        let why = match other.iter().find(|name| dir.join(name).exists()) {
            Some(name) => format!(
                "it has no {MODEL}, only {name}: load it with transformers and save it with save_pretrained"
            ),
            None => format!("it has neither {MODEL} nor {INDEX}"),
        };
        return Err(ImportError::Folder { path: dir.to_path_buf(), why });
    }
    let unusable = |why: String| ImportError::File { path: index.clone(), why };
    git_lfs::check(&index)?;
    let text = bounded::read(&index, MAX_INDEX_BYTES, "an index of tensors")?;
    let json: Value = serde_json::from_slice(&text).map_err(|e| unusable(format!("it is not JSON ({e})")))?;
    let map = json["weight_map"].as_object().ok_or_else(|| unusable("it has no weight_map".into()))?;
    let names: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
    let plain =
        |name: &&str| matches!(Path::new(name).components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(unusable(format!("it names the file {name:?}, which is not in this folder")));
    }
    let missing: Vec<&str> = names.iter().copied().filter(|name| !dir.join(name).is_file()).collect();
    if !missing.is_empty() {
        return Err(unusable(format!("it names files that do not exist: {}", missing.join(", "))));
    }
    names.iter().map(|name| TensorFile::open(&dir.join(name))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The small GPT-2 of the golden files.
    pub fn tiny() -> Imported {
        import(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gpt2-tiny"))).unwrap()
    }

    #[test]
    fn tensors_are_read_into_our_layout() {
        let tiny = tiny();
        assert_eq!((tiny.config.vocab_size, tiny.config.block_size, tiny.config.n_layer), (101, 32, 3));
        let bytes =
            std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gpt2-tiny/model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tiny.params.len(), file.len());
        let number = |name: &str, i: usize| {
            let data = file.tensor(&format!("transformer.{name}")).unwrap().data();
            f32::from_le_bytes(data[4 * i..4 * i + 4].try_into().unwrap())
        };
        let param = |name: &str| tiny.params.iter().find(|p| p.name == name).unwrap().value.view();
        assert_eq!(param("wte.weight")[[100, 63]], number("wte.weight", 100 * 64 + 63));
        // (64, 192) in the file, (192, 64) in our model.
        let c_attn = param("h.1.attn.c_attn.weight");
        assert_eq!(c_attn.shape(), [192, 64]);
        assert_eq!(c_attn[[5, 2]], number("h.1.attn.c_attn.weight", 2 * 192 + 5));
        assert_eq!(param("h.2.attn.c_proj.weight")[[5, 2]], number("h.2.attn.c_proj.weight", 2 * 64 + 5));
    }
}
