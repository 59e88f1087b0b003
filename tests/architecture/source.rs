//! Reads source files as text and splits their code into tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The source tree in memory, by path relative to the repository, with `/`. A clone shares the files
/// and their tokens.
pub type Tree = BTreeMap<String, Arc<File>>;

/// A file, tokenised at most once.
pub struct File {
    pub text: String,
    code: OnceLock<Code>,
}

impl File {
    pub fn new(text: String) -> Arc<Self> {
        Arc::new(Self { text, code: OnceLock::new() })
    }

    /// The tokens of a Rust file.
    pub fn code(&self) -> &Code {
        self.code.get_or_init(|| Code::of(&self.text))
    }
}

/// Reads every Rust source and every manifest of the repository.
pub fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    tree.insert("Cargo.toml".into(), File::new(manifest));
    for folder in ["crates", "tests", "benches"] {
        read_folder(root, folder, &mut tree);
    }
    tree
}

fn read_folder(root: &Path, folder: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            read_folder(root, &path, tree);
        } else if name.ends_with(".rs") || name == "Cargo.toml" {
            let text = std::fs::read_to_string(root.join(&path)).unwrap();
            tree.insert(path, File::new(text));
        }
    }
}

/// A token and its line, counted from 1.
pub type Token = (usize, String);

/// The tokens of a Rust file that the rules check.
pub struct Code {
    /// The tokens without comments, literals and test code.
    pub tokens: Vec<Token>,
    /// The same tokens, with the words in string literals.
    pub with_strings: Vec<Token>,
    /// The modules declared as test code: `#[cfg(test)] mod NAME;`.
    pub test_modules: Vec<String>,
}

impl Code {
    pub fn of(text: &str) -> Self {
        // Blank out bytes instead of removing them, to keep the line numbers.
        let kinds = kinds(text.as_bytes());
        let blank = |keep_strings: bool| -> Vec<u8> {
            let keep = |kind: Kind| kind == Kind::Code || (kind == Kind::String && keep_strings);
            text.bytes()
                .zip(&kinds)
                .map(|(b, &kind)| if b == b'\n' || keep(kind) { b } else { b' ' })
                .collect()
        };
        let (mut code, mut with_strings) = (blank(false), blank(true));
        let mut test_modules = Vec::new();
        for (start, end) in test_items(&code) {
            let words = tokens(std::str::from_utf8(&code[start..end]).unwrap());
            if let [.., (_, keyword), (_, name), (_, end)] = &words[..]
                && keyword == "mod"
                && end == ";"
            {
                test_modules.push(name.clone());
            }
            for text in [&mut code, &mut with_strings] {
                text[start..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
            }
        }
        let [tokens, with_strings] =
            [code, with_strings].map(|text| tokens(&String::from_utf8(text).unwrap()));
        Self { tokens, with_strings, test_modules }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    String,
}

/// The kind of each byte. Character literals count as strings, lifetimes as code.
fn kinds(text: &[u8]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Code; text.len()];
    let mut i = 0;
    while i < text.len() {
        let rest = &text[i..];
        let in_word = i > 0 && (text[i - 1].is_ascii_alphanumeric() || text[i - 1] == b'_');
        let (kind, length) = if rest.starts_with(b"//") {
            (Kind::Comment, rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()))
        } else if rest.starts_with(b"/*") {
            (Kind::Comment, block_comment(rest))
        } else if let Some(length) = string(rest, in_word) {
            (Kind::String, length)
        } else {
            (Kind::Code, 1)
        };
        let end = (i + length).min(text.len());
        kinds[i..end].fill(kind);
        i = end;
    }
    kinds
}

/// The length of the block comment that begins here. Block comments nest.
fn block_comment(text: &[u8]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < text.len() {
        match &text[i..] {
            [b'/', b'*', ..] => (depth, i) = (depth + 1, i + 2),
            [b'*', b'/', ..] => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    text.len()
}

/// The length of the string or character literal that begins here, if any.
fn string(text: &[u8], in_word: bool) -> Option<usize> {
    let until = |from: usize, quote: u8| {
        let mut i = from;
        while i < text.len() && text[i] != quote {
            i += if text[i] == b'\\' { 2 } else { 1 };
        }
        i + 1
    };
    if text[0] == b'"' {
        return Some(until(1, b'"'));
    }
    if text[0] == b'\'' {
        let width = match *text.get(1)? {
            b'\\' => return Some(until(1, b'\'')),
            b if b < 0x80 => 1,
            b if b < 0xe0 => 2,
            b if b < 0xf0 => 3,
            _ => 4,
        };
        return (text.get(1 + width) == Some(&b'\'')).then_some(width + 2);
    }
    // r"...", r#"..."#, br"..."; the b of a plain byte string stays code.
    let prefix = [&b"br"[..], b"r"].into_iter().find(|p| text.starts_with(p) && !in_word)?.len();
    let hashes = text[prefix..].iter().take_while(|&&b| b == b'#').count();
    if text.get(prefix + hashes) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let body = prefix + hashes + 1;
    let length = text[body..].windows(close.len()).position(|w| w == close)?;
    Some(body + length + close.len())
}

/// The start and end of each item marked `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn test_items(code: &[u8]) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut i = 0;
    while i < code.len() {
        if !code[i..].starts_with(b"#[cfg(test") && !code[i..].starts_with(b"#[cfg(all(test") {
            i += 1;
            continue;
        }
        // The item ends with the first `;`, or closing `}`, outside all brackets.
        let (mut brackets, mut braces, mut end) = (0, 0, i);
        while end < code.len() {
            match code[end] {
                b'(' | b'[' => brackets += 1,
                b')' | b']' => brackets -= 1,
                b'{' => braces += 1,
                b'}' => braces -= 1,
                _ => {}
            }
            let last = code[end];
            end += 1;
            if brackets == 0 && braces == 0 && (last == b';' || last == b'}') {
                break;
            }
        }
        items.push((i, end));
        i = end;
    }
    items
}

/// Splits code into words, `::`, and single other characters.
pub fn tokens(code: &str) -> Vec<Token> {
    let (bytes, mut line, mut i) = (code.as_bytes(), 1, 0);
    let mut tokens = Vec::new();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    while i < bytes.len() {
        let start = i;
        match bytes[i] {
            b'\n' => line += 1,
            b if b.is_ascii_whitespace() => {}
            b':' if bytes.get(i + 1) == Some(&b':') => i += 1,
            b if word(b) => i += bytes[i..].iter().take_while(|&&b| word(b)).count() - 1,
            _ => {}
        }
        i += 1;
        if !bytes[start].is_ascii_whitespace() {
            tokens.push((line, code[start..i].to_string()));
        }
    }
    tokens
}

/// Whether a token is a word.
pub fn is_word(token: &str) -> bool {
    token.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80)
}

/// A manifest's dependencies of every kind, with their lines.
pub fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let (mut inside, mut found) = (false, Vec::new());
    for (i, line) in manifest.lines().enumerate() {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.trim_end_matches(']');
            // The workspace table only lists versions.
            inside = header.ends_with("dependencies") && !header.starts_with("workspace");
            if let Some((_, name)) = header.split_once("dependencies.") {
                found.push((i + 1, name));
            }
        } else if inside {
            let name: &str = line.split(['.', '=', ' ']).next().unwrap();
            if !name.is_empty() && !name.starts_with('#') {
                found.push((i + 1, name));
            }
        }
    }
    found
}
