//! The statistics of a value.

use serde::Serialize;

use crate::kernels::reduce;

/// Statistics of the elements of a slice. NaN if an element is NaN or the slice is empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// The smallest element.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The largest element.
    pub max: f64,
    /// The share of elements that are exactly 0.
    pub zeros: f64,
}

impl Statistics {
    /// Computes the statistics.
    pub fn of(data: &[f32]) -> Self {
        let n = data.len() as f64;
        let [min, max, sum, zeros] = reduce::summary(data);
        Self { min, mean: sum / n, max, zeros: zeros / n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_hand_computed_values() {
        let all = Statistics::of(&[0.0, -1.0, 4.0, 0.0]);
        assert_eq!(all, Statistics { min: -1.0, mean: 0.75, max: 4.0, zeros: 0.5 });
        let broken = Statistics::of(&[1.0, f32::NAN, 2.0]);
        assert!(broken.min.is_nan() && broken.max.is_nan() && broken.mean.is_nan());
        let infinite = Statistics::of(&[f32::NEG_INFINITY, 1.0]);
        assert_eq!((infinite.min, infinite.max), (f64::NEG_INFINITY, 1.0));
        assert!(Statistics::of(&[]).min.is_nan());
    }
}
