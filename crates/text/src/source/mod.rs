//! Sources of text: files, folders, datasets, memory. A source is read in chunks, so it may be
//! larger than memory, and it can be read more than once.
//!
//! | file | holds |
//! | --- | --- |
//! | `inputs` | [`Source`]: the list of inputs |
//! | `datasets` | the text files behind a path or the name of a dataset |
//! | `read` | reads and cleans all inputs, chunk by chunk |
//! | `text_file` | opens a file, plain or gzip; recognises text |
//! | `clean` | byte-order mark, CRLF, invalid UTF-8 |
//! | `report` | sentences on what was cleaned and what was skipped |

mod clean;
mod datasets;
mod inputs;
mod read;
mod report;
mod text_file;

pub use clean::Cleaned;
pub use datasets::text_files;
pub use inputs::Source;
pub use report::with_thousands_separators;
