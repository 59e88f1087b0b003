//! Sampling: from logits to the next token.

use m2g_core::{Error, Float};

/// How the next token is chosen. The rules apply one after the other: temperature, then
/// `top_k`, then `top_p`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the logits. Below 1, likely tokens become likelier; above 1, the
    /// distribution becomes flatter.
    pub temperature: f64,
    /// Keeps the k most likely tokens, ties included, as nanoGPT does.
    pub top_k: Option<usize>,
    /// Keeps the smallest set of most likely tokens whose probabilities sum to at least
    /// this ("nucleus sampling", Holtzman et al. 2020).
    pub top_p: Option<f64>,
    /// Always takes the most likely token, the first of several. The other rules then
    /// have no effect.
    pub greedy: bool,
}

impl Default for Sampling {
    /// The model's own probabilities.
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None, greedy: false }
    }
}

impl Sampling {
    /// As `m2g gpt sample` and the page write unless they are told otherwise.
    pub const WRITING: Self = Self { temperature: 0.8, top_k: Some(200), top_p: None, greedy: false };

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid one.
    pub fn validate(&self) -> Result<(), Error> {
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        if self.temperature == f64::INFINITY {
            return setting("temperature", "infinite".into(), "it must be a finite number above 0");
        }
        if self.temperature.is_nan() || self.temperature <= 0.0 {
            let rule = "it must be above 0; to take the most likely token every time, set `greedy`";
            // Without the sign of -0.
            return setting("temperature", (self.temperature + 0.0).to_string(), rule);
        }
        if self.top_k == Some(0) {
            return setting(
                "top_k",
                "0".into(),
                "it must be at least 1, the number of tokens to choose from",
            );
        }
        if let Some(p) = self.top_p
            && !(p > 0.0 && p <= 1.0)
        {
            return setting("top_p", p.to_string(), "it is a probability, above 0 and at most 1");
        }
        Ok(())
    }
}

/// Chooses tokens. It reuses its buffers from one token to the next.
#[derive(Debug, Clone, Default)]
pub struct Sampler {
    sampling: Sampling,
    /// The tokens that may be chosen, with their probabilities up to a common factor.
    candidates: Vec<(u32, f64)>,
    /// Scratch space to find the k-th largest logit.
    scratch: Vec<f64>,
}

impl Sampler {
    /// A sampler with these settings.
    ///
    /// # Errors
    /// As [`Sampling::validate`].
    pub fn new(sampling: Sampling) -> Result<Self, Error> {
        sampling.validate()?;
        Ok(Self { sampling, ..Self::default() })
    }

    /// The token that `u`, uniform in `[0, 1)`, selects from logits `(V)`: the first one
    /// at which the cumulative probability, in the order of the ids, exceeds `u`.
    ///
    /// # Errors
    /// [`Error::NotFiniteResult`] if no logit is finite or one is NaN.
    pub fn choose<T: Float>(&mut self, logits: &[T], u: f64) -> Result<u32, Error> {
        let best = likeliest(logits)?;
        if self.sampling.greedy {
            return Ok(best as u32);
        }
        self.keep(logits, best);
        let total: f64 = self.candidates.iter().map(|(_, p)| p).sum();
        let mut rest = u * total;
        for &(token, p) in &self.candidates {
            rest -= p;
            if rest < 0.0 {
                return Ok(token);
            }
        }
        // Because of rounding, `rest` did not become negative.
        let last = self.candidates.iter().rfind(|(_, p)| *p > 0.0);
        Ok(last.map_or(best as u32, |(token, _)| *token))
    }

    /// The probability with which each token is chosen from logits `(V)`: 0 for those that are not kept.
    ///
    /// # Errors
    /// As [`Sampler::choose`].
    pub fn probabilities<T: Float>(&mut self, logits: &[T]) -> Result<Vec<f64>, Error> {
        let best = likeliest(logits)?;
        let mut all = vec![0.0; logits.len()];
        if self.sampling.greedy {
            all[best] = 1.0;
            return Ok(all);
        }
        self.keep(logits, best);
        let total: f64 = self.candidates.iter().map(|(_, p)| p).sum();
        for &(token, p) in &self.candidates {
            all[token as usize] = p / total;
        }
        Ok(all)
    }

