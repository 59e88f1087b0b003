//! What can be wrong with a tokenizer, or with a text for one.

/// An error of a tokenizer, which says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// There is no tokenizer of that name.
    #[error("--tokenizer is {0}: it must be char, byte, gpt2 or bpe:N, N being 256 to 1048576 tokens in all")]
    Kind(String),
    /// A text has characters without a token.
    #[error(
        "the tokenizer has no token for {}: it knows the {known} characters of the text that it was made \
         for; leave them out, or train with the tokenizer byte, gpt2 or bpe:N, which know every character",
        list(characters)
    )]
    Unknown {
        /// The characters, in the order in which they first come.
        characters: Vec<char>,
        /// How many characters the tokenizer knows.
        known: usize,
    },
    /// A saved tokenizer contradicts itself.
    #[error("the tokenizer is damaged: {0}")]
    Damaged(String),
}

/// Up to ten characters as a person can read them.
fn list(characters: &[char]) -> String {
    let shown: Vec<String> = characters.iter().take(10).map(|c| format!("'{}'", c.escape_debug())).collect();
    match characters.len().saturating_sub(10) {
        0 => shown.join(", "),
        more => format!("{} and {more} more characters", shown.join(", ")),
    }
}
