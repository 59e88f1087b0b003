//! Errors as the command line prints them: the libraries name settings, but a user types flags.

use std::fmt::Display;
use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;
use m2g_core::Error;
use m2g_core::error::{MAX_EXCERPT, excerpt, shown};
use m2g_core::train::run_folder::{BEST, LAST};
use m2g_gpt::data::is_built_in;
use m2g_gpt::gpt2::ExportError;

use crate::flags::{RUNS, beside_runs, quoted};
use crate::gpt::export::names_gguf;
use crate::runs::folders::meant;
use crate::setting_flags::{flag, setting_and_flag};
use crate::terminal::lines::visible;
use crate::terminal::notes;
use crate::terminal::program::with_program;

/// The most characters of a path that are shown: it is of use only as a whole.
const MAX_PATH: usize = 1024;

/// Prints an error in one sentence.
pub fn print(error: &impl Display) {
    notes::error(readable(&error.to_string()));
}

/// The length of a message, in characters, from which its clauses are shortened too.
const LONG_MESSAGE: usize = 400;

/// A message with each input as an [`excerpt`]: what was typed, and what a file holds.
pub fn readable(message: &str) -> String {
    let mut message = message.to_string();
    for typed in std::env::args_os().skip(1) {
        let typed = typed.to_string_lossy();
        for part in [Some(&*typed), typed.split_once('=').map(|(_, value)| value)].into_iter().flatten() {
            message = with_excerpt_of(part.trim(), &message);
        }
    }
    for quote in ["\"", "`"] {
        message = shortened(&message, quote, |i, part| i % 2 == 1 && part.chars().count() > MAX_EXCERPT);
    }
    let is_long_word = |_, word: &str| {
        word.chars().count() > if word.contains(std::path::is_separator) { MAX_PATH } else { MAX_EXCERPT }
    };
    let lines = message.split('\n').map(|line| shortened(line, " ", is_long_word));
    message = lines.collect::<Vec<_>>().join("\n");
    // An input that is neither quoted nor a word, such as a name with spaces.
    if message.chars().count() > LONG_MESSAGE {
        message = with_short_clauses(&message);
    }
    // A message may have lines, but nothing else that moves the cursor.
    visible(&message).replace('\t', r"\t")
}

/// The message with an excerpt of `input` wherever it repeats it, or a long start of it. A path that exists
/// stays whole.
fn with_excerpt_of(input: &str, message: &str) -> String {
    let short = excerpt(input);
    if short == input || Path::new(input).exists() {
        return message.into();
    }
    let start: String = input.chars().take(MAX_EXCERPT).collect();
    let (mut text, mut rest) = (String::new(), message);
    while let Some(at) = rest.find(&start) {
        let same = rest[at..].chars().zip(input.chars()).take_while(|(a, b)| a == b);
        let length = same.map(|(c, _)| c.len_utf8()).sum::<usize>();
        text += &rest[..at];
        text += &excerpt(&rest[at..at + length]);
        rest = &rest[at + length..];
    }
    text + rest
}

/// The message with an excerpt of each long clause; a line ends one. Paths in it do not count, up to a limit.
fn with_short_clauses(message: &str) -> String {
    let (mut text, mut rest) = (String::new(), message);
    loop {
        let ends = [": ", "; ", ", ", "\n"].into_iter().filter_map(|end| Some((rest.find(end)?, end)));
        let (length, end) = ends.min().unwrap_or((rest.len(), ""));
        let clause = &rest[..length];
        let words = clause.split(' ').filter(|word| !word.contains(std::path::is_separator));
        let is_long = words.map(|word| word.chars().count() + 1).sum::<usize>() > MAX_EXCERPT
            || clause.chars().count() > MAX_PATH + MAX_EXCERPT;
        text += &if is_long { excerpt(clause) } else { clause.into() };
        text += end;
        if end.is_empty() {
            return text;
        }
        rest = &rest[length + end.len()..];
    }
}

/// The message with an excerpt of each part, counted from 0, between separators that is `too_long`. The
/// punctuation after a part stays.
fn shortened(message: &str, separator: &str, too_long: impl Fn(usize, &str) -> bool) -> String {
    let short = |part: &str| {
        let input = part.trim_end_matches([':', ';', ',']);
        excerpt(input) + &part[input.len()..]
    };
    let parts = message.split(separator).enumerate();
    let parts = parts.map(|(i, part)| if too_long(i, part) { short(part) } else { part.to_string() });
    parts.collect::<Vec<_>>().join(separator)
}