    /// Makes those tokens the candidates that may be chosen.
    fn keep<T: Float>(&mut self, logits: &[T], best: usize) {
        self.weigh(logits, logits[best].as_f64());
        if let Some(p) = self.sampling.top_p {
            self.keep_nucleus(p);
        }
    }

    /// Makes the `top_k` tokens the candidates, in the order of their ids, each with weight
    /// `e^((logit - max) / temperature)`.
    fn weigh<T: Float>(&mut self, logits: &[T], max: f64) {
        let Sampling { temperature, top_k, .. } = self.sampling;
        let threshold = match top_k {
            Some(k) if k < logits.len() => {
                self.scratch.clear();
                self.scratch.extend(logits.iter().map(|x| x.as_f64()));
                *self.scratch.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1
            }
            _ => f64::NEG_INFINITY,
        };
        let kept = logits.iter().map(|x| x.as_f64()).zip(0..).filter(|(x, _)| *x >= threshold);
        self.candidates.clear();
        self.candidates.extend(kept.map(|(x, token)| (token, ((x - max) / temperature).exp())));
    }

    /// Keeps the fewest, most likely candidates that hold a share `p` of the probability.
    /// Ties go to the lower id.
    fn keep_nucleus(&mut self, p: f64) {
        let total: f64 = self.candidates.iter().map(|(_, p)| p).sum();
        // Together, all candidates below this weight hold less than a share 1 - p. None of
        // them is needed, so they need not be sorted.
        let threshold = (1.0 - p) * total / self.candidates.len() as f64;
        self.candidates.retain(|(_, p)| *p >= threshold);
        self.candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut sum = 0.0;
        let needed = self.candidates.iter().position(|(_, q)| {
            sum += q;
            sum >= p * total
        });
        self.candidates.truncate(needed.map_or(self.candidates.len(), |i| i + 1));
        self.candidates.sort_by_key(|(token, _)| *token);
    }
}

/// The index of the largest logit, the first of equal ones.
fn likeliest<T: Float>(logits: &[T]) -> Result<usize, Error> {
    let mut best = 0;
    for (i, logit) in logits.iter().enumerate() {
        if logit.is_nan() {
            best = i;
            break;
        }
        if *logit > logits[best] {
            best = i;
        }
    }
    match logits.get(best).is_some_and(|logit| logit.is_finite()) {
        true => Ok(best),
        false => Err(Error::NotFiniteResult("logits")),
    }
}

