//! How long training runs take to reach a value.

use serde_json::{Value, json};

use super::statistics::mean_and_interval;
use super::trial::Trial;

/// When the training runs of an arm reached a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// The value to reach: at most this loss, or at least this accuracy.
    pub target: f64,
    /// The training time in seconds at the first evaluation there, of each run that reached it.
    pub seconds: Vec<f64>,
    /// The steps taken by then.
    pub steps: Vec<u64>,
    /// The number of runs.
    pub runs: usize,
}

impl Reached {
    /// When each of these runs, whose curves show `measure`, reached `target`.
    pub fn of(trials: &[&Trial], measure: &str, target: f64) -> Self {
        let there = |value: f64| if is_loss(measure) { value <= target } else { value >= target };
        let first = |trial: &&Trial| {
            let i = trial.curve.iter().position(|(_, value)| there(*value))?;
            Some((*trial.times.get(i)?, trial.curve[i].0))
        };
        let (seconds, steps) = trials.iter().filter_map(first).unzip();
        Self { target, seconds, steps, runs: trials.len() }
    }

    /// The title of its column.
    pub fn title(measure: &str, target: f64) -> String {
        match is_accuracy(measure) {
            // Rounded, so that 0.07 is not 7.000000000000001 %.
            true => format!("time to {} %", (1e8 * target).round() / 1e6),
            false => format!("time to {target}"),
        }
    }

    /// The mean time with half the width of its 95 % confidence interval, and how many of the runs reached the
    /// target if not all did.
    pub fn text(&self) -> String {
        if self.seconds.is_empty() {
            return "-".into();
        }
        let (mean, half) = mean_and_interval(&self.seconds);
        let decimals = usize::from(mean < 100.0);
        let half = half.map_or(String::new(), |half| format!(" ± {half:.decimals$}"));
        let share = match self.seconds.len() {
            n if n == self.runs => String::new(),
            n => format!(" ({n} of {})", self.runs),
        };
        format!("{mean:.decimals$}{half} s{share}")
    }

    /// As JSON.
    pub fn object(&self) -> Value {
        json!({"target": self.target, "seconds": self.seconds, "steps": self.steps, "runs": self.runs})
    }
}

/// Whether a measure is shown in per cent.
pub fn is_accuracy(measure: &str) -> bool {
    measure.ends_with("accuracy")
}

/// The greatest value of a measure.
pub fn greatest(measure: &str) -> f64 {
    if is_accuracy(measure) || measure.ends_with("exact") {
        1.0
    } else if measure.ends_with("bleu") {
        100.0
    } else {
        f64::INFINITY
    }
}

/// Whether a measure is better the lower it is.
fn is_loss(measure: &str) -> bool {
    measure.contains("loss") || measure.contains("perplexity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(curve: &[(u64, f64)]) -> Trial {
        let times = curve.iter().map(|(step, _)| *step as f64 / 10.0).collect();
        Trial { curve: curve.to_vec(), times, ..Trial::default() }
    }

    #[test]
    fn the_first_evaluation_at_the_target_counts() {
        let trials = [trial(&[(10, 2.0), (20, 1.5), (30, 1.6)]), trial(&[(10, 1.7), (20, 1.6), (30, 1.4)])];
        let trials: Vec<&Trial> = trials.iter().collect();
        let found = Reached::of(&trials, "val_loss", 1.5);
        assert_eq!((found.seconds.clone(), found.steps.clone()), (vec![2.0, 3.0], vec![20, 30]));
        // 12.706 sd / sqrt(2), with a deviation of sqrt(0.5).
        assert_eq!(found.text(), "2.5 ± 6.4 s");
        assert_eq!(Reached::of(&trials, "val_loss", 1.45).text(), "3.0 s (1 of 2)");
        assert_eq!(Reached::of(&trials, "val_loss", 1.0).text(), "-");
        assert_eq!(Reached::of(&trials, "test_accuracy", 1.7).steps, [10, 10]);
        // The lower, the better.
        assert_eq!(Reached::of(&trials, "val_perplexity", 1.5).steps, [20, 30]);
        assert_eq!(Reached::title("val_loss", 1.5), "time to 1.5");
        assert_eq!(Reached::title("validation_accuracy", 0.07), "time to 7 %");
        // A result of an older version has no times.
        let old = Trial { times: Vec::new(), ..trial(&[(10, 1.0)]) };
        assert_eq!(Reached::of(&[&old], "val_loss", 1.5).text(), "-");
    }
}
