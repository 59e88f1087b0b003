//! Training data: pairs of sentences, and batches of them.
//!
//! | file | holds |
//! | --- | --- |
//! | `text` | parallel text: two files, or one with tabs |
//! | `toys` | copy, reverse, sort, dates |
//! | `grammar` | a grammar that writes Spanish sentences and their translations |
//! | `multi30k` | captions of pictures in three languages, which users download |
//! | `pairs` | [`Pairs`]: sentences and their translations as tokens |
//! | `vocabulary` | [`Specials`]: the tokens around a sentence; the vocabulary of both languages |
//! | `corpus` | [`Corpus`]: all splits and their tokenizer, by the name of the data |
//! | `folder` | a prepared folder: tokens, tokenizer, description |
//! | `batches` | [`Batches`]: pairs of similar length side by side |

mod batches;
mod corpus;
mod folder;
mod grammar;
mod multi30k;
mod pairs;
mod text;
mod toys;
mod vocabulary;

pub(crate) use batches::EVALUATION_TOKENS;
pub use batches::{Batches, batch};
pub use corpus::{Corpus, HeldOut, hold_out, is_built_in};
pub use folder::{META, PairsMeta, Prepare, is_prepared, prepare};
pub use grammar::{NAME as GRAMMAR, PIZZA};
pub use pairs::{Pairs, Sentences};
pub use text::{TextPair, TextSplits, read_tsv, read_two_files};
pub use toys::NAMES as TOYS;
pub(crate) use vocabulary::specials;
pub use vocabulary::{Specials, name_of, tokenizer_for};
