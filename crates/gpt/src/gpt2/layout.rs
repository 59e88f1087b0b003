//! The files of a folder, and the name and the shape of every tensor, in our model and in the files.

use crate::GptConfig;

/// The file with the settings of the model.
pub const CONFIG: &str = "config.json";
/// The file with all tensors, if there is only one.
pub const MODEL: &str = "model.safetensors";
/// The file that names the file of each tensor, if there are several.
pub const INDEX: &str = "model.safetensors.index.json";

/// The name and the shape of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in our model.
    pub name: String,
    /// Its shape in our model.
    pub shape: Vec<usize>,
    /// Whether the files store it transposed, as `transformers` stores the weights of linear layers.
    pub conv1d: bool,
}

impl TensorSpec {
    /// Its name in the files.
    pub fn their_name(&self) -> String {
        if self.name == LM_HEAD { self.name.clone() } else { format!("{PREFIX}{}", self.name) }
    }

    /// Its shape in the files.
    pub fn their_shape(&self) -> Vec<usize> {
        if self.conv1d { self.shape.iter().rev().copied().collect() } else { self.shape.clone() }
    }

    /// Whether it is a bias, which a model without biases lacks.
    pub fn is_bias(&self) -> bool {
        self.name.ends_with(".bias")
    }
}

/// The weights of the head, if they are not tied to the token embedding.
pub const LM_HEAD: &str = "lm_head.weight";
/// The token embedding.
pub const WTE: &str = "wte.weight";
/// The optional prefix of all names in the files except that of the head.
const PREFIX: &str = "transformer.";

/// What wrappers of PyTorch put before all names: `torch.compile` and `DistributedDataParallel`.
const WRAPPERS: [&str; 2] = ["_orig_mod.", "module."];

/// Our name of a tensor in the files; `None` for a causal mask, which older files store beside the
/// parameters.
pub fn our_name(theirs: &str) -> Option<&str> {
    let mut name = theirs;
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = inner;
    }
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    let mask =
        name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"));
    (!mask).then_some(name)
}

/// All tensors of a model with biases, in the order of the files.
pub fn layout(config: &GptConfig) -> Vec<TensorSpec> {
    let (v, t, c) = (config.vocab_size, config.block_size, config.n_embd);
    let plain =
        |name: &str, shape: &[usize]| TensorSpec { name: name.into(), shape: shape.into(), conv1d: false };
    let mut specs = vec![plain(WTE, &[v, c]), plain("wpe.weight", &[t, c])];
    for layer in 0..config.n_layer {
        let norm = |name: &str| ["weight", "bias"].map(|w| plain(&format!("h.{layer}.{name}.{w}"), &[c]));
        let linear = |name: &str, outputs: usize, inputs: usize| {
            let name = format!("h.{layer}.{name}");
            let weight = plain(&format!("{name}.weight"), &[outputs, inputs]);
            [TensorSpec { conv1d: true, ..weight }, plain(&format!("{name}.bias"), &[outputs])]
        };
        specs.extend(norm("ln_1"));
        specs.extend(linear("attn.c_attn", 3 * c, c));
        specs.extend(linear("attn.c_proj", c, c));
        specs.extend(norm("ln_2"));
        specs.extend(linear("mlp.c_fc", 4 * c, c));
        specs.extend(linear("mlp.c_proj", c, 4 * c));
    }
    specs.extend(["weight", "bias"].map(|w| plain(&format!("ln_f.{w}"), &[c])));
    if !config.tie_weights {
        specs.push(plain(LM_HEAD, &[v, c]));
    }
    specs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_lose_their_prefix_and_masks_are_skipped() {
        assert_eq!(our_name("transformer.h.0.attn.c_attn.bias"), Some("h.0.attn.c_attn.bias"));
        assert_eq!(our_name("wte.weight"), Some("wte.weight"));
        assert_eq!(our_name("lm_head.weight"), Some(LM_HEAD));
        assert_eq!(our_name("_orig_mod.module.transformer.wte.weight"), Some("wte.weight"));
        assert_eq!(our_name("module._orig_mod.lm_head.weight"), Some(LM_HEAD));
        assert_eq!(our_name("module.transformer.h.0.attn.bias"), None);
        assert_eq!(our_name("h.11.attn.bias"), None);
        assert_eq!(our_name("transformer.h.3.attn.masked_bias"), None);
    }

    #[test]
    fn linear_layers_are_stored_transposed() {
        let config = crate::gpt2::import::tests::tiny().config;
        let specs = layout(&config);
        let fc = specs.iter().find(|s| s.name == "h.2.mlp.c_fc.weight").unwrap();
        assert_eq!(fc.their_name(), "transformer.h.2.mlp.c_fc.weight");
        assert_eq!((fc.shape.as_slice(), fc.their_shape().as_slice()), (&[256, 64][..], &[64, 256][..]));
        // 12 tensors in each of 3 blocks, two embeddings, the weight and the bias of the last norm.
        assert_eq!(specs.len(), 3 * 12 + 4);
    }
}
