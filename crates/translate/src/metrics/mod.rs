//! How good translations are: they are compared with translations by people, the references.
//!
//! The definitions are those of sacreBLEU (Post 2018), and tests hold the scores to those of the Python
//! package to 1e-9. The signature of a score says how it was computed; only scores with the same
//! signature can be compared.
//!
//! | file | holds |
//! | --- | --- |
//! | `metric` | [`Metric`]: counts of each segment, their sum, and the score of a sum |
//! | `bleu` | [`Bleu`]: the share of words and word sequences that a reference has too |
//! | `chrf` | [`Chrf`]: the same for characters, with recall |
//! | `words` | text to words: [`Tokenization`] |
//! | `ngrams` | counts n-grams |
//! | `bootstrap` | [`paired_bootstrap`]: is one system better than another, or only lucky? |
//!
//! ```
//! use m2g_translate::metrics::{Bleu, Metric};
//!
//! let references = [vec!["The pizza came out of the oven and tasted good."]];
//! let bleu = Bleu::default();
//! let counts = bleu.corpus(&["The pizza came out of the oven and knew good."], &references)?;
//! assert!((bleu.score(&counts) - 74.19).abs() < 0.01);
//! # Ok::<(), m2g_translate::metrics::MetricError>(())
//! ```

mod bleu;
mod bootstrap;
mod chrf;
mod metric;
mod ngrams;
mod words;

pub use bleu::{Bleu, BleuCounts, BleuScore, MAX_ORDER, Smoothing};
pub use bootstrap::{Difference, paired_bootstrap};
pub use chrf::{Chrf, ChrfCounts};
pub use metric::{Metric, MetricError};
pub use words::Tokenization;
