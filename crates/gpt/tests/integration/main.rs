//! The public API of the GPT crate. One test program, because linking each one takes long.
#![allow(clippy::unwrap_used)]

mod generate;
mod golden;
mod gpt2_folders;
mod model;
mod old_run;
mod training;
mod what_if;
