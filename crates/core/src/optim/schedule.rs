//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the learning rate changes during a training run: a factor of the configured rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// A constant rate.
    Constant,
    /// `(step + 1) / rise`, at most 1, during the first `rise = warmup total` steps, then half a cosine down
    /// to the factor `floor` (Loshchilov and Hutter 2017).
    Cosine {
        /// The share of all steps, 0 to 1.
        #[serde(default = "two_percent")]
        warmup: f64,
        /// The factor at the end.
        #[serde(default)]
        floor: f64,
    },
    /// The rate of nanoGPT, with its lengths in steps: `(step + 1) / (warmup + 1)` during the first
    /// `warmup` steps, then down to the factor `floor` at step `end`, where it stays.
    Warmup {
        /// The number of steps of the rise.
        warmup: u64,
        /// The step at which the decay ends.
        end: u64,
        /// The factor from there on.
        floor: f64,
        /// The way down.
        decay: Decay,
    },
    /// `min(s / warmup, sqrt(warmup / s))` at step `s`, counted from 1: a linear rise during the first
    /// `warmup` steps, then a fall with the square root of the step (Vaswani et al. 2017, equation 3, whose
    /// rate peaks at `1 / sqrt(d_model warmup)`).
    InverseSquareRoot {
        /// The number of steps of the rise, at least 1.
        warmup: u64,
    },
    /// Halved whenever validation has not improved for `patience` evaluations (Nielsen, chapter 3:
    /// the learning rate). Training ends when the factor falls below 1/128.
    HalveOnPlateau {
        /// Evaluations without an improvement before the rate is halved.
        #[serde(default = "ten")]
        patience: u32,
    },
}

fn two_percent() -> f64 {
    0.02
}

fn ten() -> u32 {
    10
}

impl Schedule {
    /// The factor at `step` of `total`. `halvings` counts the halvings of
    /// [`Schedule::HalveOnPlateau`] so far.
    pub fn factor(&self, step: u64, total: u64, halvings: u32) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::HalveOnPlateau { .. } => 0.5_f64.powi(halvings as i32),
            Self::InverseSquareRoot { warmup } => {
                let (s, warmup) = ((step + 1) as f64, warmup.max(1) as f64);
                (s / warmup).min((warmup / s).sqrt())
            }
            Self::Cosine { warmup, floor } => {
                let rise = warmup * total as f64;
                if (step as f64) < rise {
                    return ((step + 1) as f64 / rise.max(1.0)).min(1.0);
                }
                let done = (step as f64 - rise) / (total as f64 - rise).max(1.0);
                half_cosine(done, floor)
            }
            // Added as f64: a user may want any number of steps.
            Self::Warmup { warmup, .. } if step < warmup => (step + 1) as f64 / (warmup as f64 + 1.0),
            Self::Warmup { end, floor, .. } if step >= end => floor,
            Self::Warmup { warmup, end, floor, decay } => {
                decay.factor((step - warmup) as f64 / (end - warmup) as f64, floor)
            }
        }
    }
}

/// How a learning rate falls from its largest value to its smallest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Along half a cosine (Loshchilov and Hutter 2017).
    #[default]
    Cosine,
    /// Along a straight line.
    Linear,
    /// Not at all, then along a straight line over the last 40 % of the steps after the warm-up: with the warm-up,
    /// a trapezoid (Hägele et al. 2024).
    Trapezoid,
}

impl Decay {
    /// The factor from 1 down to `floor` after the share `done` of the steps between warm-up and end.
    fn factor(self, done: f64, floor: f64) -> f64 {
        const COOLDOWN: f64 = 0.4;
        match self {
            Self::Cosine => half_cosine(done, floor),
            Self::Linear => 1.0 - (1.0 - floor) * done,
            Self::Trapezoid => 1.0 - (1.0 - floor) * ((done - 1.0) / COOLDOWN + 1.0).max(0.0),
        }
    }
}

