//! The errors of the core. Each message is one sentence that calls settings by name; the
//! command line adds the flag that helps.

use std::panic::Location;
use std::path::PathBuf;

/// An error of the core.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The number of elements does not match the shape.
    #[error("a tensor of shape {shape:?} holds {expected} elements, but {found} were given")]
    Length {
        /// The requested shape.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// The number of elements given.
        found: usize,
    },
    /// The shapes of an op's inputs do not match.
    #[error("{op} cannot take inputs of shapes {shapes:?}: {why} (called at {at})")]
    Shape {
        /// The op's name.
        op: &'static str,
        /// The shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// The rule that they violate.
        why: String,
        /// The line that called the op.
        at: &'static Location<'static>,
    },
    /// An input that needs a gradient was given to an op that passes none back to it: an op without a backward
    /// pass, or the targets of a cost.
    #[error(
        "{op} passes no gradient back to one of its inputs that needs one: record it on a tape for evaluation, \
         or record that input as data (called at {at})"
    )]
    NoBackward {
        /// The op's name.
        op: &'static str,
        /// The line that called the op.
        at: &'static Location<'static>,
    },
    /// `backward` was called on something that is not a scalar, or needs no gradient.
    #[error("backward starts at a scalar that depends on a parameter, not at shape {0:?}")]
    NotALoss(Vec<usize>),
    /// `backward` has freed the values of the tape.
    #[error(
        "backward has already run on this tape and freed its values: call reset and record the ops \
         again, or call set_keep_values before them"
    )]
    ValuesFreed,
    /// Two parameters have the same name.
    #[error("two parameters are called {0}")]
    DuplicateParam(String),
    /// The loss or a gradient is NaN or infinite.
    #[error("the {what} is not finite {}{}", when(*step), after_not_finite(*step))]
    NotFinite {
        /// The loss, or the first gradient that is not finite.
        what: String,
        /// The number of steps taken before.
        step: u64,
    },
    /// What a model computed is NaN or infinite, although its parameters are finite.
    #[error("the {0} are not finite: the model's parameters are damaged or its training diverged")]
    NotFiniteResult(&'static str),
    /// A setting has an invalid value.
    #[error("{name} is {}: {}", shown(value), rule.replace('`', ""))]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// The rule that it breaks. Names of other settings are in backticks, so that the command
        /// line can replace them with flags; the message drops the backticks.
        rule: &'static str,
    },
    /// A setting asks for more data than there is.
    #[error("{name} is {value}: {}", why.replace('`', ""))]
    TooLittleData {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: usize,
        /// How much data there is, and what to do. Names of settings are in backticks, as in a rule.
        why: String,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create`, ...
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason, from the operating system.
        source: std::io::Error,
    },
    /// A file that is read as a whole is too large.
    #[error("{} has more than {}, the most that {what} may have", path.display(), size(*most))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it is: `a configuration`.
        what: &'static str,
        /// The limit in bytes.
        most: u64,
    },
    /// Something needs more memory than there is. All figures have their unit.
    #[error("{what} needs about {needed} of memory, but {available} are available: {advice}")]
    Memory {
        /// What needs it: `training this model`.
        what: &'static str,
        /// The estimate, and its parts.
        needed: String,
        /// What there is.
        available: String,
        /// What to do.
        advice: &'static str,
    },
    /// A checkpoint cannot be used.
    #[error("{} is not a usable checkpoint: {why}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        why: String,
    },
    /// The folder of a new run already exists.
    #[error("{} exists{}", path.display(), if *is_run { "" } else { " and is not a run, so it is not replaced" })]
    RunExists {
        /// The folder.
        path: PathBuf,
        /// Whether it holds a run.
        is_run: bool,
    },
    /// A folder to replace or to delete holds something else as well.
    #[error(
        "{} holds {}, which is no part of {what}, so the folder is kept: move it elsewhere first",
        folder.display(),
        excerpt(name)
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        name: String,
        /// What it should hold: `a run`.
        what: &'static str,
    },
    /// The folder holds no run.
    #[error("there is no run in {}", .0.display())]
    NoRun(PathBuf),
    /// The run holds a model of another kind.
    #[error("{} holds a model of kind {found}, not {wanted}: use it with the commands of `m2g {found}`", run.display())]
    OtherKind {
        /// The folder.
        run: PathBuf,
        /// The kind that it holds.
        found: String,
        /// The kind that is needed.
        wanted: String,
    },
    /// The run lacks this checkpoint: it was killed before its first save, or the file was
    /// removed.
    #[error("the run in {} has saved no {file}", run.display())]
    NeverSaved {
        /// The run.
        run: PathBuf,
        /// The missing checkpoint.
        file: String,
    },
    /// The data is not that of the run to resume.
    #[error("the run in {} was started with other data than {data}: resume it with the same data", run.display())]
    OtherData {
        /// The run.
        run: PathBuf,
        /// Where the data comes from.
        data: String,
    },
    /// The run to resume holds an imported model.
    #[error("{} holds an imported model, which has no training to resume: start a new run from it with init_from", .0.display())]
    Imported(PathBuf),
    /// Another process of the same run has failed.
    #[error("process {rank}: {why}")]
    Rank {
        /// The process.
        rank: usize,
        /// Its error.
        why: String,
    },
    /// The processes of a run do not fit together, or cannot reach each other.
    #[error("{0}")]
    Ranks(String),
    /// The caller stopped an evaluation: see [`Tape::set_stop`](crate::Tape::set_stop).
    #[error("the evaluation was stopped before its end")]
    Stopped,
    /// Another process trains the run.
    #[error("another process is training {}: wait until it ends, or stop it", .0.display())]
    Busy(PathBuf),
    /// Another process creates, replaces or removes the folder now.
    #[error("another process is writing {}: wait until it ends, or choose another folder", .0.display())]
    BeingWritten(PathBuf),
    /// The model crate or the data source failed.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// The most characters of an input that an error repeats.
pub const MAX_EXCERPT: usize = 200;

/// Shortens an input so that an error can repeat it: at most [`MAX_EXCERPT`] characters, and `…` at the end
/// if something was cut off. Characters that would move the cursor or change the terminal are escaped.
pub fn excerpt(input: &str) -> String {
    let mut escaped = input.chars().flat_map(|c| {
        let (plain, code) =
            if is_unsafe_in_terminals(c) { (None, Some(c.escape_default())) } else { (Some(c), None) };
        plain.into_iter().chain(code.into_iter().flatten())
    });
    let mut start: Vec<char> = escaped.by_ref().take(MAX_EXCERPT).collect();
    if escaped.next().is_some() {
        start.truncate(MAX_EXCERPT - 1);
        start.push('…');
    }
    start.into_iter().collect()
}

/// An input in a sentence: its [`excerpt`], and two quotes where it is empty.
pub fn shown(input: &str) -> String {
    if input.is_empty() { "\"\"".into() } else { excerpt(input) }
}

/// What a parser says about a value of a file, in our words: its own are about types of Rust.
pub fn in_plain_words(message: &str) -> String {
    let (what, place) = message.find(" at line ").map_or((message, ""), |at| message.split_at(at));
    if what.starts_with("EOF while parsing") {
        return "it is cut off".into();
    }
    let start = ["invalid type: ", "invalid value: "].iter().find_map(|start| what.find(start));
    let Some((before, (found, expected))) = start
        .map(|at| what.split_at(at))
        .and_then(|(before, what)| Some((before, what.rsplit_once(", expected ")?)))
    else {
        return message.into();
    };
    let is_positive = found.contains("integer `") && !found.contains("integer `-");
    let rule = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" if is_positive => "it is too large",
        "u8" | "u16" | "u32" | "u64" | "usize" => "it must be a whole number, 0 or above",
        "i8" | "i16" | "i32" | "i64" | "isize" => "it must be a whole number",
        "f32" | "f64" => "it must be a number",
        "a boolean" => "it must be true or false",
        "a string" => "it must be a text in quotes",
        "a sequence" => "it must be a list",
        "a map" => "it must be a table of names and values",
        expected if expected.starts_with("struct ") => "it must be a table of names and values",
        _ => return message.into(),
    };
    let place = place.strip_prefix(" at ").map_or(String::new(), |place| format!(" ({place})"));
    format!("{before}{rule}{place}")
}

/// Whether a character does something in a terminal other than to appear: a control character, or
/// one that reverses the direction of the text after it.
pub fn is_unsafe_in_terminals(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The name in `known` that someone may have meant by `name`: one that is one slip away, or very similar.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // In shorter names, a slip leaves too little to tell what was meant.
    let is_long_enough = name.chars().count() >= 3;
    let scored = known.into_iter().map(|known| {
        let is_one_slip = is_long_enough && strsim::osa_distance(name, known) <= 1;
        (is_one_slip, strsim::jaro_winkler(name, known), known)
    });
    let similar = scored.filter(|(is_one_slip, score, _)| *is_one_slip || *score > 0.75);
    // Of equally similar ones the first.
    similar.min_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))).map(|(.., known)| known)
}

/// What to say of a name that is not known: the one that was meant, or all of `what`.
pub fn hint(name: &str, what: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("{what} are {}", known.join(", ")),
    }
}

/// The name that someone may have meant, in brackets after what they wrote; nothing if there is none.
pub fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!(" (did you mean {name}?)"))
}

/// A limit in bytes, in the unit in which it was chosen.
fn size(bytes: u64) -> String {
    match bytes {
        0..=1023 => format!("{bytes} bytes"),
        1024..=1_048_575 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// When a step failed, by the number of steps taken before: the log counts its steps from 1.
pub fn when(steps: u64) -> String {
    match steps {
        0 => "in the first step".into(),
        1 => "after 1 step".into(),
        steps => format!("after {steps} steps"),
    }
}

/// What a value that is not finite means. The first step computes it before any update, so no learning rate has
/// an influence on it.
fn after_not_finite(step: u64) -> &'static str {
    match step {
        0 => {
            ", before any training: bring the settings closer to their defaults, or start from another model"
        }
        _ => {
            ": training has diverged; use a smaller learning rate (the last checkpoint still holds an earlier state)"
        }
    }
}

impl Error {
    /// An [`Error::Io`] for `path`, for use with `map_err`.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// The error of a temporary file or folder that could not be created. The library adds its path, which was
    /// made up a moment ago.
    pub fn temporary(error: std::io::Error) -> Self {
        let said = error.to_string();
        let why = said.split_once(" at path ").map_or(&*said, |(why, _)| why);
        let variable = if cfg!(windows) { "TMP" } else { "TMPDIR" };
        let advice = format!("{why}: set {variable} to a folder in which files can be created");
        Self::io("create a temporary file in", std::env::temp_dir())(std::io::Error::new(
            error.kind(),
            advice,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_steps_are_called_divergence() {
        let message = |step| Error::NotFinite { what: "loss".into(), step }.to_string();
        assert!(message(0).starts_with("the loss is not finite in the first step, before any training: "));
        assert!(message(7).starts_with("the loss is not finite after 7 steps: training has diverged; "));
        assert!(!message(0).contains("learning rate"));
    }

    #[test]
    fn the_name_that_was_meant_is_found() {
        assert_eq!(nearest("ephocs", ["epochs", "lr"]), Some("epochs"));
        assert_eq!(nearest("xyzzy", ["epochs", "lr"]), None);
        // Swapped letters at the start.
        assert_eq!(nearest("tow", ["three", "two"]), Some("two"));
        assert_eq!(nearest("tale", ["talk-about-it", "tales"]), Some("tales"));
        assert_eq!(nearest("multi", ["multi-a", "multi-b"]), Some("multi-a"));
        assert_eq!(nearest("x", ["y", "xy-and-more"]), None);
    }

    #[test]
    fn types_of_rust_are_said_in_words() {
        for (theirs, ours) in [
            ("rate: invalid type: string \"a\", expected f64", "rate: it must be a number"),
            ("invalid type: null, expected f32", "it must be a number"),
            ("invalid value: integer `-1`, expected usize", "it must be a whole number, 0 or above"),
            ("invalid type: floating point `1e9`, expected u32", "it must be a whole number, 0 or above"),
            ("invalid value: integer `4294967296`, expected u32", "it is too large"),
            (
                "invalid type: null, expected struct Progress at line 1 column 4",
                "it must be a table of names and values (line 1 column 4)",
            ),
            ("EOF while parsing a value at line 1 column 0", "it is cut off"),
            ("unknown variant `a`, expected `b`", "unknown variant `a`, expected `b`"),
            ("expected value at line 1 column 1", "expected value at line 1 column 1"),
        ] {
            assert_eq!(in_plain_words(theirs), ours);
        }
    }

    #[test]
    fn inputs_are_repeated_up_to_a_limit_and_cannot_reach_the_terminal() {
        assert_eq!(excerpt("ä b"), "ä b");
        assert_eq!(excerpt(&"ä".repeat(200)), "ä".repeat(200));
        assert_eq!(excerpt(&"ä".repeat(201)), "ä".repeat(199) + "…");
        assert_eq!(excerpt("a\u{1b}[31m\n\u{202e}b"), "a\\u{1b}[31m\\n\\u{202e}b");
        assert_eq!(excerpt(&"\u{1b}".repeat(1000)).chars().count(), MAX_EXCERPT);
        let error = Error::Setting { name: "seed", value: "9".repeat(1000), rule: "it must be a number" };
        assert_eq!(error.to_string(), format!("seed is {}…: it must be a number", "9".repeat(199)));
        let empty = Error::Setting { name: "seed", value: String::new(), rule: "it must be a number" };
        assert_eq!(empty.to_string(), "seed is \"\": it must be a number");
    }
}
