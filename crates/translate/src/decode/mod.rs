//! Decoding: from a sentence to its translations.
//!
//! | file | holds |
//! | --- | --- |
//! | `options` | [`Options`]: beam width, length penalty, limits |
//! | `beam` | `Beam`: the open and the finished translations of one sentence |
//! | `search` | runs the model for the beams of several sentences at once |
//! | `translator` | [`Translator`]: text in, text out, in the order in which it came |
//! | `tree` | [`Tree`]: the search of one sentence, with what was pruned |
//! | `score` | the log-probability of each token of a given translation |

mod beam;
mod options;
mod score;
mod search;
mod translator;
mod tree;

pub use options::Options;
pub(crate) use options::valid_alpha;
pub use score::score;
pub use translator::{Translation, Translator};
pub use tree::{Fate, Node, Tree};
