//! Sources of text: files, folders, datasets, memory. A source is read in chunks, so it may be
//! larger than memory, and it can be read more than once.
//!
//! | file | holds |
//! | --- | --- |
//! | `inputs` | [`Source`]: the list of inputs |
//! | `datasets` | the text files behind a path or the name of a dataset |
//! | `read` | reads and cleans all inputs, chunk by chunk |
//! | `documents` | where a document ends and the next one begins |
//! | `text_file` | opens a file, plain or gzip |
//! | `content` | tells text from other data by the first bytes of a file |
//! | `clean` | byte-order mark, CRLF, invalid UTF-8, zero bytes |
//! | `report` | sentences on what was cleaned and what was skipped |

mod clean;
mod content;
mod datasets;
mod documents;
mod inputs;
mod read;
mod report;
mod text_file;

pub use clean::Cleaned;
pub use datasets::text_files;
pub use documents::{DocumentSeparator, Documents, Found, Part, unescape};
pub use inputs::{PIPED, STANDARD_INPUT, Source};
pub use report::with_thousands_separators;
