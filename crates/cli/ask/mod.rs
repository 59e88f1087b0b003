//! What `m2g gpt ask` and `m2g translate ask` share.
//!
//! | file | holds |
//! | --- | --- |
//! | `change.rs` | changes of a sentence, for causal tests |
//! | `weights.rs` | the attention of a word, as a table and as JSON |

pub mod change;
pub mod weights;

use anyhow::anyhow;
use m2g_text::words::Words;

use crate::flags::nearest;

/// The index of the word of a sentence that is asked about.
pub fn word_of(asked: &str, words: &Words) -> anyhow::Result<usize> {
    words.find(asked.trim()).ok_or_else(|| {
        let near = nearest(asked, words.words.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        anyhow!(
            "--word is {asked}, which is not in the sentence{hint}: its words are {}",
            words.words.join(", ")
        )
    })
}

/// A word without punctuation around it, or punctuation alone.
pub fn bare(word: &str) -> &str {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() { word } else { bare }
}
