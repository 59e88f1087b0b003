//! Import and export of GPT-2 in the folder format of Hugging Face's `transformers`.
//!
//! | file | holds |
//! | --- | --- |
//! | `import.rs` | [`import()`]: reads a model from a folder |
//! | `imported.rs` | [`Imported`]: what an import finds |
//! | `stored.rs` | the tensors in the files, compared with those of the model |
//! | `export.rs` | [`export()`]: writes a model to a folder |
//! | `settings.rs` | reads and writes `config.json` |
//! | `layout.rs` | the files of a folder; the name and the shape of every tensor, in our model and in the files |
//! | `tensor_file.rs` | reads and writes safetensors files tensor by tensor |
//! | `git_lfs.rs` | recognises the pointers of Git LFS, for all formats |
//! | `error.rs` | the errors of import and export |
//!
//! The tokenizer is read and written by [`m2g_text::hugging_face`].
//!
//! The files store the weights of linear layers as `(inputs, outputs)`, which `transformers` calls
//! Conv1D; our weights are `(outputs, inputs)`, like those of PyTorch's `nn.Linear`. Apart from that,
//! only the prefix `transformer.` of the names differs.

pub(crate) mod error;
mod export;
pub(crate) mod git_lfs;
mod import;
mod imported;
pub(crate) mod layout;
mod settings;
pub(crate) mod stored;
pub(crate) mod tensor_file;

pub use error::{ExportError, ImportError, TensorProblem};
pub use export::export;
pub use import::import;
pub use imported::Imported;
