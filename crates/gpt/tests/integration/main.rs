//! The public API of the GPT crate. One test program, because linking each one takes long.
#![allow(clippy::unwrap_used)]

mod checkpoint;
mod generate;
mod gguf;
mod gguf_refused;
mod golden;
mod gpt2_folders;
mod model;
mod nanogpt;
mod nanogpt_refused;
mod old_run;
mod own_bpe;
mod properties;
mod tales;
mod together;
mod torch_save;
mod training;
mod what_if;
