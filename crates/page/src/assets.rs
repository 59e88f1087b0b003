//! The files of the page: HTML, modules, styles, texts. The program holds them without their comments.

use bytes::Bytes;
use m2g_packed::Files;

use crate::server::reply::{Answer, Refusal, Reply};

/// The name and content of every file.
static FILES: Files = Files::new(include_bytes!(concat!(env!("OUT_DIR"), "/assets")));

/// The pictures of the notes, which the page shows with them.
static PICTURES: Files = Files::new(include_bytes!(concat!(env!("OUT_DIR"), "/pictures")));

/// In a debug build, this folder replaces the files in the program: an edit shows after a reload.
#[cfg(debug_assertions)]
const FOLDER: &str = "M2G_PAGE_ASSETS";

/// Finds the file at a path of the address.
pub fn find(path: &str) -> Answer {
    let name = path.strip_prefix('/').unwrap_or(path);
    let name = if name.is_empty() { "index.html" } else { name };
    let picture = || PICTURES.get(name).map(|svg| Bytes::from_static(svg.as_bytes()));
    let content =
        content(name).or_else(picture).ok_or_else(|| Refusal::missing("the page has no such file"))?;
    Ok(Reply::File { kind: kind(name), content })
}

#[cfg(debug_assertions)]
fn content(name: &str) -> Option<Bytes> {
    let Some(folder) = std::env::var_os(FOLDER) else { return embedded(name) };
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':']);
    if !name.split('/').all(plain) {
        return None;
    }
    std::fs::read(std::path::Path::new(&folder).join(name)).ok().map(Bytes::from)
}

#[cfg(not(debug_assertions))]
fn content(name: &str) -> Option<Bytes> {
    embedded(name)
}

fn embedded(name: &str) -> Option<Bytes> {
    FILES.get(name).map(|content| Bytes::from_static(content.as_bytes()))
}

/// The media type, by the ending of the name.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// All files together, uncompressed.
    const MOST_BYTES: usize = 150 << 10;

    #[test]
    fn the_page_is_light_and_complete() {
        let bytes: usize = FILES.iter().map(|(_, content)| content.len()).sum();
        eprintln!("{bytes} bytes");
        assert!(bytes <= MOST_BYTES);
        assert!(embedded("index.html").is_some());
        for (name, _) in FILES.iter() {
            assert_ne!(kind(name), "text/plain; charset=utf-8", "{name}");
        }
    }

    /// `palette.js` reads six hexadecimal digits.
    #[test]
    fn colours_of_pictures_have_six_digits() {
        let style = embedded("style/base.css").unwrap();
        let style = std::str::from_utf8(&style).unwrap();
        for name in ["neg", "zero", "pos", "paper", "ink"] {
            let start = format!("--{name}: #");
            let values: Vec<&str> =
                style.split(&start).skip(1).filter_map(|rest| rest.split(';').next()).collect();
            let is_good = |value: &&str| value.len() == 6 && value.chars().all(|c| c.is_ascii_hexdigit());
            assert!(values.len() >= 2 && values.iter().all(is_good), "{name}: {values:?}");
        }
    }

    #[test]
    fn a_file_is_its_source_without_comments() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        for (name, content) in FILES.iter() {
            let source = std::fs::read_to_string(source.join(name)).unwrap();
            assert_eq!(content, crate::strip::without_comments(&source), "{name}");
            // Only comments are gone, and the literal with all texts has lost nothing.
            let mut rest = content.lines().peekable();
            for line in source.lines() {
                let is_comment = ["//", "/*"].iter().any(|mark| line.trim().starts_with(mark));
                assert!(rest.next_if_eq(&line).is_some() || is_comment, "{name}: {line}");
            }
            assert_eq!(rest.next(), None, "{name}");
            if name == "strings.js" {
                assert!(source.ends_with(&content[content.find('`').unwrap()..]));
            }
        }
    }

    #[test]
    fn no_path_leaves_the_page() {
        for path in [
            "/../Cargo.toml",
            "/lib/../../src/lib.rs",
            "//etc/passwd",
            "/%2e%2e/x",
            "/.git/config",
            "/nothing",
        ] {
            assert_eq!(find(path).unwrap_err().status, 404, "{path}");
        }
    }
}
