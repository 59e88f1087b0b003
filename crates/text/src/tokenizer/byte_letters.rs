//! One visible character for each byte, with which GPT-2 and Hugging Face write the tokens of
//! byte-level vocabularies in text files (Radford et al. 2019, `bytes_to_unicode`): the byte's Latin-1
//! character if that is visible, otherwise the next character from U+0100 on. A space is `Ġ`, a line
//! end `Ċ`.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// The character of each byte.
static LETTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match char::from(byte as u8) {
        c @ ('!'..='~' | '¡'..='¬' | '®'..='ÿ') => c,
        c => others.next().unwrap_or(c),
    })
});

/// The byte of each character.
static BYTES: LazyLock<FxHashMap<char, u8>> =
    LazyLock::new(|| LETTERS.iter().copied().zip(0..=255).collect());

/// The bytes of a token as visible characters.
pub fn spell(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| LETTERS[usize::from(byte)]).collect()
}

/// The bytes that are spelled so; `None` if a character stands for no byte.
pub fn unspell(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| BYTES.get(&c).copied()).collect()
}

/// All bytes in the order of their characters, which is the order of GPT-2's first 256 tokens.
pub(super) fn in_order() -> impl Iterator<Item = u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.sort_by_key(|&byte| LETTERS[usize::from(byte)]);
    bytes.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spelled_as_in_gpt2() {
        assert_eq!(spell(b" the\n"), "ĠtheĊ");
        assert_eq!(spell("é\u{7f}".as_bytes()), "Ã©ġ");
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unspell(&spell(&all)), Some(all));
        assert_eq!(unspell("a b"), None, "a space is spelled Ġ");
    }
}
