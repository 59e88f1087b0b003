//! The flags of decoding.

use clap::Args;
use m2g_translate::decode::Options;

/// How translations are searched.
#[derive(Args, Clone, Copy, Debug)]
pub struct DecodingFlags {
    /// Translations that are compared for each sentence while they grow; 1 takes the most likely token every
    /// time.
    #[arg(long, value_name = "N", default_value_t = Options::default().beam)]
    beam: usize,
    /// The length penalty ((5 + n) / 6)^alpha of a translation of n tokens; 0 favours short ones.
    #[arg(long, value_name = "X", default_value_t = Options::default().alpha)]
    alpha: f64,
    /// End the search of a sentence once X times beam translations have ended: 1 is faster, and finds a slightly worse
    /// translation now and then.
    #[arg(long, value_name = "X")]
    patience: Option<f64>,
    /// A translation has at most this number of tokens more than its source, each with its end token.
    #[arg(long, value_name = "N", default_value_t = Options::default().extra_length)]
    extra_length: usize,
    /// Sentences that a thread translates side by side. It changes the speed and the memory, and not the result,
    /// unless the model has no padding mask.
    #[arg(long, value_name = "N", default_value_t = Options::default().batch)]
    batch: usize,
    /// Compute the keys and values of earlier tokens again for every token, to see what the cache saves.
    #[arg(long)]
    no_cache: bool,
}

/// The values without flags.
impl Default for DecodingFlags {
    fn default() -> Self {
        let Options { beam, alpha, patience, extra_length, batch, .. } = Options::default();
        Self { beam, alpha, patience, extra_length, batch, no_cache: false }
    }
}

impl DecodingFlags {
    /// The options, to return the `n_best` best translations of each sentence.
    pub fn options(&self, n_best: usize) -> anyhow::Result<Options> {
        let Self { beam, alpha, patience, extra_length, batch, no_cache } = *self;
        let options = Options { beam, alpha, patience, n_best, extra_length, batch, cache: !no_cache };
        options.validate()?;
        Ok(options)
    }
}
