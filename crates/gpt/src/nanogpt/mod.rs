//! Reads a checkpoint of nanoGPT, `out/ckpt.pt`, without PyTorch.
//!
//! | file | holds |
//! | --- | --- |
//! | `import` | [`import()`]: the model of a checkpoint |
//! | `model_args` | the settings of the model |
//! | `torch_file` | the tensors in a file that `torch.save` wrote |
//! | `zip` | the zip archive that such a file is |
//!
//! A checkpoint does not say which form of GELU its model has. nanoGPT had the form by tanh until June 2023, and has
//! the exact one since. The first checkpoints, without `bias` in their `model_args`, get the form by tanh, and
//! all others the exact one. So the logits of a model with `bias` from January to June 2023 differ by about
//! 0.001; `gelu` is a setting of the model.
//!
//! The pickle in the archive is read by [`m2g_text::pickle`], which executes nothing.

mod import;
mod model_args;
mod torch_file;
mod zip;

pub use import::import;
