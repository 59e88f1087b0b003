//! GPT-2 in and out: folders in the format of Hugging Face's `transformers`.
//!
//! | file | holds |
//! | --- | --- |
//! | `import.rs` | [`import()`]: a folder becomes a model |
//! | `export.rs` | [`export()`]: a model becomes a folder |
//! | `settings.rs` | `config.json`, there and back |
//! | `layout.rs` | every tensor's name and shape, here and there |
//! | `tensor_file.rs` | safetensors files, read and written tensor by tensor |
//! | `vocabulary.rs` | the tokenizer: GPT-2's, or ours |
//! | `error.rs` | what can be wrong with a folder |
//!
//! GPT-2 keeps the weights of its linear layers as `(inputs, outputs)`, which
//! `transformers` calls Conv1D; here they are `(outputs, inputs)`, as in PyTorch's
//! `nn.Linear`. Everything else is the same but for the prefix `transformer.`.

mod error;
mod export;
mod import;
mod layout;
mod settings;
pub(crate) mod tensor_file;
mod vocabulary;

pub use error::{ExportError, ImportError, TensorProblem};
pub use export::export;
pub use import::{Imported, import};

/// The settings of the model.
const CONFIG: &str = "config.json";
/// The tensors, if they are in one file.
const MODEL: &str = "model.safetensors";
/// Which file holds which tensor, if they are in several.
const INDEX: &str = "model.safetensors.index.json";
