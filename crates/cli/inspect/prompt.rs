//! The tokens of a prompt.

use anyhow::bail;
use m2g_gpt::inspect::default_tokens;
use m2g_text::Tokenizer;

/// The token ids of a prompt, or of a short sentence without one: at most `max_tokens`, from a
/// vocabulary of size `v`.
pub fn tokens(
    prompt: Option<&str>,
    tokenizer: Option<&Tokenizer>,
    (v, max_tokens): (usize, usize),
) -> anyhow::Result<Vec<u32>> {
    let Some(text) = prompt else { return Ok(default_tokens(tokenizer, v, max_tokens)) };
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
