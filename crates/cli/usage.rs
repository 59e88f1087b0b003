//! What the parser says of a command line, in our words: why it is invalid, or the help or the version that it asks
//! for.

use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use m2g_core::error::nearest;
use m2g_core::train::run_folder::LAST;

use crate::errors::{self, readable};
use crate::flags::{quoted, run_path};
use crate::models::{named, names};
use crate::output;
use crate::terminal::lines::listed;
use crate::terminal::notes;
use crate::terminal::program::with_program;

/// Prints why the command line is invalid, or the help or the version that it asks for. Returns the exit code.
pub fn print(error: &clap::Error, command: &Command) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if notes::is_silent() {
        return code;
    }
    if !error.use_stderr() {
        return match error.print().map_err(output::failed) {
            Err(error) if !output::is_broken_pipe(&error) => {
                errors::print(&error);
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        };
    }
    let typed: Vec<_> = std::env::args_os().skip(1).collect();
    if error.kind() == ErrorKind::InvalidUtf8
        && let Some(argument) = typed.iter().find(|argument| argument.to_str().is_none())
    {
        let argument = argument.display();
        errors::print(&format!(
            "the argument {argument} is not UTF-8: give another name, or rename the file"
        ));
        return code;
    }
    let typed: Vec<_> = typed.iter().map(|argument| argument.to_string_lossy()).collect();
    let typed: Vec<&str> = typed.iter().map(|argument| &**argument).collect();
    if let Some(advice) = advice_on_models(error, &typed, command) {
        errors::print(&with_program(&advice));
        return code;
    }
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let tip = tip_on_data(error, &typed);
    let in_our_words = |message: &str| in_plain_words(&with_tip(message, tip.as_deref()));
    let plain = error.render().to_string();
    let text = readable(&in_our_words(&plain));
    if is_help || text == plain {
        // With the colours of the terminal; if it is closed, nobody reads it.
        let _ = error.print();
    } else if readable(&plain) == plain && notes::has_colours(&std::io::stderr()) {
        notes::part(in_our_words(&error.render().ansi().to_string()));
    } else {
        notes::part(text);
    }
    code
}

/// What to type for a command of the models that was typed without a model, such as `m2g train`.
fn advice_on_models(error: &clap::Error, typed: &[&str], command: &Command) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    if typed.first() != Some(&&**word) {
        return None;
    }
    let models: Vec<&Command> = names().filter_map(|model| command.find_subcommand(model)).collect();
    let of_models = models.iter().flat_map(|model| model.get_subcommands()).map(Command::get_name);
    let of_program = command.get_subcommands().map(Command::get_name);
    let meant = nearest(word, of_models.chain(of_program))?;
    let found = models.iter().filter(|model| model.find_subcommand(meant).is_some());
    let commands: Vec<String> = found.map(|model| format!("`m2g {} {meant}`", model.get_name())).collect();
    let is_of_models = !commands.is_empty();
    is_of_models.then(|| format!("{meant} needs a model before it: give {}", listed(&commands, "or")))
}

/// The flag for data or a run that were typed without one, as in `m2g gpt train book.txt`.
fn tip_on_data(error: &clap::Error, typed: &[&str]) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    let [model, "train", ..] = typed else { return None };
    if error.kind() != ErrorKind::UnknownArgument || word.starts_with('-') || named(model).is_none() {
        return None;
    }
    let word_in_shell = quoted(Path::new(word));
    Some(match run_path(word).join(LAST).is_file() {
        true => format!("to go on with this run, use --resume {word_in_shell}"),
        false => format!("to train on it, use --data {word_in_shell}"),
    })
}

/// The message with a tip where the parser gives its own: below the first line.
fn with_tip(message: &str, tip: Option<&str>) -> String {
    match tip {
        Some(tip) => message.replacen("\n\n", &format!("\n\n  tip: {tip}\n\n"), 1),
        None => message.into(),
    }
}

/// The parser's message with our words for what Rust's own parsers of numbers say.
fn in_plain_words(message: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("invalid digit found in string", "it must be a whole number, 0 or above"),
        ("cannot parse integer from empty string", "it must be a whole number, 0 or above"),
        ("number too large to fit in target type", "it is too large"),
        ("invalid float literal", "it must be a number"),
        ("cannot parse float from empty string", "it must be a number"),
    ];
    let message = range_in_words(message).unwrap_or_else(|| message.into());
    WORDS.iter().fold(message, |message, (theirs, ours)| message.replace(theirs, ours))
}

/// The message with `it must be from 1 to 1024` for `0 is not in 1..=1024`; `None` if it names no range.
fn range_in_words(message: &str) -> Option<String> {
    let (before, after) = message.split_once(" is not in ")?;
    let (before, value) = before.rsplit_once(": ")?;
    let (range, after) = after.split_at(after.find('\n').unwrap_or(after.len()));
    let (low, high) = range.split_once("..")?;
    let number = |text: &str| text.parse::<i128>().ok();
    number(value).and(number(low))?;
    let rule = match high.strip_prefix('=') {
        Some(high) => format!("it must be from {low} to {high}"),
        // The end is that of all numbers of the type.
        None => format!("it must be at least {low}"),
    };
    Some(format!("{before}: {rule}{after}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;

    /// What is printed for these words after the name of the program.
    fn said(words: &[&str]) -> String {
        let command = crate::Cli::command();
        let error = command.clone().try_get_matches_from([&["m2g"], words].concat()).unwrap_err();
        advice_on_models(&error, words, &command).unwrap_or_else(|| {
            let tip = tip_on_data(&error, words);
            in_plain_words(&with_tip(&error.render().to_string(), tip.as_deref()))
        })
    }

    #[test]
    fn a_command_of_a_model_without_the_model_gets_one() {
        let all =
            " needs a model before it: give `m2g digits train`, `m2g gpt train` or `m2g translate train`";
        assert_eq!(said(&["train"]), format!("train{all}"));
        assert_eq!(said(&["trian", "--epochs", "3"]), format!("train{all}"));
        assert_eq!(said(&["sample", "own"]), "sample needs a model before it: give `m2g gpt sample`");
        // Commands without a model, and slips behind one, are the parser's.
        for words in [&["inspekt"][..], &["gpt", "trian"], &["xyzzy"]] {
            assert!(said(words).starts_with("error: unrecognized subcommand"), "{words:?}");
        }
    }

    #[test]
    fn data_without_its_flag_gets_one() {
        let book = said(&["gpt", "train", "my book.txt"]);
        assert!(book.contains("found\n\n  tip: to train on it, use --data 'my book.txt'\n\nUsage"), "{book}");
        for words in
            [&["gpt", "train", "--bok"][..], &["gpt", "sample", "a", "b"], &["lab", "score", "train"]]
        {
            assert!(!said(words).contains("--data"), "{words:?}");
        }
    }

    #[test]
    fn ranges_are_said_in_words() {
        for (words, rule) in [
            (&["lab", "score", "--steps", "0"], "'--steps <N>': it must be at least 1\n"),
            (&["lab", "score", "--threads", "0"], "'--threads <N>': it must be from 1 to 1024\n"),
            (&["lab", "score", "--steps", "x"], "it must be a whole number, 0 or above"),
        ] {
            assert!(said(words).contains(rule), "{}", said(words));
        }
        assert_eq!(in_plain_words("a is not in b"), "a is not in b");
    }
}
