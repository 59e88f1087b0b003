//! What `--help`, completions and man pages say beyond the flags' own descriptions.
//!
//! | file | holds |
//! | --- | --- |
//! | `groups.rs` | the headings under which flags stand |
//! | `examples.rs` | the examples at the end of each command's help |
//! | `generate.rs` | `m2g completions` and `m2g man` |

mod examples;
pub mod generate;
mod groups;

use clap::Command;

/// The command line with grouped flags and examples, which begin with `program` and fit into this many columns.
/// Every flag takes a negative number: the message then names the range of the flag, and does not call the number an
/// unknown flag.
pub fn complete(command: Command, program: &str, columns: usize) -> Command {
    visit(command, &[], program, columns)
}

fn visit(command: Command, path: &[String], program: &str, columns: usize) -> Command {
    let examples = examples::text(path, program, columns);
    let command = groups::group(command, path).mut_args(|arg| {
        let takes_values = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_values)
    });
    let command = match examples.is_empty() {
        true => command,
        false => command.after_help(examples),
    };
    command.mut_subcommands(|subcommand| {
        let path = [path, &[subcommand.get_name().to_string()]].concat();
        visit(subcommand, &path, program, columns)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::{Arg, CommandFactory};

    use super::*;

    /// All commands that a user runs, with their paths.
    fn leaves(command: &Command, path: &[String]) -> Vec<(Vec<String>, Command)> {
        let children: Vec<&Command> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
        let mut all: Vec<_> = children
            .iter()
            .flat_map(|child| leaves(child, &[path, &[child.get_name().to_string()]].concat()))
            .collect();
        if children.is_empty() {
            all.push((path.to_vec(), command.clone()));
        }
        all
    }

    #[test]
    fn examples_are_valid_commands() {
        for (path, lines) in examples::EXAMPLES {
            for (arguments, about) in *lines {
                let words: Vec<String> = std::iter::once("m2g".to_string()).chain(words(arguments)).collect();
                let parsed = complete(crate::Cli::command(), "m2g", 80).try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{path}: {arguments}: {}", parsed.unwrap_err());
                assert!(arguments.starts_with(path) && !about.is_empty(), "{path}: {arguments}");
            }
        }
    }

    /// The words of a command; double quotes keep spaces.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('"').enumerate();
        let words = parts.flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(String::from).collect(),
            _ => vec![part.to_string()],
        });
        words.collect()
    }

    #[test]
    fn every_command_ends_with_examples_and_groups_its_flags() {
        let command = complete(crate::Cli::command(), "m2g", 80);
        for (path, leaf) in leaves(&command, &[]) {
            let help = leaf.clone().term_width(80).render_help().to_string();
            assert!(help.contains("\nExamples:\n"), "{path:?}");
            let long = leaf.clone().term_width(80).render_long_help().to_string();
            assert!(long.contains("\nExamples:\n"), "{path:?}");
            for text in [help, long] {
                let wide = text.lines().filter(|line| line.chars().count() > 80);
                assert_eq!(wide.collect::<Vec<_>>(), Vec::<&str>::new(), "{path:?}");
            }
        }
    }

    /// A number below the range is a wrong value, and not an unknown flag.
    #[test]
    fn every_flag_takes_negative_numbers() {
        for (flag, value, rule) in [
            ("lab score --steps", "-1", "--steps"),
            ("bench --rounds", "-2", "--rounds"),
            ("gpt sample a --tokens", "-3", "--tokens"),
            ("open --port", "-1", "--port"),
            ("digits train --epochs", "-1", "--epochs"),
        ] {
            let words = ["m2g"].into_iter().chain(flag.split(' ')).chain([value]);
            let error = complete(crate::Cli::command(), "m2g", 80).try_get_matches_from(words).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("invalid value '{value}' for '{rule}")), "{flag}: {text}");
        }
    }

    /// Those of `learn` and `bench` are few, and need none.
    #[test]
    fn every_flag_has_a_heading() {
        for (path, leaf) in leaves(&complete(crate::Cli::command(), "m2g", 80), &[]) {
            if ["learn", "bench"].contains(&&*path[0]) {
                continue;
            }
            let is_flag = |arg: &&Arg| !arg.is_positional() && !arg.is_hide_set();
            for arg in leaf.get_arguments().filter(is_flag) {
                assert!(arg.get_help_heading().is_some(), "{path:?}: --{}", arg.get_id());
            }
        }
    }

    #[test]
    fn every_row_of_the_tables_is_of_a_flag() {
        let leaves = leaves(&complete(crate::Cli::command(), "m2g", 80), &[]);
        let is_known =
            |id: &str| leaves.iter().any(|(_, leaf)| leaf.get_arguments().any(|arg| arg.get_id() == id));
        for id in groups::HEADINGS.iter().flat_map(|(_, ids)| *ids) {
            assert!(is_known(id), "{id}");
        }
        for (command, id, default) in groups::DEFAULTS {
            let said = |leaf: &Command| {
                let help = leaf.get_opts().find(|arg| arg.get_id() == id).and_then(|arg| arg.get_help());
                help.is_some_and(|help| help.to_string().ends_with(&format!(" [default: {default}]")))
            };
            let is_of = |path: &[String]| command.is_empty() || path.join(" ") == command;
            assert!(leaves.iter().any(|(path, leaf)| is_of(path) && said(leaf)), "{command} {id}");
        }
    }

    /// A flag with a value has a default, or says what happens without it.
    #[test]
    fn every_default_is_shown() {
        for (path, leaf) in leaves(&complete(crate::Cli::command(), "m2g", 80), &[]) {
            for arg in leaf
                .get_opts()
                .filter(|arg| arg.get_action().takes_values() && !arg.is_required_set() && !arg.is_hide_set())
            {
                let help =
                    arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
                let shown = !arg.get_default_values().is_empty() || help.contains("[default: ");
                assert!(shown, "{path:?}: --{}: {help}", arg.get_id());
            }
        }
    }
}
