//! The tokens of a prompt.

use anyhow::bail;
use m2g_text::Tokenizer;

/// The default text. Characters that the tokenizer does not know are dropped.
const SENTENCE: &str = "The pizza came out of the oven and it tasted good";

/// The token ids of a prompt, or of a short sentence without one: at most `max_tokens`, from a
/// vocabulary of size `v`.
pub fn tokens(
    prompt: Option<&str>,
    tokenizer: Option<&Tokenizer>,
    (v, max_tokens): (usize, usize),
) -> anyhow::Result<Vec<u32>> {
    let Some(text) = prompt else { return Ok(default(tokenizer, v, max_tokens)) };
    if text.is_empty() {
        bail!("--prompt is empty: give a text of at least one character");
    }
    let Some(tokenizer) = tokenizer else {
        bail!("this run has no tokenizer: leave out --prompt to read the first tokens of its vocabulary")
    };
    let ids = tokenizer.encode(text)?;
    if ids.len() > max_tokens {
        bail!(
            "--prompt has {} tokens, but the model reads at most {max_tokens} here: give a shorter one",
            ids.len()
        );
    }
    Ok(ids)
}

fn default(tokenizer: Option<&Tokenizer>, v: usize, max_tokens: usize) -> Vec<u32> {
    let encode = |text: &str| tokenizer.and_then(|t| t.encode(text).ok()).filter(|ids| !ids.is_empty());
    let known = || SENTENCE.chars().filter(|c| encode(&c.to_string()).is_some()).collect::<String>();
    let mut ids =
        encode(SENTENCE).or_else(|| encode(&known())).unwrap_or_else(|| (0..v.min(8) as u32).collect());
    ids.truncate(max_tokens);
    ids
}

/// A token in readable form or, without a tokenizer, its id.
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
