//! Runs the binary `m2g` as a user does, on real data and on bad input.
//!
//! All tests share one program, because linking takes most of the time to build a test program.
#![allow(clippy::unwrap_used)]

mod bench;
mod bleu;
mod compare;
mod damaged_files;
mod determinism;
mod digits_bad_input;
mod digits_family;
mod digits_pictures;
mod digits_train;
mod digits_use;
mod flipped_bits;
mod gpt_ask;
mod gpt_chat;
mod gpt_ends;
mod gpt_folders;
mod gpt_gguf;
mod gpt_prepare;
mod gpt_prompt;
mod gpt_sample;
mod gpt_settings;
mod gpt_tokenizers;
mod gpt_train;
mod habits;
mod inputs;
mod inspect;
mod kills;
mod lab;
mod learn;
mod long_run;
mod notes;
mod output_files;
mod page;
mod runs;
mod signals;
mod streams;
mod supply;
mod support;
mod translate;
mod translate_inside;
