//! Which of llama.cpp's models is ours.

use m2g_core::Mask;
use m2g_core::nn::{NormPlace, Positions, Score};

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
        let refused = |what: String, why: &str| Err(ExportError::Gguf { what, why: why.into() });
        let named = |setting: &str, value: String, why: &str| refused(format!("{setting} = {value}"), why);
        if config.score != Score::ScaledDot {
            return named(
                "score",
                in_words(&config.score),
                "llama.cpp has only the scaled dot product (scaled-dot)",
            );
        }
        if config.mask != Mask::Causal {
            return named(
                "mask",
                in_words(&config.mask),
                "these models of llama.cpp have only the causal mask",
            );
        }
        if config.norm != NormPlace::Before {
            return named(
                "norm",
                in_words(&config.norm),
                "these models of llama.cpp have their norms before each layer",
            );
        }
        if !config.residual {
            return named(
                "residual",
                "false".into(),
                "these models of llama.cpp always add to the residual stream",
            );
        }
        if config.positions == Positions::Alibi && !config.n_head.is_power_of_two() {
            let why = "llama.cpp has the same slopes only for a power of two";
            return refused(format!("ALiBi with {} heads", config.n_head), why);
        }
        Ok(match config.positions {
            Positions::Learned | Positions::Sinusoidal if config.bias => Self::Gpt2,
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

/// A setting as files and flags spell it.
fn in_words(setting: &impl serde::Serialize) -> String {
    match serde_json::to_value(setting) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => "another value".into(),
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
        for (config, start) in [
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
    }
}
