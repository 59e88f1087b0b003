//! Parses flags: names, paths, and suggestions for misspelt words.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NameError, StrDeserializer};

/// Parses one of `names` with serde. Clap rejects any other word and suggests the nearest name.
pub fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| {
        let name: StrDeserializer<'_, NameError> = name.as_str().into_deserializer();
        T::deserialize(name)
    })
}

/// The folder of all runs.
pub const RUNS: &str = "runs";

/// The folder of a run: a bare name is a folder in `runs/`; anything else is a path.
pub fn run_path(name: &str) -> PathBuf {
    let path = Path::new(name);
    let bare = path.components().count() == 1 && !name.starts_with('.');
    if bare { Path::new(RUNS).join(path) } else { path.to_path_buf() }
}

/// The first of `runs/NAME`, `runs/NAME-2`, ... that does not exist.
pub fn new_run_path(name: &str) -> PathBuf {
    let names = std::iter::once(name.to_string()).chain((2..).map(|i| format!("{name}-{i}")));
    names.map(|n| run_path(&n)).find(|p| !p.exists()).expect("there are infinitely many names")
}

/// `path`, quoted for the shell if necessary.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The word in `known` that is most similar to `word`, if any is similar enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|k| (strsim::jaro_winkler(word, k), k));
    scored.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_names_are_folders_in_runs() {
        assert_eq!(run_path("first"), Path::new("runs/first"));
        assert_eq!(run_path("./first"), Path::new("./first"));
        assert_eq!(run_path("/tmp/x"), Path::new("/tmp/x"));
        assert_eq!(run_path(".."), Path::new(".."));
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("runs/a-1")), "runs/a-1");
        assert_eq!(quoted(Path::new("my run's")), r"'my run'\''s'");
    }

    #[test]
    fn the_nearest_word_is_found() {
        assert_eq!(nearest("ephocs", ["epochs", "lr"]), Some("epochs"));
        assert_eq!(nearest("xyzzy", ["epochs", "lr"]), None);
    }
}
