//! Text of any size to two splits of tokens, one to train on and one to validate with.
//!
//! | file | holds |
//! | --- | --- |
//! | `encode` | [`Encode`]: reads the text, makes or takes a tokenizer, encodes both splits |
//! | `split` | cuts the text into pieces that are encoded one by one |
//! | `characters` | the set of characters of a text |
//! | `folder` | [`prepare()`]: the same into a folder, complete or not at all |

mod characters;
mod encode;
mod folder;
mod split;

pub use encode::{Encode, Encoded, Progress, TokenizerChoice};
pub use folder::{Prepare, prepare};
