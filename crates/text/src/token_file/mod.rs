//! Token ids in memory and in files.
//!
//! | file | holds |
//! | --- | --- |
//! | `width` | [`Width`]: bytes per token |
//! | `writer` | [`TokenWriter`]: writes tokens, counts and hashes them |
//! | `memory_map` | bytes in memory or in a memory-mapped file |
//! | `data` | [`TokenData`]: a sequence of tokens in memory or in a file |
//! | `fingerprint` | hashes of tokenizers and of tokenized text |
//! | `folder` | [`PreparedText`]: a folder of tokens that [`prepare`](crate::prepare) made |

mod data;
mod fingerprint;
mod folder;
mod memory_map;
mod width;
mod writer;

pub use data::TokenData;
pub use fingerprint::{fingerprint, tokenizer_sha256};
pub(crate) use folder::{META, TOKENIZER, TRAIN, VAL};
pub use folder::{Meta, PreparedText, is_prepared, open};
pub use width::Width;
pub use writer::TokenWriter;
