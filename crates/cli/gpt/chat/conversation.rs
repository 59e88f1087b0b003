//! What was said in a conversation, and its next answer.

use m2g_gpt::continuation::{StopReason, Until, beginning, continue_until};
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
    pub ids: Vec<u32>,
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
        Self { gpt, tokenizer, flags, options, until, ids: Vec::new(), answers: 0, told_of_window: false }
    }

    /// Continues all that was said, and this line. An empty line adds nothing to it. With `echo`, prints the
    /// line before its continuation.
    pub fn answer(&mut self, line: &str, echo: bool) -> anyhow::Result<Next> {
        let mut ids = self.ids.clone();
        if !line.is_empty() {
            ids.extend(self.encode(line)?);
        }
        if ids.is_empty() {
            ids = beginning(Some(self.tokenizer));
        }
        let window = self.gpt.config().block_size;
        if ids.len() > window && !self.told_of_window {
            tell_of_window("the conversation", ids.len(), window);
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
            StopReason::Stop(_) => ids.extend(self.tokenizer.encode(&answer.text)?),
            _ => ids.extend(&answer.tokens),
        }
        ids.drain(..ids.len().saturating_sub(window));
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
