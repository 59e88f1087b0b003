//! The peers: the scripts in `benches/peers/`, embedded in the program, and the Python that runs
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, ExitStatus};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// Another implementation of the same work.
pub struct Peer {
    /// The name.
    pub name: &'static str,
    /// The file name of the script.
    pub script: &'static str,
    /// The Python packages that the script needs.
    pub needs: &'static [&'static str],
    /// The arguments of the script.
    pub args: Vec<String>,
    /// The target ratio of the peer's time to ours, if any.
    pub target: Option<f64>,
}

impl Peer {
    /// A peer that runs `script` with these arguments.
    pub fn new(
        name: &'static str,
        script: &'static str,
        needs: &'static [&'static str],
        args: &[&str],
        target: Option<f64>,
    ) -> Self {
        Self { name, script, needs, args: args.iter().map(ToString::to_string).collect(), target }
    }
}

/// The scripts: the name of the file, and its text.
const SCRIPTS: [(&str, &str); 4] = [
    ("digits_torch.py", include_str!("../../../benches/peers/digits_torch.py")),
    ("digits_numpy.py", include_str!("../../../benches/peers/digits_numpy.py")),
    ("gpt_torch.py", include_str!("../../../benches/peers/gpt_torch.py")),
    ("translate_torch.py", include_str!("../../../benches/peers/translate_torch.py")),
];

/// Writes all scripts to a temporary folder, which is deleted when the result is dropped.
pub fn write_scripts() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().map_err(m2g_core::Error::temporary)?;
    for (name, text) in SCRIPTS {
        let path = folder.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}

/// The interpreter that runs the peers.
pub const PYTHON: &str = "python3";

/// The installed Python and the packages that the peers need.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Python {
    /// The version of Python.
    pub python: String,
    /// The versions of the installed packages.
    pub packages: BTreeMap<String, String>,
}

impl Python {
    /// Queries the interpreter.
    ///
    /// # Errors
    /// One sentence that says why it cannot be used.
    pub fn find() -> Result<Self, String> {
        const QUERY: &str = "
import importlib.metadata, json, platform
packages = {}
for name in ('numpy', 'torch', 'transformers'):
    try:
        packages[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({'python': platform.python_version(), 'packages': packages}))
";
        let output = Command::new(PYTHON)
            .args(["-c", QUERY])
            .output()
            .map_err(|_| format!("{PYTHON} is missing; install it, then run {INSTALL}"))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{PYTHON} does not work here: {}", last_line(&output.stderr)))
    }

    /// Whether a package is installed.
    pub fn has(&self, package: &str) -> bool {
        self.packages.contains_key(package)
    }
}

/// The command that installs the packages.
const INSTALL: &str = "`pip install numpy torch transformers`";

/// The message that a package is missing, with the command that installs it.
pub fn without(package: &str) -> String {
    format!("the Python package {package} is missing; install it with {INSTALL}")
}

/// Why a process of ours or of a peer failed: its error, or the signal that ended it, or its last line.
pub fn why(stderr: &[u8], status: ExitStatus) -> String {
    let text = String::from_utf8_lossy(stderr);
    match (text.lines().find_map(|line| line.strip_prefix("error: ")), status.code()) {
        (Some(error), _) => error.trim().into(),
        (None, None) => format!("it was ended from outside, perhaps for want of memory ({status})"),
        (None, Some(_)) => last_line(stderr),
    }
}

/// The last line of a process's output, which names the error both in Python and in m2g.
pub fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message").trim();
    line.trim_start_matches("error: ").to_string()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_failure_is_the_error_and_not_the_advice_below_it() {
        let failed = |text: &str, status| why(text.as_bytes(), ExitStatus::from_raw(status));
        let clap = "error: invalid value '1025' for '--threads <N>'\n\nFor more information, try '--help'.\n";
        assert_eq!(failed(clap, 2 << 8), "invalid value '1025' for '--threads <N>'");
        assert_eq!(failed("a line\nValueError: no\n\n", 1 << 8), "ValueError: no");
        assert!(
            failed("", 9).starts_with("it was ended from outside, perhaps for want of memory (signal: 9")
        );
    }
}
