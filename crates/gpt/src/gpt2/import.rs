//! Reads a model from a folder in Hugging Face's format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use m2g_core::train::Model;
use m2g_core::{Error, Params, Tensor};
use safetensors::Dtype;
use serde_json::Value;

use super::layout::{CONFIG, INDEX, LM_HEAD, MODEL, TensorSpec, WTE, layout, our_name};
use super::tensor_file::{TensorFile, bytes_per_element};
use super::{ImportError, TensorProblem, settings, vocabulary};
use crate::{Gpt, GptConfig};
use m2g_text::Tokenizer;

/// A model read from a folder.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The settings of the model.
    pub config: GptConfig,
    /// Its parameters, by their names in our model.
    pub params: Params<f32>,
    /// Its tokenizer, or a sentence on why it is not supported.
    pub tokenizer: Result<Tokenizer, String>,
}

impl Imported {
    /// The model with these parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is invalid.
    pub fn into_gpt(self) -> Result<Gpt<f32>, Error> {
        let mut gpt = Gpt::zeros(self.config)?;
        let mut values: BTreeMap<String, Tensor<f32>> =
            self.params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
        for param in gpt.params_mut().iter_mut() {
            // `import` has compared all names and shapes with the configuration.
            if let Some(value) = values.remove(&param.name) {
                param.value = value;
            }
        }
        Ok(gpt)
    }
}

/// Reads a GPT-2 in the format of `transformers`: `config.json`, and `model.safetensors` or the
/// files that `model.safetensors.index.json` names. Widens half-precision tensors to `f32`.
///
/// # Errors
/// [`ImportError`] names the file that cannot be used; [`ImportError::Tensors`] lists all tensors
/// that are missing, unexpected or of the wrong shape or type.
pub fn import(dir: &Path) -> Result<Imported, ImportError> {
    let not_a_folder = |why: String| ImportError::Folder { path: dir.to_path_buf(), why };
    if !dir.is_dir() {
        return Err(not_a_folder("there is no such folder".into()));
    }
    if !dir.join(CONFIG).is_file() {
        return Err(not_a_folder(format!("it has no {CONFIG}")));
    }
    let config = settings::read(&dir.join(CONFIG))?;
    let mut files = open(dir)?;
    let mut found = Found::list(&files);
    let specs = layout(&config);
    let problems = found.problems(&config, &specs);
    if !problems.is_empty() {
        return Err(ImportError::Tensors { path: dir.to_path_buf(), problems });
    }
    let mut params = Params::new();
    for spec in &specs {
        params.add(spec.name.clone(), found.read(&mut files, spec)?)?;
    }
    if config.tie_weights && found.tensors.contains_key(LM_HEAD) {
        let head = found.read(&mut files, &TensorSpec { name: LM_HEAD.into(), ..specs[0].clone() })?;
        let wte = params.iter().find(|p| p.name == WTE).map(|p| p.value.data());
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        if wte.map(bits) != Some(bits(head.data())) {
            // The head was trained separately, so the model is not tied in fact.
            let rule = format!("but {LM_HEAD} differs from {WTE}: set it to false to keep both");
            let (path, key) = (dir.join(CONFIG), "tie_word_embeddings".to_string());
            return Err(ImportError::Config { path, key, value: "true".into(), rule });
        }
    }
    let tokenizer = vocabulary::read(dir, config.vocab_size)?;
    Ok(Imported { config, params, tokenizer })
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
    let text = std::fs::read(&index).map_err(Error::io("read", &index))?;
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

/// The tensors of all files.
struct Found {
    /// The locations of the tensors, by their names in our model.
    tensors: BTreeMap<String, Location>,
    /// The names that occur more than once.
    duplicates: BTreeSet<String>,
}

/// Where a tensor is stored.
struct Location {
    /// The index of the file.
    file: usize,
    /// The name in the file.
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
}

impl Found {
    fn list(files: &[TensorFile]) -> Self {
        let (mut tensors, mut duplicates) = (BTreeMap::new(), BTreeSet::new());
        for (file, content) in files.iter().enumerate() {
            for (theirs, info) in content.tensors() {
                let Some(ours) = our_name(&theirs).map(String::from) else { continue };
                let location = Location { file, name: theirs, shape: info.shape.clone(), dtype: info.dtype };
                if tensors.insert(ours.clone(), location).is_some() {
                    duplicates.insert(ours);
                }
            }
        }
        Self { tensors, duplicates }
    }

    /// All mismatches between the files and the model.
    fn problems(&self, config: &GptConfig, specs: &[TensorSpec]) -> Vec<TensorProblem> {
        let mut problems = Vec::new();
        let mut check = |spec: &TensorSpec, required: bool| {
            let expected = spec.their_shape();
            match self.tensors.get(&spec.name) {
                None if required => {
                    problems.push(TensorProblem::Missing { name: spec.their_name(), expected })
                }
                None => {}
                Some(Location { name, shape, .. }) if *shape != expected => {
                    let (name, found) = (name.clone(), shape.clone());
                    problems.push(TensorProblem::Shape { name, expected, found });
                }
                Some(Location { name, dtype, .. }) if bytes_per_element(*dtype).is_none() => {
                    problems.push(TensorProblem::Type { name: name.clone(), found: *dtype });
                }
                Some(_) => {}
            }
        };
        specs.iter().for_each(|spec| check(spec, true));
        if config.tie_weights {
            check(&TensorSpec { name: LM_HEAD.into(), ..specs[0].clone() }, false);
        }
        let known: BTreeSet<&str> = specs.iter().map(|s| s.name.as_str()).chain([LM_HEAD]).collect();
        for (_, location) in self.tensors.iter().filter(|(ours, _)| !known.contains(ours.as_str())) {
            problems
                .push(TensorProblem::Extra { name: location.name.clone(), found: location.shape.clone() });
        }
        problems.extend(self.duplicates.iter().map(|name| TensorProblem::Duplicate { name: name.clone() }));
        problems
    }

    /// Reads a tensor in the shape that it has in our model.
    fn read(&mut self, files: &mut [TensorFile], spec: &TensorSpec) -> Result<Tensor<f32>, ImportError> {
        let location = &self.tensors[&spec.name];
        let mut theirs = Tensor::zeros(&location.shape);
        files[location.file].read(&location.name, theirs.data_mut())?;
        Ok(if spec.conv1d { transposed(&theirs) } else { theirs })
    }
}

/// The transpose of a matrix.
pub(super) fn transposed(matrix: &Tensor<f32>) -> Tensor<f32> {
    /// Elements along each side of a tile: a source and a destination tile fit the L1 cache.
    const TILE_SIDE: usize = 32;
    let (rows, cols) = matrix.rows_cols();
    let mut transposed = Tensor::zeros(&[cols, rows]);
    let (from, to) = (matrix.data(), transposed.data_mut());
    for row in (0..rows).step_by(TILE_SIDE) {
        for col in (0..cols).step_by(TILE_SIDE) {
            for c in col..(col + TILE_SIDE).min(cols) {
                for r in row..(row + TILE_SIDE).min(rows) {
                    to[c * rows + r] = from[r * cols + c];
                }
            }
        }
    }
    transposed
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
    fn transposed_by_hand() {
        let matrix = Tensor::from_vec(&[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(
            transposed(&matrix),
            Tensor::from_vec(&[3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap()
        );
        let mut next = 0.0;
        let large = Tensor::from_fn(&[70, 33], || {
            next += 1.0;
            next
        });
        assert_eq!(transposed(&large).view()[[32, 69]], large.view()[[69, 32]]);
        assert_eq!(transposed(&transposed(&large)), large);
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