/// The error in one sentence, with the flag that fixes it, and with commands as the user types them.
pub fn sentence(error: &anyhow::Error, given: &ArgMatches) -> String {
    with_program(&with_advice(error, given))
}

/// If a setting was given as a flag, its error names flags as the user types them.
fn with_advice(error: &anyhow::Error, given: &ArgMatches) -> String {
    if let Some(Error::Setting { name, value, rule }) = error.downcast_ref()
        && let Some(flag) = flag_given(name, given)
    {
        return format!("{flag} is {}: {}", shown(value), with_flags(rule));
    }
    if let Some(Error::TooLittleData { name, value, why }) = error.downcast_ref()
        && innermost(given).1.try_contains_id(name).is_ok()
    {
        // What is too large may be the default: its flag helps all the same.
        let setting = flag_given(name, given).unwrap_or_else(|| (*name).into());
        return format!("{setting} is {value}: {}", with_flags(why));
    }
    if let Some(ExportError::Exists { is_export, .. }) = error.downcast_ref() {
        let replace = if *is_export { ", or replace it with --overwrite" } else { "" };
        return format!("{error}: choose another folder{replace}");
    }
    let advice = match error.downcast_ref::<Error>() {
        Some(Error::RunExists { is_run: true, .. }) => {
            ": choose another name with --run, or replace it with --overwrite"
        }
        Some(Error::RunExists { is_run: false, .. }) => ": choose another name with --run",
        Some(Error::NoRun(path)) => return without_run(path, error),
        Some(Error::NeverSaved { .. }) => ": train it again with --overwrite",
        Some(Error::OtherData { run, data }) if is_built_in(data) => {
            return format!(
                "{data} is part of this program and has changed since the run in {} was started, so this \
                 version cannot resume it: start a new run from it with --init-from {}",
                run.display(),
                quoted(run)
            );
        }
        Some(Error::OtherData { .. }) => ", with --data",
        Some(Error::Checkpoint { .. }) if flag_given("init_from", given).is_some() => {
            return error.to_string().replace("without init_from", "without --init-from");
        }
        Some(Error::Checkpoint { path, .. }) => {
            let advice = other_checkpoint(path, given).unwrap_or(OTHER_CHECKPOINT.into());
            return error.to_string().replace(OTHER_CHECKPOINT, &advice);
        }
        Some(Error::Imported(_)) => return error.to_string().replace("init_from", "--init-from"),
        _ => "",
    };
    if ["train", "eval", "prepare", "ladder"].contains(&innermost(given).0) {
        return with_dashes(&format!("{error}{advice}"));
    }
    format!("{error}{advice}")
}

/// What to do if a folder is no run: it may be a file, or a name that is known to be imported.
fn without_run(path: &Path, error: &anyhow::Error) -> String {
    let typed = path.strip_prefix(RUNS).unwrap_or(path);
    if path.as_os_str().is_empty() {
        return "the name of the run is empty: give a name under runs/, or the path of a folder".into();
    }
    if let Some(file) = [path, typed].into_iter().find(|path| path.is_file()) {
        return match names_gguf(file) {
            true => format!(
                "{} is a GGUF file and no run: make a run of it with `m2g gpt import {} --run NAME`",
                file.display(),
                quoted(file)
            ),
            false => format!("{} is a file and no run: give the folder of a run", file.display()),
        };
    }
    if typed == Path::new("gpt2") {
        return format!("{error}: import GPT-2 first, with `m2g gpt import FOLDER --run gpt2`");
    }
    if let Some(beside) = beside_runs(path) {
        return format!("{error}, but {0} is one: give it as {0}", quoted(&beside));
    }
    match meant(path, []) {
        Some(near) => format!("{error}; did you mean {near}?"),
        None => format!("{error}: train one first, with --run NAME"),
    }
}

/// What the core advises for a damaged checkpoint.
const OTHER_CHECKPOINT: &str = "use the other checkpoint of the run";

/// The same with the flag that does it, if the command has one.
fn other_checkpoint(damaged: &Path, given: &ArgMatches) -> Option<String> {
    let (_, given) = innermost(given);
    let has_flag = |id| given.try_contains_id(id).is_ok();
    match damaged.file_name()?.to_str()? {
        BEST if has_flag("last") => Some("use the last checkpoint of the run with --last".into()),
        LAST if has_flag("last") => Some("use the best checkpoint of the run, without --last".into()),
        LAST if has_flag("init_from") => {
            let run = quoted(damaged.parent()?);
            Some(format!("start a new run from its best checkpoint with --init-from {run}"))
        }
        _ => None,
    }
}

