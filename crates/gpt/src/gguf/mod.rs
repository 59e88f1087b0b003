//! GGUF, the file format of llama.cpp, in and out.
//!
//! | file | holds |
//! | --- | --- |
//! | `export.rs` | [`export()`]: writes a model to a file |
//! | `import.rs` | [`import()`]: reads a model from a file; [`load()`]: reads it ready to generate |
//! | `architecture.rs` | which of llama.cpp's models is ours: [`Architecture`] |
//! | `settings.rs` | the keys that describe a model, in and out |
//! | `layout.rs` | the name and the shape of every tensor, in our model and in the file |
//! | `tokens.rs` | the keys of a tokenizer, in and out |
//! | `never_drawn.rs` | an end-of-text token for models that have none |
//! | `reader.rs` | reads the container: keys with values, and the places of tensors |
//! | `value.rs` | a value of a key, in and out |
//! | `writer.rs` | writes the container |
//!
//! A file is a header, and the bytes of the tensors. The header names the model's settings as keys, such
//! as `gpt2.block_count`, holds the whole tokenizer, and lists the tensors with their shapes, innermost
//! length first. All numbers are little-endian. Source: `docs/gguf.md` of ggml, version 3 of the format.
//!
//! llama.cpp runs models that it knows by name. Three of them are ours, with different settings:
//!
//! | our model | architecture |
//! | --- | --- |
//! | learned or sinusoidal positions, with biases | `gpt2` |
//! | learned or sinusoidal positions, without biases; ALiBi; no positions | `mpt` |
//! | rotary positions | `gptneox`, which pairs the channels of a head in another order |

mod architecture;
mod export;
mod import;
mod layout;
mod never_drawn;
mod reader;
mod settings;
mod tokens;
mod value;
mod writer;

pub use architecture::Architecture;
pub use export::{Export, Quantisation, export};
pub use import::{Loaded, import, is_gguf, load};
