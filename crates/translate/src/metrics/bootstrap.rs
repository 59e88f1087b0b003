//! Paired bootstrap: whether a difference between two systems could be luck (Koehn 2004).

use m2g_core::rng::{Streams, below};

use super::metric::Metric;

/// The difference between two systems on the same sentences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The score of the system minus that of the baseline.
    pub difference: f64,
    /// The 95 % interval of the difference: its bounds among the samples.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// The share of samples whose difference is at least as far from their mean as `difference` is from 0, with
    /// one more sample that is: how often chance gives such a difference if the systems are equally good.
    pub p: f64,
}

/// Draws `samples` corpora of the same size from the segments, with replacement, and scores both systems
/// on each of them. `system` and `baseline` hold the counts of the same segments, in the same order.
///
/// # Panics
/// If they differ in length, or there are no segments or no samples.
pub fn paired_bootstrap<M: Metric>(
    metric: &M,
    system: &[M::Counts],
    baseline: &[M::Counts],
    samples: usize,
    seed: u64,
) -> Difference {
    assert!(system.len() == baseline.len() && !system.is_empty() && samples > 0, "pairs of segments");
    let score = |counts: &[M::Counts], chosen: &mut dyn Iterator<Item = usize>| {
        metric.score(&chosen.map(|i| counts[i]).sum())
    };
    let n = system.len();
    let difference = score(system, &mut (0..n)) - score(baseline, &mut (0..n));
    let mut differences: Vec<f64> = (0..samples as u64)
        .map(|sample| {
            let mut rng = Streams::new(seed).stream("bootstrap", sample);
            let chosen: Vec<usize> = (0..n).map(|_| below(&mut rng, n as u32) as usize).collect();
            score(system, &mut chosen.iter().copied()) - score(baseline, &mut chosen.iter().copied())
        })
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let tail = samples / 40;
    let mean = differences.iter().sum::<f64>() / samples as f64;
    let as_far = differences.iter().filter(|d| (*d - mean).abs() >= difference.abs()).count();
    Difference {
        difference,
        low: differences[tail],
        high: differences[samples - 1 - tail],
        p: (as_far + 1) as f64 / (samples + 1) as f64,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Bleu, Metric};
    use super::*;

    #[test]
    fn a_system_differs_from_a_worse_one_and_not_from_itself() {
        let bleu = Bleu::default();
        let references: Vec<String> =
            (0..60).map(|i| format!("this is sentence number {i} of sixty")).collect();
        let worse: Vec<String> = references.iter().map(|line| line.replace("sentence", "phrase")).collect();
        let segments = |lines: &[String]| bleu.segments(lines, std::slice::from_ref(&references)).unwrap();
        let (good, bad) = (segments(&references), segments(&worse));
        let same = paired_bootstrap(&bleu, &good, &good, 200, 1);
        assert_eq!((same.difference, same.low, same.high, same.p), (0.0, 0.0, 0.0, 1.0));
        let better = paired_bootstrap(&bleu, &good, &bad, 200, 1);
        assert!(better.low > 0.0 && better.low <= better.difference && better.difference <= better.high);
        assert!(better.p < 0.01, "{better:?}");
        assert_eq!(better, paired_bootstrap(&bleu, &good, &bad, 200, 1));
    }
}
