//! Reads a model from a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use m2g_core::train::Model;
use m2g_core::{BlockFormat, Params, Tensor, WeightFormat, memory};
use m2g_text::Tokenizer;

use super::export::TRUE_OUTPUT_NORM_BIAS;
use super::layout::{Direction, OUTPUT, OUTPUT_NORM_BIAS, TOKEN_EMBD, TensorSpec, layout, reordered};
use super::reader::{GgufFile, MAGIC};
use super::value::Value;
use super::{settings, tokens};
use crate::gpt2::error::not_finite;
use crate::gpt2::{ImportError, Imported, TensorProblem};
use crate::{Gpt, GptConfig};

/// Whether a file begins like a GGUF file.
pub fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *MAGIC
}

/// Reads a model. Quantised weights take the values that they stand for.
///
/// # Errors
/// [`ImportError`] names the file that cannot be used, and the key or all tensors that do not fit.
pub fn import(path: &Path) -> Result<Imported, ImportError> {
    Ok(read(path)?.imported)
}

/// A model that is ready to generate.
#[derive(Debug)]
pub struct Loaded {
    /// The model. Its packed weights are those of the file: see [`m2g_core::Params::pack_blocks`].
    pub gpt: Gpt<f32>,
    /// Its tokenizer, or a sentence on why it is not supported.
    pub tokenizer: Result<Tokenizer, String>,
    /// What differs from the model of the file, one sentence each.
    pub notes: Vec<String>,
}

/// Reads a model to generate with. Weights in Q8_0 and Q4_0 are read as they are stored.
///
/// # Errors
/// As [`import`].
pub fn load(path: &Path) -> Result<Loaded, ImportError> {
    let StoredModel { imported, mut blocks } = read(path)?;
    let (tokenizer, notes) = (imported.tokenizer.clone(), imported.notes.clone());
    let mut gpt = imported.into_gpt()?;
    let weights: Vec<_> = gpt.linears().map(|linear| linear.weight).collect();
    for weight in weights {
        let params = gpt.params_mut();
        match blocks.remove(&params.get(weight).name) {
            Some((format, bytes)) => params.pack_blocks(weight, format, &bytes)?,
            None => params.pack(weight, WeightFormat::F32),
        }
    }
    Ok(Loaded { gpt, tokenizer, notes })
}

/// A model, and its quantised matrices as the file holds them, by their names in our model.
struct StoredModel {
    imported: Imported,
    blocks: BTreeMap<String, (BlockFormat, Vec<u8>)>,
}

fn read(path: &Path) -> Result<StoredModel, ImportError> {
    let mut file = GgufFile::open(path)?;
    check_whole(&file)?;
    let (architecture, mut config) = settings::read(&file)?;
    let true_bias = true_bias(&file, &config)?;
    let has_added_token = true_bias.is_some();
    let rows = config.vocab_size;
    config.tie_weights = !file.tensors().contains_key(OUTPUT);
    let with_biases = file.tensors().contains_key("blk.0.attn_qkv.bias");
    let specs: Vec<TensorSpec> =
        layout(&config, architecture).into_iter().filter(|spec| with_biases || !spec.is_bias()).collect();
    let problems = problems(&file, &specs, has_added_token);
    if !problems.is_empty() {
        return Err(ImportError::Tensors { path: path.to_path_buf(), settings: "keys", problems });
    }
    // The values, and packed copies of them.
    let needed = config.parameter_count().saturating_mul(2);
    memory::check(needed, "this model", "use a smaller one")?;

    config.bias = with_biases && file.flag(settings::WITHOUT_BIASES)? != Some(true);
    let (mut params, mut blocks) = (Params::new(), BTreeMap::new());
    let mut embedding = None;
    if has_added_token {
        config.vocab_size -= 1;
    }
    for spec in &specs {
        let (format, bytes) = stored(&mut file, spec, &config, rows)?;
        match spec.theirs.as_str() {
            TOKEN_EMBD => embedding = Some((format, bytes.clone())),
            // Tied weights that the format wants twice.
            OUTPUT if embedding.as_ref().is_some_and(|(f, b)| *f == format && *b == bytes) => {
                config.tie_weights = true;
                continue;
            }
            _ => {}
        }
        let mut shape = spec.shape.clone();
        if is_of_tokens(spec) {
            shape[0] = config.vocab_size;
        }
        let mut value = Tensor::zeros(&shape);
        format.dequantise(&bytes, value.data_mut());
        if let (OUTPUT_NORM_BIAS, Some(bias)) = (spec.theirs.as_str(), &true_bias)
            && !bias.is_empty()
        {
            value.data_mut().copy_from_slice(bias);
        } else if spec.is_bias() && !config.bias {
            let moved = spec.theirs == OUTPUT_NORM_BIAS && has_added_token;
            if !moved && value.data().iter().any(|x| *x != 0.0) {
                let why = format!(
                    "its {} says that it has none, but {} is not 0",
                    settings::WITHOUT_BIASES,
                    spec.theirs
                );
                return Err(file.unusable(why));
            }
            continue;
        }
        if spec.shape.len() == 2 && format.weights_per_block() > 1 {
            blocks.insert(spec.ours.clone(), (format, bytes));
        }
        params.add(spec.ours.clone(), value)?;
    }
    if let Some(param) = params.first_not_finite() {
        let theirs = specs.iter().find(|spec| spec.ours == param.name).map(|spec| &spec.theirs);
        return Err(file.unusable(not_finite(theirs.unwrap_or(&param.name))));
    }
    let found = tokens::read(&file, rows, has_added_token)?;
    let imported = Imported { config, params, tokenizer: found.tokenizer, notes: found.notes };
    Ok(StoredModel { imported, blocks })
}

