//! What was said in a conversation, and its next answer.

use m2g_gpt::continuation::{StopReason, Until, continue_until};
use m2g_gpt::{GenerateOptions, Generator, Gpt};
use m2g_text::Tokenizer;

use crate::gpt::generation_flags::{GenerationFlags, tell_of_window};
use crate::interrupt::{self, Work};
use crate::output::Stream;

/// What follows a line.
pub enum Next {
    /// The next line.
    Line,
    /// The next line of a person, and the end of a script: Ctrl-C stopped the answer.
    Interrupted,
    /// The end.
    Leave,
}

/// What was said so far, and how the next answer is written.
pub struct Conversation<'a> {
    /// The model.
    pub gpt: &'a Gpt<f32>,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    flags: &'a GenerationFlags,
    /// How tokens are chosen.
    pub options: GenerateOptions,
    /// When an answer ends.
    pub until: Until,
    /// The tokens of all lines and answers, at most `block_size` of them.
    ids: Vec<u32>,
    /// The number of tokens before these, which the model does not see any more.
    dropped: usize,
    /// The number of answers since the seed was set: each has a random stream of its own.
    pub answers: u64,
    told_of_window: bool,
}

impl<'a> Conversation<'a> {
    /// An empty conversation.
    pub fn new(
        gpt: &'a Gpt<f32>,
        tokenizer: &'a Tokenizer,
        flags: &'a GenerationFlags,
        options: GenerateOptions,
        until: Until,
    ) -> Self {
        let (ids, dropped) = (Vec::new(), 0);
        Self { gpt, tokenizer, flags, options, until, ids, dropped, answers: 0, told_of_window: false }
    }

    /// Forgets all that was said.
    pub fn reset(&mut self) {
        self.ids.clear();
        self.dropped = 0;
    }

    /// Continues all that was said, and this line. An empty line adds nothing to it. With `echo`, prints the
    /// line before its continuation.
    pub fn answer(&mut self, line: &str, echo: bool) -> anyhow::Result<Next> {
        let mut ids = self.ids.clone();
        if !line.is_empty() {
            ids.extend(self.encode(line)?);
        }
        if ids.is_empty() {
            ids = self.tokenizer.start_of_text();
        }
        let window = self.gpt.config().block_size;
        let said = self.dropped + ids.len();
        if said > window && !self.told_of_window {
            tell_of_window("the conversation", said, window);
            self.told_of_window = true;
        }
        let generator = Generator::new(self.gpt, &self.options, &ids, self.answers)?;
        let mut generator = generator.only_tokens_of(Some(self.tokenizer));
        generator.stop_when(interrupt::requested);
        let mut out = Stream::open();
        if echo {
            out.write(line)?;
        }
        let work = Work::orderly();
        let answer = continue_until(&mut generator, Some(self.tokenizer), &self.until, &[], &mut |text| {
            out.write(text)?;
            out.flush()?;
            anyhow::Ok(!interrupt::requested())
        });
        drop(work);
        let answer = answer?;
        out.write("\n")?;
        out.flush()?;
        self.answers += 1;
        // Of a stop text, nothing was shown, so nothing belongs to the conversation.
        match &answer.reason {
            StopReason::Stop(_) => ids.extend(shown(self.tokenizer, &answer.tokens, &answer.text)),
            _ => ids.extend(&answer.tokens),
        }
        let beyond = ids.len().saturating_sub(window);
        ids.drain(..beyond);
        self.dropped += beyond;
        self.ids = ids;
        Ok(if answer.reason == StopReason::Interrupted { Next::Interrupted } else { Next::Line })
    }

    /// The tokens of a line, which begins on a new line unless a text begins with it.
    fn encode(&self, line: &str) -> anyhow::Result<Vec<u32>> {
        let last = self.ids.last().copied();
        let begins = last.is_none_or(|id| {
            Some(id) == self.tokenizer.end_of_text() || self.tokenizer.decode(&[id]).ends_with('\n')
        });
        if !begins && let Ok(mut newline) = self.tokenizer.encode("\n") {
            newline.extend(self.flags.encode(self.tokenizer, line)?);
            return Ok(newline);
        }
        self.flags.encode(self.tokenizer, line)
    }
}

/// The tokens of `text`, the part of an answer that was shown. `tokens` are those of the whole answer: as many as the
/// text holds are kept, and the rest of the text is encoded again.
fn shown(tokenizer: &Tokenizer, tokens: &[u32], text: &str) -> Vec<u32> {
    let lies_in_it = |n: &usize| text.starts_with(&tokenizer.decode(&tokens[..*n]));
    let mut shown = tokens[..(0..=tokens.len()).rev().find(lies_in_it).unwrap_or(0)].to_vec();
    let rest = &text[tokenizer.decode(&shown).len()..];
    // A tokenizer of words may have no token for a part of one.
    shown.extend(tokenizer.encode(rest).unwrap_or_default());
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_text::tokenizer::SpecialToken;

    use super::*;

    #[test]
    fn what_was_shown_keeps_its_tokens() {
        let words = Tokenizer::word("The cat saw the end. The end").unwrap();
        let the = words.encode("The").unwrap();
        // Two words side by side are no word of the vocabulary.
        let said = [&the[..], &the, &words.encode(".").unwrap()].concat();
        assert!(words.encode("TheThe").is_err());
        assert_eq!(shown(&words, &said, "TheThe"), said[..2]);
        assert_eq!(shown(&words, &said, "TheTh"), the);
        let chars = Tokenizer::char("abc").with_special_tokens(&[SpecialToken::EndOfText]).unwrap();
        let said =
            [&chars.encode("a").unwrap()[..], &[chars.end_of_text().unwrap()], &chars.encode("bc").unwrap()];
        let said = said.concat();
        let text = chars.decode(&said[..3]);
        assert_eq!(shown(&chars, &said, &text), said[..3]);
        // The stop text began within a token.
        let gpt2 = Tokenizer::gpt2();
        let said = gpt2.encode("one two").unwrap();
        assert_eq!(shown(&gpt2, &said, "one t"), gpt2.encode("one t").unwrap());
    }
}
