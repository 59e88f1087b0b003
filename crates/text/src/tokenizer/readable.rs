//! Tokens as people read them.

use super::vocabulary::Tokenizer;

/// A token in readable form: control characters are escaped, and so are bytes that are no text. Without a
/// tokenizer, its id.
pub fn readable(id: u32, tokenizer: Option<&Tokenizer>) -> String {
    let Some(bytes) = tokenizer.and_then(|t| t.token(id)) else { return id.to_string() };
    match std::str::from_utf8(&bytes) {
        Ok(text) => text
            .chars()
            .map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() })
            .collect(),
        Err(_) => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_visible() {
        let gpt2 = Tokenizer::gpt2();
        assert_eq!(readable(198, Some(&gpt2)), "\\n");
        assert_eq!(readable(11, Some(&gpt2)), ",");
        assert_eq!(readable(11, None), "11");
    }
}