/// Checks that a file is not one of several parts.
fn check_whole(file: &GgufFile) -> Result<(), ImportError> {
    match file.size("split.count")? {
        Some(parts) if parts > 1 => {
            let number = file.size("split.no")?.unwrap_or(0).saturating_add(1);
            Err(file.unusable(format!(
                "it is part {number} of {parts}: merge the parts with `llama-gguf-split --merge` of llama.cpp"
            )))
        }
        _ => Ok(()),
    }
}

/// The bias of the last norm before an export moved it, empty for a model without biases; `None` if the
/// last token is one of the model's.
fn true_bias(file: &GgufFile, config: &GptConfig) -> Result<Option<Vec<f32>>, ImportError> {
    match file.value(TRUE_OUTPUT_NORM_BIAS) {
        None => Ok(None),
        Some(Value::Floats(bias))
            if (bias.is_empty() || bias.len() == config.n_embd) && config.vocab_size > 1 =>
        {
            Ok(Some(bias.clone()))
        }
        Some(other) => Err(file.unusable(format!(
            "its {TRUE_OUTPUT_NORM_BIAS} is {}, which does not fit the model",
            other.shown()
        ))),
    }
}

/// Whether a tensor has a row for each token.
fn is_of_tokens(spec: &TensorSpec) -> bool {
    [TOKEN_EMBD, OUTPUT].contains(&spec.theirs.as_str())
}

/// All mismatches between the tensors of the file and those of the model.
fn problems(file: &GgufFile, specs: &[TensorSpec], moved_bias: bool) -> Vec<TensorProblem> {
    let mut problems = Vec::new();
    for spec in specs {
        let (name, expected) = (spec.theirs.clone(), spec.shape.clone());
        match file.tensors().get(&spec.theirs) {
            None => problems.push(TensorProblem::Missing { name, expected }),
            Some(found) if *found.axes(expected.len()) != *expected => {
                problems.push(TensorProblem::Shape { name, expected, found: found.shape.clone() });
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = specs.iter().map(|spec| spec.theirs.as_str()).collect();
    let extra = file.tensors().iter().filter(|(name, _)| {
        !(known.contains(name.as_str()) || moved_bias && name.as_str() == OUTPUT_NORM_BIAS)
    });
    problems.extend(
        extra.map(|(name, found)| TensorProblem::Extra { name: name.clone(), found: found.shape.clone() }),
    );
    problems
}

/// A tensor in our order of rows, without those of other tokens.
fn stored(
    file: &mut GgufFile,
    spec: &TensorSpec,
    config: &GptConfig,
    rows: usize,
) -> Result<(BlockFormat, Vec<u8>), ImportError> {
    let format = file.tensors()[&spec.theirs].format;
    let mut bytes = file.bytes(&spec.theirs)?;
    if is_of_tokens(spec) {
        bytes.truncate(bytes.len() / rows * config.vocab_size);
    }
    if spec.rotated {
        // Its elements are moved one by one, which those of a block cannot be.
        if spec.is_bias() && format.weights_per_block() > 1 {
            let why =
                format!("its bias {} is stored in blocks: a bias must be F32, F16 or BF16", spec.theirs);
            return Err(file.unusable(why));
        }
        let row = bytes.len() / (3 * config.n_embd);
        bytes = reordered(&bytes, row, config.n_embd / config.n_head, Direction::FromFile);
    }
    Ok((format, bytes))
}
