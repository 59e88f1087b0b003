//! The name and the shape of every tensor, in our model and in the file, and the numbers of formats.

use m2g_core::BlockFormat;
use m2g_core::nn::Positions;

use super::Architecture;
use crate::GptConfig;
use crate::gpt2::layout as gpt2;

/// The token embedding in the file.
pub const TOKEN_EMBD: &str = "token_embd.weight";
/// The table of positions in the file.
pub const POSITION_EMBD: &str = "position_embd.weight";
/// The gain of the last norm in the file.
pub const OUTPUT_NORM: &str = "output_norm.weight";
/// The bias of the last norm in the file.
pub const OUTPUT_NORM_BIAS: &str = "output_norm.bias";
/// The head in the file.
pub const OUTPUT: &str = "output.weight";

/// The name and the shape of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in our model.
    pub ours: String,
    /// Its name in the file.
    pub theirs: String,
    /// Its shape, `(outputs, inputs)` for a matrix. The file lists it in reverse.
    pub shape: Vec<usize>,
    /// Whether its rows are those of Q, K and V, and `gptneox` has those of Q and K in another order.
    pub rotated: bool,
}

impl TensorSpec {
    /// Whether it is a bias.
    pub fn is_bias(&self) -> bool {
        self.ours.ends_with(".bias")
    }
}

/// All tensors of a model with biases, in the order of the file. A model has the head only if its weights
/// are not tied.
pub fn layout(config: &GptConfig, architecture: Architecture) -> Vec<TensorSpec> {
    let has_table = config.positions == Positions::Learned;
    let all = gpt2::layout(config).into_iter().filter(|spec| has_table || spec.name != "wpe.weight");
    let spec = |gpt2::TensorSpec { name: ours, shape, .. }| {
        let theirs = their_name(&ours);
        let rotated = architecture == Architecture::GptNeox && theirs.contains(".attn_qkv.");
        TensorSpec { ours, theirs, shape, rotated }
    };
    all.map(spec).collect()
}

