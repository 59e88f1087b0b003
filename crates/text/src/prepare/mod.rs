//! Encodes text of any size into a training and a validation split of tokens.
//!
//! | file | holds |
//! | --- | --- |
//! | `encode` | [`Encode`]: reads the text, makes a tokenizer if needed, encodes both splits |
//! | `split` | cuts the text into pieces that are encoded one by one |
//! | `characters` | the set of characters of a text |
//! | `folder` | [`prepare()`]: writes both splits to a folder, completely or not at all |

mod characters;
mod encode;
mod folder;
mod split;

pub use encode::{Encode, Encoded, Progress, TokenizerChoice};
pub use folder::{Prepare, check_replaceable, prepare};
