//! The commands of a conversation: lines that start with a slash.

use anyhow::{anyhow, bail};
use m2g_core::error::nearest;
use m2g_core::settings::SettingValue;
use m2g_gpt::Generator;

use super::conversation::{Conversation, Next};
use crate::gpt::generation_flags::{at_least_one, stop_text};
use crate::output;

/// Each command with its values and what it does.
const COMMANDS: [(&str, &str, &str); 10] = [
    ("help", "", "list the commands"),
    ("temperature", "X", "below 1 favours likely tokens, above 1 flattens the choice"),
    ("top-k", "N|off", "sample from the N most likely tokens"),
    ("top-p", "X|off", "sample from the likeliest tokens of total probability X"),
    ("greedy", "on|off", "always take the most likely token"),
    ("tokens", "N", "the largest number of tokens of an answer"),
    ("stop", "[TEXT]", "stop before this text too; alone, forget all stop texts"),
    ("seed", "N", "start again with the random numbers of this seed"),
    ("reset", "", "forget all that was said"),
    ("quit", "", "leave, as Ctrl-D does"),
];

impl Conversation<'_> {
    /// Takes a line: a command, or text to continue. A line that starts with two slashes is text that
    /// starts with one. With `echo`, prints the text before its continuation.
    pub fn take(&mut self, line: &str, echo: bool) -> anyhow::Result<Next> {
        match line.strip_prefix('/') {
            Some(text) if text.starts_with('/') => self.answer(text, echo),
            Some(command) => self.command(command),
            None => self.answer(line, echo),
        }
    }

    /// Runs a command, given without its slash.
    fn command(&mut self, line: &str) -> anyhow::Result<Next> {
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut options = self.options;
        let sampling = &mut options.sampling;
        let trimmed = value.trim();
        match name {
            "help" | "?" => help()?,
            "quit" | "exit" | "bye" => return Ok(Next::Leave),
            "reset" => self.reset(),
            "temperature" => sampling.temperature = number(name, trimmed)?,
            "top-k" => sampling.top_k = number_or_off(name, trimmed)?,
            "top-p" => sampling.top_p = number_or_off(name, trimmed)?,
            "greedy" => {
                sampling.greedy = match trimmed {
                    "on" | "" => true,
                    "off" => false,
                    other => bail!("/greedy is {other}: it must be on or off"),
                }
            }
            "tokens" => {
                self.until.tokens =
                    at_least_one(trimmed).map_err(|why| anyhow!("/{name} is {trimmed}: {why}"))?
            }
            "stop" if value.is_empty() => self.until.stop.clear(),
            "stop" => self.until.stop.push(stop_text(value).map_err(|why| anyhow!("/stop: {why}"))?),
            "seed" => {
                options.seed = number(name, trimmed)?;
                self.answers = 0;
            }
            other => {
                let near = nearest(other, COMMANDS.map(|(name, ..)| name));
                let near = near.map_or(String::new(), |near| format!("did you mean /{near}? "));
                bail!(
                    "there is no command /{other}: {near}/help lists them, and // starts a text with a slash"
                )
            }
        }
        // Checks the new settings, which stay as they were if one is invalid.
        Generator::new(self.gpt, &options, &self.tokenizer.start_of_text(), 0)
            .map_err(|error| anyhow!(in_commands(&error.to_string())))?;
        self.options = options;
        Ok(Next::Line)
    }
}

fn help() -> anyhow::Result<()> {
    for (name, values, what) in COMMANDS {
        output::line(format!("  {:<18} {what}", format!("/{name} {values}")))?;
    }
    output::line("  an empty line      continue the last answer")?;
    output::line("  //...              a text that starts with a slash")
}

/// Why a setting is invalid, in the words of a conversation: `/top-k is 0`.
fn in_commands(why: &str) -> String {
    let why = why.replace("set greedy", "type `/greedy on`");
    let setting = why.split_once(' ').map(|(name, rest)| (name.replace('_', "-"), rest));
    match setting {
        Some((name, rest)) if COMMANDS.iter().any(|(known, ..)| *known == name) => format!("/{name} {rest}"),
        _ => why,
    }
}

fn number<T: SettingValue>(name: &str, text: &str) -> anyhow::Result<T> {
    match T::from_text(text) {
        Ok(number) => Ok(number),
        Err(_) if text.is_empty() => bail!("/{name} needs a number"),
        Err(rule) => bail!("/{name} is {text}: {rule}"),
    }
}

fn number_or_off<T: SettingValue>(name: &str, text: &str) -> anyhow::Result<Option<T>> {
    match text {
        "off" => Ok(None),
        text => number(name, text).map(Some),
    }
}
