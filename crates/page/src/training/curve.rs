//! A curve of a training, which a page that comes later sees too.

use serde::Serialize;

/// About the most points that are kept.
const POINTS: u64 = 500;

/// The values after some steps. Of a long curve, points that are evenly spread stay.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Curve<T>(Vec<(u64, T)>);

impl<T> Default for Curve<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Curve<T> {
    /// Adds the value after a step, which is later than all others.
    pub(super) fn push(&mut self, step: u64, value: T) {
        self.0.push((step, value));
        if self.0.len() as u64 <= 2 * POINTS {
            return;
        }
        let first = self.0[0].0;
        // Of the points of each gap, the first stays: with powers of two, it stayed the last time too.
        let gap = (step.saturating_sub(first) / POINTS).next_power_of_two();
        let mut last = None;
        self.0.retain(|&(at, _)| {
            let number = Some(at.saturating_sub(first) / gap);
            let stays = number != last || at == step;
            last = number;
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_beginning_and_its_shape() {
        let mut curve = Curve::default();
        for step in 1..=100_000 {
            curve.push(step, ());
        }
        let steps: Vec<u64> = curve.0.iter().map(|&(step, ())| step).collect();
        assert!(steps.len() as u64 <= 2 * POINTS && steps.len() as u64 >= POINTS / 2, "{}", steps.len());
        assert_eq!((steps[0], steps.last()), (1, Some(&100_000)));
        let widest = steps.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest <= Some(100_000 / POINTS * 2), "{widest:?}");
    }
}
