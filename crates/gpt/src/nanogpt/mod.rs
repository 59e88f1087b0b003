//! Reads a checkpoint of nanoGPT, `out/ckpt.pt`, without PyTorch.
//!
//! | file | holds |
//! | --- | --- |
//! | `import` | [`import()`]: the model of a checkpoint |
//! | `model_args` | the settings of the model |
//! | `torch_file` | the tensors in a file that `torch.save` wrote |
//! | `zip` | the zip archive that such a file is |
//!
//! The pickle in the archive is read by [`m2g_text::pickle`], which executes nothing.

mod import;
mod model_args;
mod torch_file;
mod zip;

pub use import::import;
