//! Sentences and their translations, given as two files.

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_core::Error;
use m2g_text::Tokenizer;
use m2g_translate::data::{Pairs, Specials, TextPair};

use super::lines::{lines, name, parallel_lines};
use crate::flags::check_read_once;

/// Sentences and their translations, with the names of both sides for messages.
pub struct Parallel {
    /// The pairs, one for each line.
    pub texts: Vec<TextPair>,
    names: [String; 2],
}

impl Parallel {
    /// The lines of two files.
    pub fn read(source: &Path, target: &Path) -> anyhow::Result<Self> {
        check_read_once([source, target], "the two files")?;
        let (sources, targets) = (lines(source)?, lines(target)?);
        parallel_lines(target, targets.len(), source, sources.len())?;
        let pairs = sources.into_iter().zip(targets);
        let texts = pairs.map(|(source, target)| TextPair { source, target }).collect();
        Ok(Self { texts, names: [source, target].map(name) })
    }

    /// Pairs of this data.
    pub fn of_data(data: &str, texts: Vec<TextPair>) -> Self {
        Self { texts, names: [data, data].map(String::from) }
    }

    /// The tokens of all pairs, and the special tokens. A sentence has at most `max_length` tokens.
    ///
    /// # Errors
    /// With the file and the line that cannot be encoded; with the file if there are none.
    pub fn encode(&self, tokenizer: &Tokenizer, max_length: usize) -> anyhow::Result<(Pairs, Specials)> {
        if self.texts.is_empty() {
            bail!("{} has no lines: give at least one sentence", self.names[0]);
        }
        let (pairs, special) = Pairs::encode_all(&self.texts, tokenizer)
            .map_err(|error| self.first_unknown(tokenizer).unwrap_or_else(|| Error::from(error).into()))?;
        for i in 0..pairs.len() {
            for (sentences, name) in [&pairs.source, &pairs.target].into_iter().zip(&self.names) {
                let tokens = sentences.get(i).len();
                if tokens > max_length {
                    bail!(
                        "{name}: line {} has {tokens} tokens, but the model reads at most {max_length} (max_length): \
                         split it, or leave it out",
                        i + 1
                    );
                }
            }
        }
        Ok((pairs, special))
    }

    /// The error of the first sentence that the tokenizer does not know.
    fn first_unknown(&self, tokenizer: &Tokenizer) -> Option<anyhow::Error> {
        self.texts.iter().zip(1..).find_map(|(pair, line)| {
            [&pair.source, &pair.target].into_iter().zip(&self.names).find_map(|(text, name)| {
                let error = tokenizer.encode(text).err().filter(|_| !text.trim().is_empty())?;
                Some(anyhow!("{name}: line {line}: {error}"))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_translate::data::tokenizer_for;

    use super::*;

    #[test]
    fn the_file_and_the_line_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (source, target) = (file("s", "a b\n \nb a\n"), file("t", "a\n\nzz\n"));
        let tokenizer = tokenizer_for("word", "x", &[["a b a", "b a b"].into()]).unwrap();
        let error = |source: &Path, target: &Path| {
            let parallel = Parallel::read(source, target);
            parallel.and_then(|p| p.encode(&tokenizer, 3)).err().unwrap().to_string()
        };
        assert!(error(&source, &target).contains("t: line 3: the tokenizer has no token for \"zz\""));
        let (long, empty) = (file("long", "a b\na b a\nb\n"), file("empty", ""));
        assert!(error(&source, &long).contains("long: line 2 has 4 tokens, but the model reads at most 3"));
        assert!(error(&empty, &empty).contains("empty has no lines"));
        let piped = Path::new("-");
        assert!(
            error(piped, piped).contains("(-) is read only once: give a file for all but one of the two")
        );
        let parallel = Parallel::read(&source, &source).unwrap();
        assert_eq!(parallel.encode(&tokenizer, 3).unwrap().0.len(), 3, "white space is an empty sentence");
    }
}
