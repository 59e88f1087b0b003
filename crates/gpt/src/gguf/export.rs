//! Writes a model to a file.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use m2g_core::nn::{Positions, sinusoidal};
use m2g_core::{BlockFormat, Params, Tensor};
use m2g_text::Tokenizer;

use super::Architecture;
use super::layout::{
    Direction, OUTPUT, OUTPUT_NORM, OUTPUT_NORM_BIAS, POSITION_EMBD, TOKEN_EMBD, TensorSpec, layout,
    reordered,
};
use super::never_drawn::NeverDrawn;
use super::reader::ALIGNMENT;
use super::settings;
use super::tokens::{TAKEN_FOR_END, TokenKeys, without_tokenizer};
use super::value::Written;
use super::writer::{self, TensorToWrite};
use crate::GptConfig;
use crate::gpt2::ExportError;

/// The key with the bias of the last norm before it was moved, an empty list for a model without biases.
/// Its presence says that the last token is not one of the model's.
pub const TRUE_OUTPUT_NORM_BIAS: &str = "m2g.output_norm.bias";

/// How the matrices are stored. Vectors and the table of positions are always F32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantisation {
    /// Unchanged.
    F32,
    /// Half precision.
    F16,
    /// 8 bits.
    Q8_0,
    /// 4 bits, with 8 bits for the embedding and the head, where errors cost most.
    Q4_0,
}

impl Quantisation {
    /// The format of the matrices in blocks.
    fn of_blocks(self) -> BlockFormat {
        match self {
            Self::F32 => BlockFormat::F32,
            Self::F16 => BlockFormat::F16,
            Self::Q8_0 => BlockFormat::Q8_0,
            Self::Q4_0 => BlockFormat::Q4_0,
        }
    }

    /// The format of the embedding and the head.
    fn of_tokens(self) -> BlockFormat {
        match self {
            Self::Q4_0 => BlockFormat::Q8_0,
            other => other.of_blocks(),
        }
    }

    /// The number that llama.cpp has for a file that mostly consists of this format.
    fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
        }
    }

    fn name(self) -> &'static str {
        self.of_blocks().name()
    }
}

/// A tensor with its place in the file.
struct Filled<'p> {
    place: TensorToWrite,
    /// The values of the model, unless the file has others.
    value: Cow<'p, [f32]>,
    /// Whether the rows are those of Q, K and V, which get the order of the file when they are written.
    rotated: bool,
}

impl Filled<'_> {
    /// Its bytes in the file.
    fn bytes(&self, config: &GptConfig) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.rotated {
            let (row, d) = (self.value.len() / (3 * config.n_embd), config.n_embd / config.n_head);
            let rows = reordered(&self.value, row, d, Direction::ToFile);
            self.place.format.quantise(&rows, &mut bytes);
        } else {
            self.place.format.quantise(&self.value, &mut bytes);
        }
        bytes
    }
}

/// A model to write.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// Its settings.
    pub config: &'a GptConfig,
    /// Its parameters.
    pub params: &'a Params<f32>,
    /// Its tokenizer; without one, the file holds a model of token ids.
    pub tokenizer: Option<&'a Tokenizer>,
    /// How its matrices are stored.
    pub quantisation: Quantisation,
}