/// A sentence of a library with flags in place of the settings that it advises to set.
pub fn with_dashes(sentence: &str) -> String {
    let advice = [
        "set data to",
        "set vocab_size to",
        "set tokenizer to",
        "set special_tokens",
        "set document_separator to",
        "and special_tokens to",
        "set shards to",
        "set transposed to",
        "leave vocab_size out",
    ];
    advice.iter().fold(sentence.to_string(), |sentence, advice| {
        let (before, rest) = advice.split_once(' ').unwrap_or((advice, ""));
        let (setting, after) = rest.split_once(' ').unwrap_or((rest, ""));
        sentence.replace(advice, format!("{before} {} {after}", flag(setting)).trim_end())
    })
}

/// A report on text without its advice to set what the command has no flag for.
pub fn without_advice(report: &str) -> &str {
    report.split_once(": set special_tokens").map_or(report, |(report, _)| report)
}

/// The flag of the innermost subcommand that set `name`, in the spelling that was typed.
fn flag_given(name: &str, given: &ArgMatches) -> Option<String> {
    let (_, given) = innermost(given);
    let ids = given.ids().map(|id| id.as_str());
    let mut typed = ids.filter(|id| given.value_source(id) == Some(ValueSource::CommandLine));
    typed.find_map(|id| {
        let (setting, flag) = setting_and_flag(id);
        (setting == name).then_some(flag)
    })
}

/// The name and the arguments of the innermost subcommand.
fn innermost(given: &ArgMatches) -> (&str, &ArgMatches) {
    let mut found = ("", given);
    while let Some(subcommand) = found.1.subcommand() {
        found = subcommand;
    }
    found
}

