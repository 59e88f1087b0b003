//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the learning rate changes during a training, as a factor of the rate that
/// was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// A straight rise from 0 over the first `warmup` share of all steps, then
    /// half a cosine down to the share `floor` (Loshchilov and Hutter 2017).
    Cosine {
        /// Share of all steps, 0 to 1.
        warmup: f64,
        /// The factor at the end.
        floor: f64,
    },
    /// Halved whenever the validation has not improved for `patience` evaluations
    /// (Nielsen, chapter 3: the learning rate); the training ends when the factor
    /// falls below 1/128.
    HalveOnPlateau {
        /// Evaluations without an improvement before the rate is halved.
        patience: u32,
    },
}

impl Schedule {
    /// The factor at `step` of `total`. `halvings` is how often
    /// [`Schedule::HalveOnPlateau`] has halved so far.
    pub fn factor(&self, step: u64, total: u64, halvings: u32) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::HalveOnPlateau { .. } => 0.5_f64.powi(halvings as i32),
            Self::Cosine { warmup, floor } => {
                let rise = warmup * total as f64;
                if (step as f64) < rise {
                    return (step + 1) as f64 / rise.max(1.0);
                }
                let done = (step as f64 - rise) / (total as f64 - rise).max(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_rises_and_falls() {
        let s = Schedule::Cosine { warmup: 0.1, floor: 0.1 };
        assert!((s.factor(0, 100, 0) - 0.1).abs() < 1e-12);
        assert!((s.factor(9, 100, 0) - 1.0).abs() < 1e-12);
        assert!((s.factor(55, 100, 0) - 0.55).abs() < 1e-12);
        assert!((s.factor(100, 100, 0) - 0.1).abs() < 1e-12);
        assert!((s.factor(500, 100, 0) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn plateaus_halve() {
        assert_eq!(Schedule::HalveOnPlateau { patience: 3 }.factor(5, 10, 3), 0.125);
        assert_eq!(Schedule::Constant.factor(5, 10, 3), 1.0);
    }
}
