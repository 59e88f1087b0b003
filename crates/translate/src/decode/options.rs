//! How to decode.

use std::fmt;

use m2g_core::Error;

/// How to decode. The default is the paper's: beam 4, alpha 0.6, up to 50 tokens more than the source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The beam width: the number of open translations of each sentence. 1 is greedy decoding, the most likely
    /// token until it is the end.
    pub beam: usize,
    /// The length penalty: a finished translation of n tokens with probability p, its end token included,
    /// scores `ln p / ((5 + n) / 6)^alpha` (Wu et al. 2016). 0 favours short translations.
    pub alpha: f64,
    /// The search of a sentence ends once `patience` times `beam` translations have ended (Kasai et al. 2024): 1 is
    /// what CTranslate2 and fairseq do. `None` searches until no open translation can win any more, which takes longer.
    pub patience: Option<f64>,
    /// The number of different translations to return for each sentence, at most `beam`.
    pub n_best: usize,
    /// A translation has at most this number of tokens more than its source, each with its end token.
    pub extra_length: usize,
    /// Sentences that a thread decodes side by side. It changes the speed and the memory, and not the result, unless
    /// the model has no padding mask.
    pub batch: usize,
    /// Whether keys and values of earlier tokens are kept instead of computed again. It changes the speed,
    /// not the result.
    pub cache: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { beam: 4, alpha: 0.6, patience: None, n_best: 1, extra_length: 50, batch: 32, cache: true }
    }
}

/// What decides on the translation: "beam 4, alpha 0.6".
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "beam {}, alpha {}", self.beam, self.alpha)?;
        self.patience.map_or(Ok(()), |patience| write!(f, ", patience {patience}"))
    }
}

/// Whether `alpha` of a length penalty is from 0 to 10.
pub(crate) fn valid_alpha(alpha: &f64) -> Result<(), &'static str> {
    if (0.0..=10.0).contains(alpha) { Ok(()) } else { Err("it must be from 0 to 10") }
}

impl Options {
    /// Greedy decoding.
    pub fn greedy() -> Self {
        Self { beam: 1, ..Self::default() }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid one.
    pub fn validate(&self) -> Result<(), Error> {
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        if !(1..=1000).contains(&self.beam) {
            return setting("beam", self.beam.to_string(), "it must be from 1 to 1000");
        }
        if let Err(rule) = valid_alpha(&self.alpha) {
            return setting("alpha", self.alpha.to_string(), rule);
        }
        if let Some(patience) = self.patience
            && !(patience > 0.0 && patience <= 1000.0)
        {
            return setting("patience", patience.to_string(), "it must be above 0 and at most 1000");
        }
        if self.n_best == 0 || self.n_best > self.beam {
            let rule =
                "it must be at least 1 and at most `beam`, the number of translations that are compared";
            return setting("n_best", self.n_best.to_string(), rule);
        }
        if self.batch == 0 {
            return setting("batch", "0".into(), "it must be at least 1");
        }
        Ok(())
    }

    /// The divisor of the log-probability of a translation of n tokens.
    pub fn length_penalty(&self, n: usize) -> f64 {
        ((5 + n) as f64 / 6.0).powf(self.alpha)
    }
}
