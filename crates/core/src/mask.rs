//! Which keys each query of attention sees.

use std::fmt::{self, Display};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which keys each query of attention sees. A hidden key has a score of minus infinity, and
/// hence a weight of exactly 0. That infinity is stored nowhere: the softmax sums over the keys that
/// [`Mask::visible`] names.
///
/// Query `i` and key `j` count from the first token of their sequences, which are the same
/// sequence in self-attention. As text: `causal`, `reversed`, `none`, `window:16`, `finite`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Mask {
    /// Every query sees every key.
    None,
    /// Query `i` sees the keys `0..=i`, its own and the earlier ones: the triangle above the
    /// diagonal is hidden. Otherwise, the model could read the answer.
    Causal,
    /// Query `i` sees the keys `i..`, its own and the later ones: the triangle below the
    /// diagonal is hidden.
    Reversed,
    /// As causal, but each query sees at most this number of keys: its own and those just before.
    Window(usize),
    /// As causal, but with [`Mask::FINITE`] added to the hidden scores instead of minus infinity.
    Finite,
    /// The keys of sequence `b` from `lengths[b]` on are padding, which no query sees.
    /// For batches of sequences of different lengths, such as the inputs of an encoder.
    Padding(Arc<[usize]>),
    /// Causal and padding: query `i` of sequence `b` sees the keys `0..=i` below `lengths[b]`.
    /// For the padded targets of a decoder.
    CausalPadding(Arc<[usize]>),
}

impl Mask {
    /// The value that [`Mask::Finite`] adds to a hidden score.
    pub const FINITE: f64 = -1e4;

    /// The keys among `keys` that query `i` of sequence `b` sees.
    pub fn visible(&self, b: usize, i: usize, keys: usize) -> Range<usize> {
        match self {
            Self::None | Self::Finite => 0..keys,
            Self::Causal => 0..(i + 1).min(keys),
            Self::Reversed => i.min(keys)..keys,
            Self::Window(size) => (i + 1).saturating_sub(*size).min(keys)..(i + 1).min(keys),
            Self::Padding(lengths) => 0..lengths[b].min(keys),
            Self::CausalPadding(lengths) => 0..lengths[b].min(keys).min(i + 1),
        }
    }

    /// The lengths of the sequences without their padding, if this mask hides padding.
    pub fn lengths(&self) -> Option<&[usize]> {
        match self {
            Self::Padding(lengths) | Self::CausalPadding(lengths) => Some(lengths),
            _ => None,
        }
    }

    /// Checks that a mask with lengths has one for each of `b` sequences; further ones are not used.
    pub(crate) fn check_sequences(&self, b: usize) -> Result<(), String> {
        match self.lengths() {
            Some(lengths) if lengths.len() < b => {
                Err(format!("the mask has {} lengths for {b} sequences", lengths.len()))
            }
            _ => Ok(()),
        }
    }

    /// The value that this mask adds to the score of query `i` and key `j`.
    pub(crate) fn added(&self, i: usize, j: usize) -> f64 {
        if *self == Self::Finite && j > i { Self::FINITE } else { 0.0 }
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
            Self::CausalPadding(_) => f.write_str("causal-padding"),
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
                format!(
                    "the mask is {text}: choose causal, reversed, none, finite, or window:N with N above 0"
                )
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
    fn round_trips_through_text() {
        for text in ["causal", "reversed", "none", "window:16", "finite"] {
            assert_eq!(text.parse::<Mask>().unwrap().to_string(), text);
        }
        for text in ["window:0", "window:", "window:-1", "diagonal", ""] {
            assert!(text.parse::<Mask>().unwrap_err().contains("window:N"), "{text}");
        }
    }

    #[test]
    fn each_mask_shows_its_keys() {
        // Queries 0, 2 and 4 among three keys; sequence 1 has two tokens.
        let cases = [
            (Mask::None, [0..3, 0..3, 0..3]),
            (Mask::Causal, [0..1, 0..3, 0..3]),
            (Mask::Reversed, [0..3, 2..3, 3..3]),
            (Mask::Window(2), [0..1, 1..3, 3..3]),
            (Mask::Finite, [0..3, 0..3, 0..3]),
            (Mask::Padding([3, 2].into()), [0..2, 0..2, 0..2]),
            (Mask::CausalPadding([3, 2].into()), [0..1, 0..2, 0..2]),
        ];
        for (mask, want) in cases {
            assert_eq!([0, 2, 4].map(|i| mask.visible(1, i, 3)), want, "{mask}");
        }
        assert!(Mask::Padding([3, 2].into()).check_sequences(3).is_err());
        assert_eq!(Mask::CausalPadding([3, 2].into()).check_sequences(2), Ok(()));
    }
}
