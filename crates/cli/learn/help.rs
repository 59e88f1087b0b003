//! The help of `m2g learn` in Spanish. The texts are in `notebooks-notes/exercises/texts/es.toml`, by their
//! English.

use std::collections::BTreeMap;

use clap::builder::{Resettable, StyledStr};
use clap::{Arg, ArgAction, Command};
use m2g_learn::texts::Language;

use super::of_environment;

/// English texts, and what they are in Spanish.
type Translations = BTreeMap<String, String>;

/// The command line, in which `learn` explains itself in the learner's language: that of `--lang` in these
/// arguments, or else that of the environment.
pub fn translate(command: Command, arguments: &[String]) -> Command {
    let flag = arguments.iter().position(|argument| argument == "--lang");
    let named = match flag {
        Some(i) => arguments.get(i + 1).map(String::as_str),
        None => arguments.iter().find_map(|argument| argument.strip_prefix("--lang=")),
    };
    let language = named.map_or_else(of_environment, Language::of_locale);
    if arguments.first().is_none_or(|first| first != "learn") || language == Language::English {
        return command;
    }
    command.mut_subcommand("learn", |learn| spanish(learn, &language.texts().help))
}

/// A command and its subcommands in Spanish. What is missing in the texts stays English.
fn spanish(command: Command, texts: &Translations) -> Command {
    let say = |english: &str| texts.get(english).map_or(english, String::as_str).to_string();
    let styled = |english: Option<&StyledStr>| -> Resettable<StyledStr> {
        english.map(|english| StyledStr::from(say(&english.to_string()))).into()
    };
    let about = styled(command.get_about());
    let long_about = styled(command.get_long_about());
    let examples = Resettable::from(command.get_after_help().map(|text| examples(&text.to_string(), texts)));
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let help = help.help(say("Print help"));
    let command = command.disable_help_flag(true).arg(help).mut_args(|arg| {
        let heading = match (arg.get_help_heading(), arg.is_positional()) {
            (Some(heading), _) => say(heading),
            (None, true) => say("Arguments"),
            (None, false) => say("Options"),
        };
        let help = styled(arg.get_help());
        let long_help = styled(arg.get_long_help());
        let arg = arg.help_heading(heading);
        let arg = match arg.get_action().takes_values() {
            // The texts say the defaults and the values.
            true => {
                let names: Vec<String> =
                    arg.get_value_names().unwrap_or_default().iter().map(|name| say(name)).collect();
                arg.value_names(names).hide_possible_values(true).hide_default_value(true)
            }
            false => arg,
        };
        arg.help(help).long_help(long_help)
    });
    command
        .about(about)
        .long_about(long_about)
        .after_help(examples)
        .subcommand_help_heading(say("Commands"))
        .subcommand_value_name(say("COMMAND"))
        .help_template("{about-with-newline}\nUso: {usage}\n\n{all-args}{after-help}")
        .mut_subcommands(|subcommand| spanish(subcommand, texts))
}

/// The examples at the end: a line that says what each does, and its command.
fn examples(english: &str, texts: &Translations) -> StyledStr {
    let line = |line: &str| {
        let (mark, text) = line.strip_prefix("  # ").map_or(("", line), |text| ("  # ", text));
        format!("{mark}{}\n", texts.get(text).map_or(text, String::as_str))
    };
    StyledStr::from(english.lines().map(line).collect::<String>().trim_end().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;
    use crate::help::complete;

    fn learn(arguments: &[&str]) -> Command {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let command = translate(complete(crate::Cli::command(), "m2g", 80), &arguments);
        command.find_subcommand("learn").unwrap().clone()
    }

    /// What a command and its subcommands say, in English.
    fn said(command: &Command, all: &mut Vec<String>) {
        let own = [command.get_about(), command.get_long_about(), command.get_after_help()];
        for text in own.into_iter().flatten().map(ToString::to_string) {
            match text.starts_with("Examples:") {
                true => {
                    all.extend(text.lines().map(|line| line.strip_prefix("  # ").unwrap_or(line).to_string()))
                }
                false => all.push(text),
            }
        }
        for arg in command.get_arguments() {
            all.extend([arg.get_help(), arg.get_long_help()].into_iter().flatten().map(ToString::to_string));
            all.extend(arg.get_help_heading().map(String::from));
        }
        command.get_subcommands().for_each(|subcommand| said(subcommand, all));
    }

    #[test]
    fn everything_that_learn_says_of_itself_has_a_translation() {
        let mut all = Vec::new();
        said(&learn(&["learn", "--lang", "en"]), &mut all);
        let texts = Language::Spanish.texts().help;
        let missing: Vec<_> =
            all.iter().filter(|text| !texts.contains_key(*text) && !text.starts_with("  m2g ")).collect();
        assert!(all.len() > 20 && missing.is_empty(), "{missing:#?}");
        let unused = texts.keys().filter(|text| text.contains(' ') && !all.contains(text));
        assert_eq!(unused.collect::<Vec<_>>(), ["Print help"]);
    }

    #[test]
    fn the_language_is_that_of_the_flag() {
        let help = |arguments: &[&str]| learn(arguments).render_long_help().to_string();
        for spanish in [help(&["learn", "--lang", "es"]), help(&["learn", "hint", "--lang=es"])] {
            assert!(
                spanish.contains("Aprende") && spanish.contains("Uso:") && spanish.contains("Ejemplos:"),
                "{spanish}"
            );
            assert!(!spanish.contains("Usage") && !spanish.contains("[default"), "{spanish}");
        }
        assert!(help(&["learn", "--lang", "en"]).contains("Usage:"));
        assert!(help(&["lab", "--lang", "es"]).contains("Usage:"));
    }
}
