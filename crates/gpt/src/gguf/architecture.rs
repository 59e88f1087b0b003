//! Which of llama.cpp's models is ours.

use m2g_core::Mask;
use m2g_core::nn::{MlpActivation, NormKind, NormPlace, Positions, Score};
use m2g_core::settings::SettingValue;

use crate::GptConfig;
use crate::gpt2::ExportError;

/// A model that llama.cpp runs and that is one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Positions in a table, and biases.
    Gpt2,
    /// Positions in a table, ALiBi or none; biases are optional.
    Mpt,
    /// Rotary positions, and biases.
    GptNeox,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gpt2, Self::Mpt, Self::GptNeox];

    /// The architecture of a model.
    ///
    /// # Errors
    /// [`ExportError::Gguf`] names the first setting that no architecture has.
    pub fn of(config: &GptConfig) -> Result<Self, ExportError> {
        // All settings by name, so that a new one is not forgotten here. Sizes and what only training uses
        // fit every architecture; `fused` and `precision` change no result.
        let &GptConfig {
            vocab_size: _,
            n_layer: _,
            n_head,
            n_embd: _,
            block_size: _,
            dropout: _,
            bias,
            tie_weights: _,
            positions,
            positions_base: _,
            score,
            ref mask,
            norm,
            norm_kind,
            qk_norm,
            activation,
            gelu: _,
            residual,
            value_residual,
            logit_cap,
            zero_init_proj: _,
            fused: _,
            precision: _,
        } = config;
        let refused = |what: String, why: &str| Err(ExportError::Gguf { what, why: why.into() });
        let named = |setting: &str, value: String, why: &str| refused(format!("{setting} = {value}"), why);
        if score != Score::ScaledDot {
            return named("score", score.to_text(), "llama.cpp has only the scaled dot product (scaled-dot)");
        }
        if *mask != Mask::Causal {
            return named("mask", mask.to_text(), "these models of llama.cpp have only the causal mask");
        }
        if norm != NormPlace::Before {
            let why = "these models of llama.cpp have their norms before each layer";
            return named("norm", norm.to_text(), why);
        }
        if !residual {
            let why = "these models of llama.cpp always add to the residual stream";
            return named("residual", "false".into(), why);
        }
        if logit_cap > 0.0 {
            let why = "these models of llama.cpp do not bound the logits (logit_cap 0)";
            return named("logit_cap", logit_cap.to_string(), why);
        }
        if value_residual {
            let why = "these models of llama.cpp give each layer its own values alone";
            return named("value_residual", "true".into(), why);
        }
        if positions == Positions::Alibi && !n_head.is_power_of_two() {
            let why = "llama.cpp has the same slopes only for a power of two";
            return refused(format!("ALiBi with {n_head} heads"), why);
        }
        if norm_kind != NormKind::Layer {
            return named(
                "norm_kind",
                norm_kind.to_text(),
                "these models of llama.cpp have layer norms (layer)",
            );
        }
        if qk_norm {
            return named(
                "qk_norm",
                "true".into(),
                "these models of llama.cpp do not normalise queries and keys",
            );
        }
        if activation != MlpActivation::Gelu {
            return named("activation", activation.to_text(), "these models of llama.cpp have only gelu");
        }
        Ok(match positions {
            Positions::Learned | Positions::Sinusoidal if bias => Self::Gpt2,
            Positions::Learned | Positions::Sinusoidal | Positions::Alibi | Positions::None => Self::Mpt,
            Positions::Rotary => Self::GptNeox,
        })
    }

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Mpt => "mpt",
            Self::GptNeox => "gptneox",
        }
    }

    /// Whether the file must hold all biases.
    pub fn needs_biases(self) -> bool {
        self != Self::Mpt
    }

    /// Whether the file must hold a head even if its weights are tied.
    pub fn needs_head(self) -> bool {
        self == Self::GptNeox
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Config;

    #[test]
    fn every_kind_of_positions_has_an_architecture() {
        let of =
            |positions, bias| Architecture::of(&GptConfig { positions, bias, ..Config::default().model(65) });
        for bias in [false, true] {
            let table = if bias { Architecture::Gpt2 } else { Architecture::Mpt };
            assert_eq!(of(Positions::Learned, bias).unwrap(), table);
            assert_eq!(of(Positions::Sinusoidal, bias).unwrap(), table);
            assert_eq!(of(Positions::Alibi, bias).unwrap(), Architecture::Mpt);
            assert_eq!(of(Positions::None, bias).unwrap(), Architecture::Mpt);
            assert_eq!(of(Positions::Rotary, bias).unwrap(), Architecture::GptNeox);
        }
    }

    #[test]
    fn what_no_architecture_has_is_refused_by_name() {
        let model = || Config::default().model(65);
        let alibi = || GptConfig { positions: Positions::Alibi, ..model() };
        use MlpActivation::{Relu, ReluSquared, Swiglu};
        for (config, start) in [
            (GptConfig { norm_kind: NormKind::Rms, ..model() }, "GGUF cannot express norm_kind = rms: "),
            (GptConfig { qk_norm: true, ..model() }, "GGUF cannot express qk_norm = true: "),
            (GptConfig { activation: Relu, ..model() }, "GGUF cannot express activation = relu: "),
            (
                GptConfig { activation: ReluSquared, ..model() },
                "GGUF cannot express activation = relu-squared: ",
            ),
            (GptConfig { activation: Swiglu, ..model() }, "GGUF cannot express activation = swiglu: "),
            (GptConfig { value_residual: true, ..model() }, "GGUF cannot express value_residual = true: "),
            (GptConfig { logit_cap: 15.0, ..model() }, "GGUF cannot express logit_cap = 15: "),
            (GptConfig { score: Score::Additive, ..model() }, "GGUF cannot express score = additive: "),
            (GptConfig { score: Score::WidthScaledDot, ..model() }, "GGUF cannot express score = "),
            (GptConfig { mask: Mask::Window(8), ..model() }, "GGUF cannot express mask = window:8: "),
            (GptConfig { norm: NormPlace::After, ..model() }, "GGUF cannot express norm = after: "),
            (GptConfig { residual: false, ..model() }, "GGUF cannot express residual = false: "),
            (GptConfig { n_head: 3, n_embd: 96, ..alibi() }, "GGUF cannot express ALiBi with 3 heads: "),
        ] {
            let error = Architecture::of(&config).unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
        assert!(Architecture::of(&alibi()).is_ok());
        // How the weights begin is no matter of the file.
        assert!(Architecture::of(&GptConfig { zero_init_proj: true, ..model() }).is_ok());
    }
}
