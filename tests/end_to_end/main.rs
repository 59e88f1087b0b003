//! What a user sees: the binary `m2g`, run on real data and on bad input.
//!
//! One test program for all of it, because linking is what test programs cost most.
#![allow(clippy::unwrap_used)]

mod bench;
mod compare;
mod digits_bad_input;
mod digits_train;
mod digits_use;
mod gpt_folders;
mod gpt_prepare;
mod gpt_sample;
mod gpt_train;
mod inspect;
mod lab;
mod notes;
mod support;
