//! Token ids in memory and in files.
//!
//! | file | holds |
//! | --- | --- |
//! | `width` | [`Width`]: bytes per token |
//! | `writer` | [`TokenWriter`]: writes tokens, counts and hashes them |
//! | `bytes` | bytes in memory or in a file, read piece by piece |
//! | `data` | [`TokenData`]: a sequence of tokens in memory or in a file |
//! | `fingerprint` | hashes of tokenizers and of tokenized text |
//! | `folder` | [`PreparedText`]: a folder of tokens that [`prepare`](crate::prepare) made |
//! | `nanogpt` | [`NanoGptFolder`]: a folder of tokens as nanoGPT's `prepare.py` makes them |

mod bytes;
mod data;
mod fingerprint;
mod folder;
mod nanogpt;
mod width;
mod writer;

pub use data::TokenData;
pub use fingerprint::{fingerprint, fingerprint_of_ids, fingerprint_of_sha256, tokenizer_sha256};
pub(crate) use folder::{META, TOKENIZER, TRAIN, VAL};
pub use folder::{Meta, PreparedText, is_prepared, open, read_json};
pub use nanogpt::{NanoGptFolder, NanoGptMeta, is_nanogpt, read_meta};
pub use width::Width;
pub use writer::TokenWriter;