/// The softmax of a row of logits, in f64.
pub fn softmax(row: &[f32]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f64> = row.iter().map(|&z| f64::from(z - largest).exp()).collect();
    let sum = exps.iter().sum::<f64>();
    exps.iter().map(|e| e / sum).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use m2g_core::rng::{Streams, uniform};

    /// The logits of probabilities 0.4, 0.1, 0.3, 0.1, 0.1.
    fn logits() -> [f64; 5] {
        [0.4_f64, 0.1, 0.3, 0.1, 0.1].map(f64::ln)
    }

    /// The share of each token among 20,000 samples.
    fn shares(sampling: Sampling) -> [f64; 5] {
        let mut sampler = Sampler::new(sampling).unwrap();
        let mut rng = Streams::new(1).stream("test", 0);
        let mut counts = [0.0; 5];
        for _ in 0..20_000 {
            counts[sampler.choose(&logits(), uniform(&mut rng)).unwrap() as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    fn assert_near(got: [f64; 5], want: [f64; 5]) {
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 0.015 && (w > 0.0 || *g == 0.0), "{got:?}, not {want:?}");
        }
    }

    #[test]
    fn each_rule_keeps_the_right_tokens() {
        let plain = Sampling::default();
        assert_near(shares(plain), [0.4, 0.1, 0.3, 0.1, 0.1]);
        // The squares of the probabilities, divided by their sum 0.28.
        let cold = Sampling { temperature: 0.5, ..plain };
        assert_near(shares(cold), [0.16 / 0.28, 0.01 / 0.28, 0.09 / 0.28, 0.01 / 0.28, 0.01 / 0.28]);
        assert_near(shares(Sampling { top_k: Some(1), ..plain }), [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_near(shares(Sampling { top_k: Some(2), ..plain }), [4.0 / 7.0, 0.0, 3.0 / 7.0, 0.0, 0.0]);
        // The third largest ties with two others: all are kept.
        assert_near(shares(Sampling { top_k: Some(3), ..plain }), [0.4, 0.1, 0.3, 0.1, 0.1]);
        assert_near(shares(Sampling { top_k: Some(99), ..plain }), [0.4, 0.1, 0.3, 0.1, 0.1]);
        assert_near(shares(Sampling { top_p: Some(0.3), ..plain }), [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_near(shares(Sampling { top_p: Some(0.6), ..plain }), [4.0 / 7.0, 0.0, 3.0 / 7.0, 0.0, 0.0]);
        // Three tokens tie for the last place: the first is kept.
        assert_near(shares(Sampling { top_p: Some(0.75), ..plain }), [0.5, 0.125, 0.375, 0.0, 0.0]);
        assert_near(shares(Sampling { top_p: Some(1.0), ..plain }), [0.4, 0.1, 0.3, 0.1, 0.1]);
        // top_k keeps two tokens with 4/7 and 3/7; the first alone satisfies top_p.
        assert_near(
            shares(Sampling { top_k: Some(2), top_p: Some(0.5), ..plain }),
            [1.0, 0.0, 0.0, 0.0, 0.0],
        );
        assert_near(shares(Sampling { greedy: true, ..plain }), [1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn both_ends_of_the_unit_interval_select_a_token() {
        let mut sampler = Sampler::new(Sampling::default()).unwrap();
        assert_eq!(sampler.choose(&logits(), 0.0).unwrap(), 0);
        assert_eq!(sampler.choose(&logits(), 1.0 - f64::EPSILON / 2.0).unwrap(), 4);
        // A token of probability 0 is never chosen, not even at the ends.
        let ends = [f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY];
        for u in [0.0, 0.5, 1.0 - f64::EPSILON / 2.0] {
            assert_eq!(sampler.choose(&ends, u).unwrap(), 1);
        }
        let mut greedy = Sampler::new(Sampling { greedy: true, ..Sampling::default() }).unwrap();
        assert_eq!(greedy.choose(&[1.0, 3.0, 3.0], 0.9).unwrap(), 1, "ties go to the first");
        // Extreme temperatures stay finite.
        let mut cold = Sampler::new(Sampling { temperature: 1e-300, ..Sampling::default() }).unwrap();
        assert_eq!(cold.choose(&logits(), 0.9).unwrap(), 0);
    }

    #[test]
    fn logits_that_are_not_finite_are_rejected() {
        let mut sampler = Sampler::new(Sampling::default()).unwrap();
        for logits in [&[0.0, f64::NAN][..], &[f64::NAN, 0.0], &[f64::INFINITY, 0.0], &[]] {
            assert!(sampler.choose(logits, 0.5).unwrap_err().to_string().contains("finite"), "{logits:?}");
        }
    }

    #[test]
    fn invalid_settings_are_rejected() {
        let plain = Sampling::default();
        for (sampling, word) in [
            (Sampling { temperature: 0.0, ..plain }, "temperature is 0: it must be above 0"),
            (Sampling { temperature: f64::NAN, ..plain }, "temperature is NaN"),
            (
                Sampling { temperature: f64::INFINITY, ..plain },
                "temperature is infinite: it must be a finite number",
            ),
            (Sampling { top_k: Some(0), ..plain }, "top_k is 0"),
            (Sampling { top_p: Some(0.0), ..plain }, "top_p is 0"),
            (Sampling { top_p: Some(1.5), ..plain }, "top_p is 1.5"),
            (Sampling { top_p: Some(f64::NAN), ..plain }, "top_p is NaN"),
        ] {
            let error = Sampler::new(sampling).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
