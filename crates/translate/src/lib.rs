//! Translation by the Transformer of "Attention is all you need" (Vaswani et al. 2017), on the core that
//! also runs the digit network and the GPT.
//!
//! | file | holds |
//! | --- | --- |
//! | [`config`] | [`TransformerConfig`]: the model; [`Config`]: every setting of a training run |
//! | [`presets`] | settings by name, from `tiny` to `base` |
//! | [`model`] | [`Transformer`]: encoder, decoder, output; it reads like section 3 of the paper |
//! | [`data`] | pairs of sentences, by name or from files, and batches of them |
//! | [`decode`] | beam search: from a sentence to its best translations; the score of a given one |
//! | [`training`] | a training run in its folder: [`Training`](training::Training) |
//! | [`evaluation`] | loss, accuracy and BLEU on pairs that the model was not trained on |
//! | [`inspect`] | one step with every value under its name |
//! | `footprint` | the number of parameters, and the memory that training needs, from the settings and the data |
//! | [`ask`] | questions to a trained model: attention by words, alignments, causal tests |
//! | [`metrics`] | how good a translation is: BLEU, chrF, and the interval of a difference |

pub mod ask;
pub mod config;
pub mod data;
pub mod decode;
pub mod evaluation;
mod footprint;
pub mod inspect;
pub mod metrics;
pub mod model;
pub mod presets;
pub mod training;

pub use config::{Config, LrDecay, Sharing, TransformerConfig};
pub use model::{PairBatch, Transformer};
