//! Continues a text until it ends: at a number of tokens, at the end-of-text token, or at a stop text.

use m2g_core::Error;
use m2g_text::Tokenizer;
use m2g_text::stop::StopTexts;

use crate::Generator;

/// When a generated text ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Until {
    /// The largest number of tokens.
    pub tokens: usize,
    /// Texts that end it, if the model has a tokenizer. They do not belong to it.
    pub stop: Vec<String>,
    /// Whether it goes on after the end-of-text token.
    pub past_end_of_text: bool,
}

/// Why a generated text ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The model said that the text ends here.
    EndOfText,
    /// This stop text came.
    Stop(String),
    /// It has reached the maximum number of tokens.
    Length,
    /// The caller interrupted it.
    Interrupted,
}

impl StopReason {
    /// Its name: `end-of-text`, `stop`, `length`, `interrupted`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::EndOfText => "end-of-text",
            Self::Stop(_) => "stop",
            Self::Length => "length",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A generated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// All tokens that were generated, with the end-of-text token or those of the stop text.
    pub tokens: Vec<u32>,
    /// The text up to where it ends. Without a tokenizer, the ids, each followed by a space.
    pub text: String,
    /// Why it ended.
    pub reason: StopReason,
}

/// Generates a text, and passes each part of it to `show` as soon as it is certain to belong to it, after
/// the text of `shown_before`, such as the prompt. `show` returns whether to go on.
///
/// # Errors
/// Those of [`Generator::next_token`] and of `show`.
pub fn continue_until<E: From<Error>>(
    generator: &mut Generator<'_>,
    tokenizer: Option<&Tokenizer>,
    until: &Until,
    shown_before: &[u32],
    show: &mut dyn FnMut(&str) -> Result<bool, E>,
) -> Result<Continuation, E> {
    let mut all = Continuation { tokens: Vec::new(), text: String::new(), reason: StopReason::Length };
    let mut decoder = tokenizer.map(Tokenizer::stream);
    let mut stops = StopTexts::new(until.stop.clone());
    let end_of_text = tokenizer.and_then(Tokenizer::end_of_text).filter(|_| !until.past_end_of_text);
    let before = shown_before.iter().map(|&id| match &mut decoder {
        Some(decoder) => decoder.push(id),
        None => format!("{id} "),
    });
    let mut go_on = show(&before.collect::<String>())?;
    while go_on && all.tokens.len() < until.tokens {
        let token = match generator.next_token() {
            Err(Error::Stopped) => {
                go_on = false;
                break;
            }
            token => token?,
        };
        all.tokens.push(token);
        if Some(token) == end_of_text {
            all.reason = StopReason::EndOfText;
            break;
        }
        let text = match &mut decoder {
            Some(decoder) => stops.push(&decoder.push(token)),
            None => format!("{token} "),
        };
        all.text += &text;
        go_on = show(&text)?;
        if let Some(stop) = stops.found() {
            all.reason = StopReason::Stop(stop.into());
            return Ok(all);
        }
    }
    if !go_on {
        all.reason = StopReason::Interrupted;
    }
    // The rest of a character that is not complete, and what was no stop text after all.
    let mut rest = decoder.map_or(String::new(), |decoder| stops.push(&decoder.finish()));
    match stops.found() {
        Some(stop) => all.reason = StopReason::Stop(stop.into()),
        None => rest += &stops.finish(),
    }
    all.text += &rest;
    show(&rest)?;
    Ok(all)
}