/// Writes a file that llama.cpp runs. Errors call it `path`. Returns notes on what differs there, one
/// sentence each.
///
/// # Errors
/// [`ExportError::Gguf`] if llama.cpp has no such model, or the format cannot hold it;
/// [`ExportError::Params`] if the parameters do not fit the settings; [`m2g_core::Error::Io`].
pub fn export(out: &mut dyn Write, path: &Path, model: Export<'_>) -> Result<Vec<String>, ExportError> {
    let Export { name, config, params, tokenizer, quantisation } = model;
    let architecture = Architecture::of(config)?;
    let whole = quantisation.of_blocks().weights_per_block();
    if !config.n_embd.is_multiple_of(whole) {
        return Err(ExportError::Gguf {
            what: format!("n_embd = {} in {}", config.n_embd, quantisation.name()),
            why: format!(
                "it rounds {whole} weights of a row together, so n_embd must be a multiple of {whole}: export as f16"
            ),
        });
    }
    let mut tokens = tokenizer.map(|tokenizer| TokenKeys::of(tokenizer, config.vocab_size)).transpose()?;
    let mut tensors = tensors(config, architecture, params, quantisation)?;
    let mut notes = Vec::new();
    let mut true_bias = None;
    if let Some(tokens) = tokens.as_mut().filter(|tokens| tokens.lacks_end_of_text()) {
        match add_end_of_text(config, &mut tensors) {
            Some(bias) => {
                tokens.add_end_of_text();
                true_bias = Some(bias);
            }
            None => notes.push(format!(
                "the model has no end-of-text token, so llama.cpp takes token {TAKEN_FOR_END}, \"{}\", for one and \
                 stops there; --document-separator gives a new model such a token",
                tokens.text(TAKEN_FOR_END)
            )),
        }
    }
    if tokens.as_ref().is_some_and(TokenKeys::prefix_space) {
        notes.push("its tokenizer puts a space before a text, which llama.cpp does not".into());
    }
    if config.gelu == m2g_core::nn::GeluForm::Exact {
        notes.push(
            "llama.cpp computes GELU by tanh, the model has the exact form: logits differ slightly".into(),
        );
    }

    check_range(&tensors)?;

    let architecture_name = architecture.name();
    let mut keys = vec![
        ("general.architecture".to_string(), Written::Text(architecture_name)),
        ("general.name".into(), Written::Text(name)),
        ("general.alignment".into(), Written::U32(ALIGNMENT as u32)),
        ("general.file_type".into(), Written::U32(quantisation.file_type())),
    ];
    if whole > 1 {
        keys.push(("general.quantization_version".into(), Written::U32(2)));
    }
    keys.extend(settings::write(config, architecture));
    match &tokens {
        Some(tokens) => keys.extend(tokens.written()),
        None => {
            keys.push((format!("{architecture_name}.vocab_size"), Written::U32(config.vocab_size as u32)));
            keys.extend(without_tokenizer());
        }
    }
    if let Some(bias) = &true_bias {
        keys.push((TRUE_OUTPUT_NORM_BIAS.into(), Written::F32s(bias)));
    }
    let places: Vec<TensorToWrite> = tensors.iter().map(|tensor| tensor.place.clone()).collect();
    writer::write(out, &keys, &places, |i| tensors[i].bytes(config))
        .map_err(m2g_core::Error::io("write", path))?;
    Ok(notes)
}

/// All tensors, in the order of the file.
fn tensors<'p>(
    config: &GptConfig,
    architecture: Architecture,
    params: &'p Params<f32>,
    quantisation: Quantisation,
) -> Result<Vec<Filled<'p>>, ExportError> {
    let mut tensors = Vec::new();
    let with_biases = config.bias || architecture.needs_biases();
    for spec in layout(config, architecture) {
        if spec.is_bias() && !with_biases {
            continue;
        }
        let found = params.iter().find(|p| p.name == spec.ours).map(|p| &p.value);
        let value = match found {
            Some(value) if value.shape() == spec.shape => Cow::Borrowed(value.data()),
            None if !config.bias && spec.is_bias() => Cow::Owned(vec![0.0; spec.shape.iter().product()]),
            _ => return Err(ExportError::Params { name: spec.ours, expected: spec.shape }),
        };
        tensors.push(filled(spec, value, quantisation));
    }
    let sinusoidal_positions = config.positions == Positions::Sinusoidal;
    // The embedding is scaled there, so that a tied head needs its own copy.
    if config.tie_weights && (architecture.needs_head() || sinusoidal_positions) {
        add_head(&mut tensors);
    }
    if sinusoidal_positions {
        // The model adds the table to the embedding times sqrt(C); the file holds both as they are added.
        let (t, c) = (config.block_size, config.n_embd);
        let scale = (c as f64).sqrt() as f32;
        tensors[0].value.to_mut().iter_mut().for_each(|x| *x *= scale);
        let table: Tensor<f32> = sinusoidal(0, t, c, config.positions_base);
        let place = TensorToWrite { name: POSITION_EMBD.into(), shape: vec![t, c], format: BlockFormat::F32 };
        tensors.insert(1, Filled { place, value: table.data().to_vec().into(), rotated: false });
    }
    Ok(tensors)
}

