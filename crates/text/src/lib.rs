//! Text for language models: from files to token ids, and from logits back to text.
//!
//! | module | holds |
//! | --- | --- |
//! | [`tokenizer`] | [`Tokenizer`]: text to token ids and back, by characters, words, bytes or byte pairs |
//! | [`words`] | [`Words`](words::Words): tokens joined to words, and the attention between words |
//! | [`lexicon`] | words of Spanish and English, for the texts that this project writes |
//! | [`tales`] | short tales in both languages, which a grammar writes |
//! | [`source`] | [`Source`]: text from files, folders, datasets or memory, cleaned while it is read |
//! | [`token_file`] | [`TokenData`]: token ids in memory or in a file; prepared folders |
//! | [`prepare`] | encodes text of any size into a training and a validation split of tokens |
//! | [`sampler`] | [`Sampler`]: from logits to the next token |
//! | [`stop`] | [`StopTexts`](stop::StopTexts): where a generated text ends |
//! | [`hugging_face`] | the tokenizer of a folder in Hugging Face's format, in and out |
//! | [`pickle`] | reads Python's pickles, and executes nothing |
//! | [`git_lfs`] | recognises the pointers that Git LFS leaves in place of large files |
//! | [`utf8`] | [`Utf8Stream`](utf8::Utf8Stream): UTF-8 that arrives in chunks |
//!
//! Each module uses only those before it in this list: `utf8`, `git_lfs`, `pickle`, `tokenizer`, `words`, `error`,
//! `hugging_face`, `token_file`, `lexicon`, `tales`, `source`, `prepare`.

mod error;
pub mod git_lfs;
pub mod hugging_face;
pub mod lexicon;
pub mod pickle;
pub mod prepare;
pub mod sampler;
pub mod source;
pub mod stop;
pub mod tales;
pub mod token_file;
pub mod tokenizer;
pub mod utf8;
pub mod words;

pub use error::TextError;
pub use sampler::{Sampler, Sampling};
pub use source::{Documents, Source};
pub use token_file::TokenData;
pub use tokenizer::{Tokenizer, TokenizerKind};