/// The names of layers, ours and theirs.
const LAYERS: [(&str, &str); 10] = [
    ("wte", "token_embd"),
    ("wpe", "position_embd"),
    ("ln_1", "attn_norm"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("ln_2", "ffn_norm"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
    ("ln_f", "output_norm"),
    ("lm_head", "output"),
];

/// The name of a tensor in the file: `blk.3.ffn_up.weight` for `h.3.mlp.c_fc.weight`.
fn their_name(ours: &str) -> String {
    let (layer, kind) = ours.rsplit_once('.').unwrap_or((ours, ""));
    let (block, layer) = match layer.strip_prefix("h.").and_then(|rest| rest.split_once('.')) {
        Some((i, layer)) => (format!("blk.{i}."), layer),
        None => (String::new(), layer),
    };
    let theirs = LAYERS.iter().find(|(known, _)| *known == layer).map_or(layer, |(_, theirs)| *theirs);
    format!("{block}{theirs}.{kind}")
}

/// Where the rows of Q and K go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From our order to that of the file.
    ToFile,
    /// Back.
    FromFile,
}

/// The rows of Q, K and V, each of `row` elements, with those of Q and K in another order. Rotary positions
/// rotate pairs of the D channels of a head: here channels 2 i and 2 i + 1, in `gptneox` i and i + D / 2. So
/// there, the even channels of each head come first, then the odd ones.
pub fn reordered<T: Copy>(rows: &[T], row: usize, d: usize, direction: Direction) -> Vec<T> {
    let q_and_k = rows.len() / 3 * 2;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows[..q_and_k].chunks_exact(row * d) {
        for i in 0..d {
            let from = match direction {
                Direction::ToFile if i < d / 2 => 2 * i,
                Direction::ToFile => 2 * (i - d / 2) + 1,
                Direction::FromFile => i / 2 + i % 2 * (d / 2),
            };
            out.extend_from_slice(&head[from * row..(from + 1) * row]);
        }
    }
    out.extend_from_slice(&rows[q_and_k..]);
    out
}

/// The formats by the numbers of ggml.
const NUMBERS: [(u32, BlockFormat); 11] = [
    (0, BlockFormat::F32),
    (1, BlockFormat::F16),
    (2, BlockFormat::Q4_0),
    (3, BlockFormat::Q4_1),
    (6, BlockFormat::Q5_0),
    (7, BlockFormat::Q5_1),
    (8, BlockFormat::Q8_0),
    (12, BlockFormat::Q4K),
    (13, BlockFormat::Q5K),
    (14, BlockFormat::Q6K),
    (30, BlockFormat::Bf16),
];

/// Formats that are not read.
const OTHERS: [(u32, &str); 4] = [(10, "Q2_K"), (11, "Q3_K"), (20, "IQ4_NL"), (23, "IQ4_XS")];

/// The format with this number. The error is its name, or the number.
pub fn format_numbered(number: u32) -> Result<BlockFormat, String> {
    let known = NUMBERS.iter().find(|(n, _)| *n == number).map(|(_, format)| *format);
    known.ok_or_else(|| {
        let name = OTHERS.iter().find(|(n, _)| *n == number);
        name.map_or(format!("type {number}"), |(_, name)| name.to_string())
    })
}

/// The number of a format.
pub fn number_of(format: BlockFormat) -> u32 {
    NUMBERS.iter().find(|(_, known)| *known == format).map_or(0, |(n, _)| *n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn even_channels_of_q_and_k_come_first() {
        // One head of D = 4 with rows of one element: Q is 0 to 3, K 4 to 7, V 8 to 11.
        let rows: Vec<u32> = (0..12).collect();
        let theirs = reordered(&rows, 1, 4, Direction::ToFile);
        assert_eq!(theirs, [0, 2, 1, 3, 4, 6, 5, 7, 8, 9, 10, 11]);
        // Three heads of D = 6 with rows of two elements.
        let rows: Vec<u32> = (0..108).collect();
        let theirs = reordered(&rows, 2, 6, Direction::ToFile);
        assert_eq!(theirs[..12], [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
        assert_eq!(reordered(&theirs, 2, 6, Direction::FromFile), rows);
    }

    #[test]
    fn every_tensor_has_the_name_that_llama_cpp_knows() {
        let settings =
            Config { n_layer: 2, tie_weights: false, positions: Positions::Learned, ..Config::default() };
        let config = settings.model(9);
        let specs = layout(&config, Architecture::Gpt2);
        let names: Vec<&str> = specs.iter().map(|spec| &spec.theirs[..]).collect();
        assert_eq!(names[..2], [TOKEN_EMBD, POSITION_EMBD]);
        let layers = ["attn_norm", "attn_qkv", "attn_output", "ffn_norm", "ffn_up", "ffn_down"];
        let of_block =
            layers.iter().flat_map(|layer| ["weight", "bias"].map(|kind| format!("blk.1.{layer}.{kind}")));
        assert_eq!(names[14..26], of_block.collect::<Vec<_>>());
        assert_eq!(names[26..], [OUTPUT_NORM, OUTPUT_NORM_BIAS, OUTPUT]);
        assert!(specs.iter().all(|spec| !spec.rotated));
        let rotary = GptConfig { positions: Positions::Rotary, ..config };
        let specs = layout(&rotary, Architecture::GptNeox);
        assert_eq!(specs.iter().filter(|spec| spec.rotated).count(), 4);
        assert!(specs.iter().all(|spec| spec.theirs != POSITION_EMBD));
    }

    #[test]
    fn formats_are_known_by_their_numbers() {
        for format in BlockFormat::ALL {
            assert_eq!(format_numbered(number_of(format)), Ok(format));
        }
        assert_eq!(format_numbered(10), Err("Q2_K".into()));
        assert_eq!(format_numbered(999), Err("type 999".into()));
    }
}
