//! The project's own notes and sources: a text that is always here.

use super::source::Source;

/// The name by which it is asked for.
pub(crate) const NAME: &str = "own-text";

/// Each file's name and content: README, notes, sources, as they were when this
/// program was built.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/own_text.rs"));

/// All files, one after the other, each after a line with its name. Tests are left
/// out: they follow at the end of a source, or stand in files of their own.
pub(crate) fn source() -> Source {
    let mut text = String::new();
    for (name, content) in FILES.iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
        let content = content.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        text.push_str("==== ");
        text.push_str(name);
        text.push_str(" ====\n");
        text.push_str(content.trim_end());
        text.push_str("\n\n");
    }
    Source::text(NAME, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn it_is_the_readme_the_notes_and_the_sources_in_order() {
        let mut text = String::new();
        source()
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
