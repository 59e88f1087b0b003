//! The peers: scripts of `benches/peers/`, which travel with the program, and the Python
//! that runs them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// Who does the same work.
pub struct Peer {
    /// What it is called.
    pub name: &'static str,
    /// What runs it.
    pub script: Script,
    /// The Python packages without which it cannot run.
    pub needs: &'static [&'static str],
    /// The arguments of the script.
    pub args: Vec<String>,
    /// How many times as long as we it should take, where that is a target.
    pub target: Option<f64>,
}

/// A script.
#[derive(Clone, Copy)]
pub enum Script {
    /// The digit network in PyTorch.
    DigitsTorch,
    /// The same in numpy.
    DigitsNumpy,
    /// The GPT in PyTorch, and in transformers.
    GptTorch,
}

impl Script {
    /// The name of its file, and its text.
    pub fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::DigitsTorch => ("digits_torch.py", include_str!("../../../benches/peers/digits_torch.py")),
            Self::DigitsNumpy => ("digits_numpy.py", include_str!("../../../benches/peers/digits_numpy.py")),
            Self::GptTorch => ("gpt_torch.py", include_str!("../../../benches/peers/gpt_torch.py")),
        }
    }
}

/// Writes all scripts into a folder, which is gone with the value that is returned.
pub fn write_scripts() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder for the peers' scripts")?;
    for script in [Script::DigitsTorch, Script::DigitsNumpy, Script::GptTorch] {
        let (name, text) = script.file();
        let path = folder.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}

/// The interpreter that runs the peers.
pub const PYTHON: &str = "python3";

/// What is installed of what the peers need.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Python {
    /// The version of Python.
    pub python: String,
    /// The versions of the packages that are there.
    pub packages: BTreeMap<String, String>,
}

impl Python {
    /// Asks the interpreter; or says in a sentence why there is nobody to ask.
    pub fn find() -> Result<Self, String> {
        const ASK: &str = "
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
            .args(["-c", ASK])
            .output()
            .map_err(|_| format!("{PYTHON} is missing, install it and then {INSTALL}"))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{PYTHON} does not work here: {}", last_line(&output.stderr)))
    }

    /// Whether a package is installed.
    pub fn has(&self, package: &str) -> bool {
        self.packages.contains_key(package)
    }
}

/// How the packages are installed.
const INSTALL: &str = "`pip install -r benches/peers/requirements.txt`";

/// What to do where a package is missing.
pub fn without(package: &str) -> String {
    format!("the Python package {package} is missing, install it with {INSTALL}")
}

/// The last line of what a process wrote, which names the error in Python, and in ours.
pub fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim();
    line.trim_start_matches("error: ").to_string()
}
