//! The headings under which flags stand. Settings have headings of their own, from their declaration.

use clap::{Arg, ArgAction, Command};

/// Flags by their ids: the heading of each.
pub(super) const HEADINGS: [(&str, &[&str]); 6] = [
    (
        "Input",
        &[
            "prompt",
            "prompt_file",
            "prompt_tokens",
            "image",
            "label",
            "data",
            "config",
            "preset",
            "val_fraction",
            "transposed",
            "meta",
            "vocab_size",
            "document_separator",
            "special_tokens",
            "hypotheses",
            "baseline",
            "lowercase",
            "tokenize",
            "effective_order",
            "val",
            "tokenizer",
            "max_length",
            "split",
            "source",
            "target",
            "word",
            "replace",
            "blank",
        ],
    ),
    (
        "Sampling",
        &[
            "tokens",
            "samples",
            "temperature",
            "top_k",
            "top_p",
            "greedy",
            "seed",
            "stop",
            "ignore_end_of_text",
            "slide",
            "no_cache",
            "weights",
            "beam",
            "alpha",
            "patience",
            "n_best",
            "extra_length",
            "batch",
        ],
    ),
    ("Choice", &["arms", "seeds", "steps", "rungs", "full", "layer", "head", "values", "backward", "last"]),
    ("Saving", &["run", "overwrite", "quantise", "resume", "out", "svg", "logits", "yes", "beam_tree"]),
    ("Output", &["json", "schema", "code", "attention", "positions", "all", "show", "alignments"]),
    ("Machine", &["threads", "ranks_expected", "port", "no_browser"]),
];

/// Without patience, a search ends at its best translation.
const UNTIL_CERTAIN: &str = "until no open one can win";

/// What happens without a flag that has no value by default, by the path of its command, which may be
/// empty for all commands, and by its id.
pub(super) const DEFAULTS: [(&str, &str, &str); 26] = [
    ("", "config", "the default settings"),
    ("", "resume", "a new run"),
    ("digits train", "data", "MNIST"),
    ("gpt eval", "tokens", "the validation split"),
    ("gpt eval", "logits", "not written"),
    ("gpt sample", "prompt_file", "see --prompt"),
    ("gpt sample", "prompt_tokens", "see --prompt"),
    ("", "top_p", "1, all tokens"),
    ("gpt ladder", "rungs", "all but scaled"),
    ("gpt ladder", "steps", "the lecture's"),
    ("lab", "arms", "all arms"),
    ("lab", "seeds", "the experiment's"),
    ("lab", "data", "the experiment's"),
    ("lab", "steps", "the experiment's"),
    ("bleu", "baseline", "no comparison"),
    ("translate translate", "beam_tree", "no drawing"),
    ("translate translate", "patience", UNTIL_CERTAIN),
    ("translate eval", "patience", UNTIL_CERTAIN),
    ("translate ask", "patience", UNTIL_CERTAIN),
    ("compare", "code", "no source"),
    ("compare", "svg", "no drawing"),
    ("inspect", "label", "unknown"),
    ("inspect", "values", "all ops"),
    ("inspect", "head", "all heads"),
    ("inspect", "out", "no drawing"),
    ("bench", "against", "no peer"),
];

/// Puts every flag without a heading under one, and adds missing defaults to the descriptions.
pub fn group(command: Command, path: &[String]) -> Command {
    let path = path.join(" ");
    command.mut_args(|arg| {
        let arg = with_default(arg, &path);
        let heading = HEADINGS.iter().find(|(_, ids)| ids.contains(&arg.get_id().as_str()));
        match heading {
            Some((heading, _)) if arg.get_help_heading().is_none() && !arg.is_positional() => {
                arg.help_heading(*heading)
            }
            _ => arg,
        }
    })
}

/// Adds what happens without the flag to its description, unless it says so.
fn with_default(arg: Arg, path: &str) -> Arg {
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if arg.is_positional() || !takes_value || arg.is_required_set() || !arg.get_default_values().is_empty() {
        return arg;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if help.contains("[default: ") {
        return arg;
    }
    let known = DEFAULTS
        .iter()
        .find(|(command, id, _)| (command.is_empty() || *command == path) && *id == arg.get_id().as_str());
    let default = known.map_or("none", |(.., default)| default);
    let help = format!("{} [default: {default}]", help.trim_end_matches('.'));
    match arg.get_long_help().map(ToString::to_string) {
        Some(long) if !long.contains("[default: ") => {
            let long = format!("{} [default: {default}]", long.trim_end_matches('.'));
            arg.help(help).long_help(long)
        }
        _ => arg.help(help),
    }
}