/// A rule with flags in place of the settings that it has in backticks: `--l2` for `l2`, and
/// `--backprop tape` for `backprop = "tape"`.
fn with_flags(rule: &str) -> String {
    let parts = rule.split('`').enumerate().map(|(i, part)| match part.split_once(" = ") {
        _ if i % 2 == 0 => part.into(),
        Some((name, value)) => format!("{} {}", flag(name), value.trim_matches('"')),
        None => flag(part),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn settings_get_dashes_if_they_came_from_a_flag() {
        let rule = "it must be a number above 0";
        let error = || Error::Setting { name: "learning_rate", value: "-1".into(), rule }.into();
        let given = |flags: &[&str]| {
            let arg = |name| Arg::new(name).long(flag(name).trim_start_matches('-').to_string());
            let train = Command::new("train").args([arg("learning_rate").alias("lr"), arg("seed")]);
            Command::new("m2g").subcommand(train).get_matches_from([&["m2g", "train"], flags].concat())
        };
        let with_dashes = "--learning-rate is -1: it must be a number above 0";
        assert_eq!(sentence(&error(), &given(&["--learning-rate=-1"])), with_dashes);
        assert_eq!(sentence(&error(), &given(&["--lr=-1"])), with_dashes);
        assert_eq!(
            sentence(&error(), &given(&["--seed=3"])),
            with_dashes.replace("--learning-rate", "learning_rate")
        );
        assert_eq!(sentence(&anyhow::anyhow!("no"), &given(&[])), "no");
    }

    #[test]
    fn what_needs_more_data_is_told_with_its_flag() {
        let why = "the data has only 4 images to train on; use a smaller `batch_size`".to_string();
        let error = anyhow::Error::from(Error::TooLittleData { name: "batch_size", value: 10, why });
        let arg = Arg::new("batch_size").long("batch-size");
        let train = Command::new("train").arg(arg);
        let said = |args: &[&str]| sentence(&error, &train.clone().get_matches_from(args));
        let end = "is 10: the data has only 4 images to train on; use a smaller";
        assert_eq!(said(&["train"]), format!("batch_size {end} --batch-size"));
        assert_eq!(said(&["train", "--batch-size", "10"]), format!("--batch-size {end} --batch-size"));
        let lab = Command::new("lab").get_matches_from(["lab"]);
        assert_eq!(sentence(&error, &lab), format!("batch_size {end} batch_size"));
    }

    #[test]
    fn what_is_no_run_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let error = Error::NoRun(path.to_path_buf());
            sentence(&error.into(), &Command::new("m2g").get_matches_from(["m2g"]))
        };
        let file = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            said(&path)
        };
        assert!(file("a.gguf").contains("a.gguf is a GGUF file and no run: make a run of it with"));
        assert!(file("best.safetensors").ends_with(" is a file and no run: give the folder of a run"));
        assert!(said(Path::new("runs/gpt2")).contains(": import GPT-2 first, with"));
        assert!(said(Path::new("")).starts_with("the name of the run is empty"));
        assert!(said(Path::new("runs/zz")).ends_with("train one first, with --run NAME"));
    }

    #[test]
    fn inputs_are_shortened_and_cannot_reach_the_terminal() {
        let long = "x".repeat(300);
        let short = "x".repeat(199) + "…";
        assert_eq!(
            readable(&format!("no file is called {long}: give one")),
            format!("no file is called {short}: give one")
        );
        let words = "x ".repeat(300);
        for message in [format!("the key \"{words}\" is unknown"), format!("unknown `{words}`, expected `a`")]
        {
            let message = readable(&message);
            assert!(message.matches('x').count() <= 200 && message.contains('…'), "{message}");
        }
        let clause = readable(&format!("unknown setting {words}; the settings are a, b"));
        assert!(clause.chars().count() < 250 && clause.ends_with("…; the settings are a, b"), "{clause}");
        assert_eq!(readable("a\u{1b}[2J\nb\r\tc"), "a\\u{1b}[2J\nb\\r\\tc");
        let list = format!("they do not fit:{}", format!("\n  duplicate  {}", "x".repeat(40)).repeat(10));
        assert_eq!(readable(&list), list, "every line is short");
        let long = format!("they do not fit:\n  extra  {}\n  missing  b", "x".repeat(300));
        assert_eq!(readable(&long), format!("they do not fit:\n  extra  {short}\n  missing  b"));
        let path = format!("/{}", "x/".repeat(200));
        assert_eq!(readable(&path), path, "a path is of use only as a whole");
        let typed = format!("{}y", "x ".repeat(300));
        assert_eq!(
            with_excerpt_of(&typed, &format!("it is {}", typed.trim_end_matches('y'))),
            format!("it is {}…", &typed[..199])
        );
    }

    #[test]
    fn advice_names_flags() {
        assert_eq!(
            with_dashes(
                "no end: set document_separator to none and special_tokens to false, or set data to a file"
            ),
            "no end: set --document-separator to none and --special-tokens to false, or set --data to a file"
        );
        assert_eq!(with_dashes("3 times: set special_tokens to"), "3 times: set --special-tokens to");
        assert_eq!(without_advice("plain text: set special_tokens to read it"), "plain text");
        assert_eq!(without_advice("1 byte-order mark was removed"), "1 byte-order mark was removed");
    }

    #[test]
    fn rules_name_other_settings_as_flags_if_the_setting_came_from_a_flag() {
        let train = |flags: &[&str]| {
            let arg = |id: &'static str, long: &'static str| Arg::new(id).long(long);
            let args =
                [arg("weight_decay", "weight-decay"), arg("dropout", "dropout"), arg("seed/key", "key")];
            Command::new("train").args(args).get_matches_from([&["train"], flags].concat())
        };
        let error = |name, rule| Error::Setting { name, value: "1".into(), rule }.into();
        for (name, rule, with_dashes, plain) in [
            (
                "weight_decay",
                "sgd has `l2`, not `train_on_all`",
                "--weight-decay is 1: sgd has --l2, not --train-on-all",
                "weight_decay is 1: sgd has l2, not train_on_all",
            ),
            (
                "dropout",
                "it needs `backprop = \"tape\"`",
                "--dropout is 1: it needs --backprop tape",
                "dropout is 1: it needs backprop = \"tape\"",
            ),
            ("seed", "it must be even", "--key is 1: it must be even", "seed is 1: it must be even"),
        ] {
            let given = train(&["--weight-decay", "1", "--dropout", "1", "--key", "1"]);
            assert_eq!(sentence(&error(name, rule), &given), with_dashes);
            assert_eq!(sentence(&error(name, rule), &train(&[])), plain);
        }
    }

    #[test]
    fn a_run_on_an_older_own_text_can_only_be_continued_as_a_new_run() {
        let error = |data: &str| Error::OtherData { run: "runs/own".into(), data: data.into() }.into();
        let given = Command::new("train").get_matches_from(["train"]);
        assert!(sentence(&error("own-text"), &given).ends_with("with --init-from runs/own"));
        assert!(sentence(&error("a.txt"), &given).ends_with("with the same data, with --data"));
    }
}
