//! Reads the model of a checkpoint.

use std::path::Path;

use m2g_text::Tokenizer;
use m2g_text::pickle::Value;
use m2g_text::token_file::{NanoGptMeta, read_meta};
use m2g_text::tokenizer::GPT2_SIZES;

use super::model_args;
use super::torch_file::{TorchFile, View};
use crate::GptConfig;
use crate::gpt2::error::not_finite;
use crate::gpt2::layout::{LM_HEAD, TensorSpec, layout};
use crate::gpt2::stored::{Stored, StoredTensors};
use crate::gpt2::{ImportError, Imported};

/// No weight of a model that was trained is larger.
const LARGEST_WEIGHT: f32 = 1e20;

/// Reads `ckpt.pt`: the settings in `model_args` and the tensors in `model`. The state of the optimiser
/// is not read. `meta` is the `meta.pkl` of the data that the model was trained on, which holds its
/// characters.
///
/// # Errors
/// [`ImportError`] names the file that cannot be used; [`ImportError::Tensors`] lists all tensors that
/// are missing, unexpected or of the wrong shape or type.
pub fn import(path: &Path, meta: Option<&Path>) -> Result<Imported, ImportError> {
    let unusable = |why: String| ImportError::File { path: path.to_path_buf(), why };
    let mut file = TorchFile::open(path)?;
    let root = file.pickle().root();
    if file.pickle().dict(root).is_none() {
        file.pickle().check(root).map_err(|e| unusable(e.to_string()))?;
        return Err(unusable("it is not a checkpoint of nanoGPT: it does not hold a dict".into()));
    }
    let mut config = model_args::read(file.pickle(), root).map_err(unusable)?;
    let tensors = StoredTensors::new(tensors(&file).map_err(unusable)?);
    let mut specs = tensors_of(&config);
    let problems = tensors.problems(true, &specs);
    if !problems.is_empty() {
        return Err(ImportError::Tensors { path: path.to_path_buf(), settings: "model_args", problems });
    }
    let mut read = |stored: &Stored<View>, out: &mut [f32]| file.read(&stored.place, out);
    let mut params = tensors.params(&specs, &mut read)?;
    if let Some(head) = tensors.separate_head(&specs, &params, &mut read)? {
        config.tie_weights = false;
        params.add(LM_HEAD, head)?;
        specs = tensors_of(&config);
    }
    debug_assert_eq!(specs.len(), params.len());
    let large = |x: &&f32| x.is_nan() || x.abs() > LARGEST_WEIGHT;
    if file.big_endian && params.iter().any(|p| p.value.data().iter().any(|x| large(&x))) {
        let why = "its byteorder says big, but its tensors read in this order are not those of a model";
        return Err(unusable(why.into()));
    }
    if let Some(broken) = tensors.first_not_finite(&params) {
        return Err(unusable(not_finite(&broken.name)));
    }
    let mut notes = Vec::new();
    let tokenizer = tokenizer(&config, meta, dataset(&file), &mut notes)?;
    Ok(Imported { config, params, tokenizer, notes })
}

/// The tensors of nanoGPT's model: linear layers are stored as they are here, and without biases if
/// the model has none.
fn tensors_of(config: &GptConfig) -> Vec<TensorSpec> {
    let all = layout(config).into_iter().map(|spec| TensorSpec { conv1d: false, ..spec });
    all.filter(|spec| config.bias || !spec.is_bias()).collect()
}

/// All tensors in the dict `model`.
fn tensors(file: &TorchFile) -> Result<Vec<Stored<View>>, String> {
    let pickle = file.pickle();
    let model = pickle.needed(pickle.root(), "model").map_err(|e| e.to_string())?;
    let model = model.ok_or("it holds no model: it is not a checkpoint of nanoGPT")?;
    let items = pickle.dict(model).ok_or("its model is not a dict of tensors")?;
    let mut tensors = Vec::new();
    for &(name, value) in items {
        let name = pickle.text(name).ok_or("a tensor of its model has no name")?.to_string();
        let view = file.view(value).map_err(|why| format!("its tensor {} {why}", name.escape_debug()))?;
        let place = view.ok_or(format!("{} in its model is not a tensor", name.escape_debug()))?;
        tensors.push(Stored { name, shape: place.shape.clone(), dtype: place.dtype, place });
    }
    Ok(tensors)
}

/// The name of the data in nanoGPT's configuration.
fn dataset(file: &TorchFile) -> Option<&str> {
    let pickle = file.pickle();
    let config = pickle.get(pickle.root(), "config")?;
    match pickle.value(pickle.get(config, "dataset")?) {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

/// The tokenizer of `meta`; without it, GPT-2's for a vocabulary of its size, as in nanoGPT's
/// `sample.py`.
fn tokenizer(
    config: &GptConfig,
    meta: Option<&Path>,
    dataset: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Result<Tokenizer, String>, ImportError> {
    let of = dataset.map_or(String::new(), |name| format!(" of the data {}", name.escape_debug()));
    let Some(path) = meta else {
        if GPT2_SIZES.contains(&config.vocab_size) {
            let tokens = config.vocab_size;
            notes.push(format!("without a meta.pkl, the {tokens} tokens are taken to be those of GPT-2"));
            return Ok(Ok(Tokenizer::gpt2()));
        }
        return Ok(Err(format!("its characters are in the meta.pkl{of}: give that too")));
    };
    let NanoGptMeta { vocab_size, tokenizer } = read_meta(path).map_err(m2g_core::Error::from)?;
    // nanoGPT gives the model as many tokens as its meta.pkl says.
    if vocab_size != config.vocab_size {
        let why = format!(
            "it has {vocab_size} tokens, but the model has {}: give the meta.pkl{of} that it was trained on",
            config.vocab_size
        );
        return Err(ImportError::File { path: path.to_path_buf(), why });
    }
    Ok(tokenizer)
}