/// Checks that every weight, or the scale of its block, is within its format.
fn check_range(tensors: &[Filled<'_>]) -> Result<(), ExportError> {
    for Filled { place, value, .. } in tensors {
        let larger = |most: f32, x: f32| if x > most || x.is_nan() { x } else { most };
        let largest = value.iter().map(|x| x.abs()).fold(0.0, larger);
        // The block of the largest weight has the largest scale.
        let mut block = vec![largest; place.format.weights_per_block()];
        let mut bytes = Vec::new();
        place.format.quantise(&block, &mut bytes);
        place.format.dequantise(&bytes, &mut block);
        if !block.iter().all(|x| x.is_finite()) {
            let advice = if place.format == BlockFormat::F32 { "" } else { ": export as f32" };
            return Err(ExportError::Gguf {
                what: format!("{} in {}", place.name, place.format.name()),
                why: format!("its largest weight, {largest:.1e}, is beyond that format{advice}"),
            });
        }
    }
    Ok(())
}

fn filled(spec: TensorSpec, value: Cow<'_, [f32]>, quantisation: Quantisation) -> Filled<'_> {
    let format = match spec.theirs.as_str() {
        TOKEN_EMBD | OUTPUT => quantisation.of_tokens(),
        POSITION_EMBD => BlockFormat::F32,
        _ if spec.shape.len() == 1 => BlockFormat::F32,
        _ => quantisation.of_blocks(),
    };
    let place = TensorToWrite { name: spec.theirs, shape: spec.shape, format };
    Filled { place, value, rotated: spec.rotated }
}

/// Adds the embedding once more, as the head.
fn add_head(tensors: &mut Vec<Filled<'_>>) {
    let Filled { place, value, rotated } = &tensors[0];
    let place = TensorToWrite { name: OUTPUT.into(), ..place.clone() };
    let head = Filled { place, value: value.clone(), rotated: *rotated };
    tensors.push(head);
}

/// Adds a token that is never drawn. Returns the true bias of the last norm, empty for a model without
/// biases; `None` if there is no such token. The tensors are unchanged then.
fn add_end_of_text(config: &GptConfig, tensors: &mut Vec<Filled<'_>>) -> Option<Vec<f32>> {
    if !NeverDrawn::may_exist(config.vocab_size, config.n_embd) {
        return None;
    }
    let of = |name: &str| tensors.iter().position(|tensor| tensor.place.name == name);
    let (gain, bias) = (&tensors[of(OUTPUT_NORM)?].value, of(OUTPUT_NORM_BIAS));
    let zeros = vec![0.0; gain.len()];
    let true_bias = bias.map_or(&zeros[..], |at| &tensors[at].value[..]);
    // The direction must be unseen by the weights that llama.cpp reads.
    let head = &tensors[of(OUTPUT).unwrap_or(0)];
    let mut bytes = Vec::new();
    head.place.format.quantise(&head.value, &mut bytes);
    let mut rounded = vec![0.0; head.value.len()];
    head.place.format.dequantise(&bytes, &mut rounded);
    let token = NeverDrawn::new(&rounded, gain, true_bias)?;

    let kept = if config.bias { true_bias.to_vec() } else { Vec::new() };
    match bias {
        Some(at) => tensors[at].value = token.bias.into(),
        None => {
            let place = TensorToWrite {
                name: OUTPUT_NORM_BIAS.into(),
                shape: vec![config.n_embd],
                format: BlockFormat::F32,
            };
            let after = of(OUTPUT_NORM)? + 1;
            tensors.insert(after, Filled { place, value: token.bias.into(), rotated: false });
        }
    }
    if tensors.iter().all(|tensor| tensor.place.name != OUTPUT) {
        add_head(tensors);
    }
    for tensor in tensors.iter_mut() {
        let row = match tensor.place.name.as_str() {
            TOKEN_EMBD => &zeros,
            OUTPUT => &token.row,
            _ => continue,
        };
        tensor.value.to_mut().extend_from_slice(row);
        tensor.place.shape[0] += 1;
    }
    Some(kept)
}
