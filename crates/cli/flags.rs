//! Flags that several commands have, and how names and paths are parsed.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use m2g_core::threads::MAX_THREADS;
use m2g_core::train::run_folder::{BEST, CONFIG, LAST};
use m2g_text::source::PIPED;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NameError, StrDeserializer};

/// Parses one of `names` with serde. Clap rejects any other word and suggests the nearest name.
pub fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| {
        let name: StrDeserializer<'_, NameError> = name.as_str().into_deserializer();
        T::deserialize(name)
    })
}

/// Which parameters of a run to use.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Checkpoint {
    /// Use the last parameters of the run instead of the best on held-out data.
    #[arg(long)]
    pub last: bool,
}

impl Checkpoint {
    /// The file in the folder of the run.
    pub fn file(self) -> &'static str {
        if self.last { LAST } else { BEST }
    }
}

/// The number of threads.
#[derive(Args, Clone, Copy, Debug)]
pub struct Threads {
    /// Number of threads; the result is the same for any number [default: one per core].
    #[arg(long = "threads", id = "threads", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS as i64))]
    pub given: Option<u16>,
}

impl Threads {
    /// The number; 0 means one per core.
    pub fn number(self) -> usize {
        usize::from(self.given.unwrap_or(0))
    }
}

/// The folder of all runs.
pub const RUNS: &str = "runs";

/// The folder of a run: a bare name is a folder in `runs/`; anything else is a path.
pub fn run_path(name: &str) -> PathBuf {
    let path = Path::new(name);
    let bare = path.components().count() == 1 && !name.starts_with('.');
    if bare { Path::new(RUNS).join(path) } else { path.to_path_buf() }
}

/// The run in the current folder that a bare name does not mean: `./a` for `runs/a`.
pub fn beside_runs(path: &Path) -> Option<PathBuf> {
    let beside = Path::new(".").join(path.strip_prefix(RUNS).ok()?);
    beside.join(CONFIG).is_file().then_some(beside)
}

/// The first of `runs/NAME`, `runs/NAME-2`, ... that does not exist.
pub fn new_run_path(name: &str) -> PathBuf {
    let names = std::iter::once(name.to_string()).chain((2..).map(|i| format!("{name}-{i}")));
    names.map(|n| run_path(&n)).find(|p| !p.exists()).expect("there are infinitely many names")
}

/// The path from the root, as a run stores it: text.
///
/// # Errors
/// If it is not UTF-8: a replaced character would name another path.
pub fn full_path(path: &Path) -> anyhow::Result<String> {
    let full = std::path::absolute(path).unwrap_or(path.to_path_buf());
    match full.to_str() {
        Some(text) => Ok(text.into()),
        None => bail!(
            "{} has a name in it that is not UTF-8, which a run cannot store: rename that folder",
            full.display()
        ),
    }
}

/// Checks that at most one of these files is standard input. `all` names them in the message.
pub fn check_read_once(files: impl IntoIterator<Item: AsRef<Path>>, all: &str) -> anyhow::Result<()> {
    if files.into_iter().filter(|file| file.as_ref().as_os_str() == PIPED).count() > 1 {
        bail!("standard input (-) is read only once: give a file for all but one of {all}");
    }
    Ok(())
}

/// `path`, quoted for the shell of this system if necessary.
pub fn quoted(path: &Path) -> String {
    quoted_for(cfg!(windows), path.display().to_string())
}

fn quoted_for(windows: bool, text: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c) || (windows && c == '\\');
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else if windows {
        // No name there has a quote in it.
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_names_are_folders_in_runs() {
        assert_eq!(run_path("first"), Path::new("runs/first"));
        assert_eq!(run_path("./first"), Path::new("./first"));
        assert_eq!(run_path("/tmp/x"), Path::new("/tmp/x"));
        assert_eq!(run_path(".."), Path::new(".."));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/x\xff/a.txt"));
        let error = full_path(path).map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("a.txt has a name in it that is not UTF-8")));
        assert!(full_path(Path::new("/x/a.txt")).is_ok_and(|path| path == "/x/a.txt"));
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        let quoted = |windows, path: &str| quoted_for(windows, path.into());
        assert_eq!(quoted(false, "runs/a-1"), "runs/a-1");
        assert_eq!(quoted(false, "my run's"), r"'my run'\''s'");
        assert_eq!(quoted(false, r"runs\a"), r"'runs\a'");
        assert_eq!(quoted(true, r"target\release\m2g"), r"target\release\m2g");
        assert_eq!(quoted(true, r"C:\my runs"), r#""C:\my runs""#);
    }
}
