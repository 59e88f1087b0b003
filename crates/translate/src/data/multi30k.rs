//! Multi30k: captions of pictures in German, English and French (Elliott et al. 2016, 2017).

use std::path::PathBuf;

use m2g_core::data::catalogue;
use m2g_text::TextError;

use super::text::{TextPair, TextSplits, read_two_files};

/// The name of the dataset. That of a pair of its languages is `multi30k-de-en`.
pub(super) const NAME: &str = "multi30k";

const LANGUAGES: [&str; 3] = ["de", "en", "fr"];

/// The names of all pairs of languages.
pub(super) fn names() -> impl Iterator<Item = String> {
    let of = |from| LANGUAGES.map(|to| (from, to));
    let pairs = LANGUAGES.into_iter().flat_map(of).filter(|(from, to)| from != to);
    pairs.map(|(from, to)| format!("{NAME}-{from}-{to}"))
}

/// The languages in the name of a pair; `None` if it is no such name.
pub(super) fn languages(name: &str) -> Option<(&str, &str)> {
    let (from, to) = name.strip_prefix(NAME)?.strip_prefix('-')?.split_once('-')?;
    let known = |language| LANGUAGES.contains(&language);
    (known(from) && known(to) && from != to).then_some((from, to))
}

/// The splits of a pair of languages, with the captions of 2016 as test; `None` if the name is no such pair.
///
/// # Errors
/// [`TextError`] if the dataset is not on this machine, or a file is damaged.
pub(super) fn splits(name: &str) -> Option<Result<TextSplits, TextError>> {
    languages(name).map(|(from, to)| read(name, from, to))
}

fn read(name: &str, from: &str, to: &str) -> Result<TextSplits, TextError> {
    let (dataset, folder) = (catalogue::named(NAME)?, catalogue::find(NAME, None)?);
    let mut reports = Vec::new();
    let mut split = |split: &str| -> Result<Vec<TextPair>, TextError> {
        let files = [from, to].map(|language| -> Result<PathBuf, TextError> {
            let wanted = format!("{split}.{language}.gz");
            let file = dataset.files.iter().find(|file| file.name == wanted);
            let found = file.and_then(|file| Some((file, catalogue::local(&folder, file)?)));
            let (file, path) = found.ok_or(m2g_core::data::DataError::NotHere { name: NAME })?;
            catalogue::check(&path, file)?;
            Ok(path)
        });
        let [source, target] = files;
        let (pairs, more) = read_two_files(&source?, &target?)?;
        reports.extend(more);
        Ok(pairs)
    };
    let (train, val) = (split("train")?, split("val")?);
    let tests = vec![("test2016".to_string(), split("test_2016_flickr")?)];
    Ok(TextSplits { name: name.into(), train, val, tests, reports })
}

#[cfg(test)]
mod tests {
    use super::splits;

    #[test]
    fn only_pairs_of_its_languages_are_taken() {
        for name in ["multi30k", "multi30k-de", "multi30k-de-de", "multi30k-de-es", "multi30kde-en", "copy"] {
            assert!(splits(name).is_none(), "{name}");
        }
    }
}
