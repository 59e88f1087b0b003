//! The project's own notes and sources: a text that needs no file.

use m2g_packed::Files;
use m2g_text::Source;

/// The name of this text. It is part of the program, and changes with it.
pub const NAME: &str = "own-sources";
/// The name that it had in older runs.
pub const OLD_NAME: &str = "own-text";

/// The name and content of each file that this program was built from: README, notes, sources.
pub static FILES: Files = Files::new(include_bytes!(concat!(env!("OUT_DIR"), "/own_text")));

/// All files, one after the other, each under a line with its name. Tests are dropped: their modules
/// are at the end of a source file, and files of tests end in `tests.rs`.
pub(super) fn source(name: &str) -> Source {
    let mut text = String::new();
    for (name, content) in FILES.iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
        let content = content.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        text.push_str("==== ");
        text.push_str(name);
        text.push_str(" ====\n");
        text.push_str(content.trim_end());
        text.push_str("\n\n");
    }
    Source::text(name, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn the_text_is_the_readme_the_notes_and_the_sources_in_order() {
        let mut text = String::new();
        source(NAME)
            .read(&mut |_| true, &mut |t| {
                text.push_str(t);
                Ok(())
            })
            .unwrap();
        let names: Vec<&Path> = text
            .lines()
            .filter_map(|line| line.strip_prefix("==== ")?.strip_suffix(" ====").map(Path::new))
            .collect();
        assert_eq!(names[0], Path::new("README.md"));
        assert!(names[1].starts_with("notebooks-notes"), "{}", names[1].display());
        let sources = &names[names.iter().position(|name| name.starts_with("crates")).unwrap()..];
        assert!(sources.is_sorted() && sources.contains(&Path::new("crates/core/src/tape.rs")));
        assert!(text.len() > 100_000 && !text.contains("\n#[cfg(test)]\nmod"));
    }
}
