//! Which keys each query of attention sees.

use std::fmt::{self, Display};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Float;

/// Which keys a query sees. What it does not see has a score of minus infinity, and
/// so a weight of exactly 0.
///
/// As text: `causal`, `reversed`, `none`, `window:16`, `finite`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Mask {
    /// Every query sees every key.
    None,
    /// Query `i` sees the keys `0..=i`, itself and what came before: the triangle above
    /// the diagonal is minus infinity. Otherwise the model could read the answer.
    Causal,
    /// Query `i` sees the keys from `i` on, itself and what comes after: the triangle
    /// below the diagonal is minus infinity.
    Reversed,
    /// As causal, but only so many keys, itself and those just before.
    Window(usize),
    /// As causal, but with [`Mask::FINITE`] added to the scores that are not to be seen
    /// instead of minus infinity.
    Finite,
    /// Sequence `b` has so many tokens; behind them is only padding, which nobody sees.
    Padding(Arc<[usize]>),
}

impl Mask {
    /// What [`Mask::Finite`] adds to a score.
    pub const FINITE: f64 = -1e4;

    /// Which of `keys` keys query `i` of sequence `b` sees.
    pub fn visible(&self, b: usize, i: usize, keys: usize) -> Range<usize> {
        match self {
            Self::None | Self::Finite => 0..keys,
            Self::Causal => 0..(i + 1).min(keys),
            Self::Reversed => i.min(keys)..keys,
            Self::Window(size) => (i + 1).saturating_sub(*size).min(keys)..(i + 1).min(keys),
            Self::Padding(lengths) => 0..lengths.get(b).map_or(keys, |&n| n.min(keys)),
        }
    }

    /// What this mask adds to the score of query `i` with key `j`.
    pub(crate) fn added<T: Float>(&self, i: usize, j: usize) -> T {
        if *self == Self::Finite && j > i { T::of(Self::FINITE) } else { T::zero() }
    }
}

impl Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Causal => f.write_str("causal"),
            Self::Reversed => f.write_str("reversed"),
            Self::Window(size) => write!(f, "window:{size}"),
            Self::Finite => f.write_str("finite"),
            Self::Padding(_) => f.write_str("padding"),
        }
    }
}

impl FromStr for Mask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let window = |size: &str| size.parse().ok().filter(|&size| size > 0).map(Self::Window);
        match text {
            "none" => Ok(Self::None),
            "causal" => Ok(Self::Causal),
            "reversed" => Ok(Self::Reversed),
            "finite" => Ok(Self::Finite),
            _ => text.strip_prefix("window:").and_then(window).ok_or_else(|| {
                format!("the mask is {text}: there are causal, reversed, none, finite, and window:N with N above 0")
            }),
        }
    }
}

impl TryFrom<String> for Mask {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mask> for String {
    fn from(mask: Mask) -> Self {
        mask.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Mask;

    #[test]
    fn as_text_and_back() {
        for text in ["causal", "reversed", "none", "window:16", "finite"] {
            assert_eq!(text.parse::<Mask>().unwrap().to_string(), text);
        }
        for text in ["window:0", "window:", "window:-1", "diagonal", ""] {
            assert!(text.parse::<Mask>().unwrap_err().contains("window:N"), "{text}");
        }
    }
}