/// From 1 down to `floor` while `done` goes from 0 to 1.
fn half_cosine(done: f64, floor: f64) -> f64 {
    floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// nanoGPT's `get_lr` for learning_rate 1, warmup_iters 4, lr_decay_iters 12, min_lr 0.1.
    #[test]
    fn steps_of_warm_up_and_cosine() {
        let s = Schedule::Warmup { warmup: 4, end: 12, floor: 0.1, decay: Decay::Cosine };
        let at = |step| s.factor(step, 1000, 0);
        for (step, want) in [(0, 0.2), (3, 0.8), (4, 1.0), (8, 0.55), (12, 0.1), (999, 0.1)] {
            assert!((at(step) - want).abs() < 1e-12, "{step}: {}", at(step));
        }
        assert!((at(6) - (0.1 + 0.45 * (1.0 + 0.5_f64.sqrt()))).abs() < 1e-12);
        // The decay ends before the warm-up: the factor drops to the floor after it.
        let s = Schedule::Warmup { warmup: 4, end: 2, floor: 0.1, decay: Decay::Cosine };
        assert_eq!([s.factor(3, 9, 0), s.factor(4, 9, 0)], [0.8, 0.1]);
        let s = Schedule::Warmup { warmup: u64::MAX, end: 12, floor: 0.1, decay: Decay::Cosine };
        assert_eq!(s.factor(0, 12, 0), 0.5_f64.powi(64));
    }

    #[test]
    fn straight_lines() {
        let at = |decay, step| Schedule::Warmup { warmup: 0, end: 10, floor: 0.2, decay }.factor(step, 10, 0);
        for (decay, step, want) in [
            (Decay::Linear, 0, 1.0),
            (Decay::Linear, 5, 0.6),
            (Decay::Linear, 10, 0.2),
            (Decay::Trapezoid, 6, 1.0),
            (Decay::Trapezoid, 8, 0.6),
            (Decay::Trapezoid, 9, 0.4),
            (Decay::Trapezoid, 10, 0.2),
        ] {
            assert!((at(decay, step) - want).abs() < 1e-12, "{decay:?} {step}: {}", at(decay, step));
        }
    }

    #[test]
    fn cosine_rises_and_falls() {
        let s = Schedule::Cosine { warmup: 0.1, floor: 0.1 };
        assert!((s.factor(0, 100, 0) - 0.1).abs() < 1e-12);
        assert!((s.factor(9, 100, 0) - 1.0).abs() < 1e-12);
        assert!((s.factor(55, 100, 0) - 0.55).abs() < 1e-12);
        assert!((s.factor(100, 100, 0) - 0.1).abs() < 1e-12);
        assert!((s.factor(500, 100, 0) - 0.1).abs() < 1e-12);
        // A rise of 1.1 steps: the second would be 2 / 1.1.
        let s = Schedule::Cosine { warmup: 0.1, floor: 0.1 };
        assert_eq!(s.factor(1, 11, 0), 1.0);
        assert!((0..11).all(|step| s.factor(step, 11, 0) <= 1.0));
    }

    /// The paper's rate for d_model 512 and warm-up 4000 is 0.000698 at its peak.
    #[test]
    fn the_rate_of_the_paper() {
        let s = Schedule::InverseSquareRoot { warmup: 4000 };
        let paper = |s: f64| 512_f64.powf(-0.5) * s.powf(-0.5).min(s * 4000_f64.powf(-1.5));
        let peak = 1.0 / (512.0 * 4000.0_f64).sqrt();
        for step in [1, 2000, 3999, 4000, 4001, 100_000] {
            let got = peak * s.factor(step - 1, 100_000, 0);
            assert!((got - paper(step as f64)).abs() < 1e-15, "{step}: {got}");
        }
        assert_eq!(s.factor(3999, 9, 0), 1.0);
    }

    #[test]
    fn plateaus_halve() {
        assert_eq!(Schedule::HalveOnPlateau { patience: 3 }.factor(5, 10, 3), 0.125);
        assert_eq!(Schedule::Constant.factor(5, 10, 3), 1.0);
    }
}
