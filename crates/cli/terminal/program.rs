//! How the user calls this program, so that a command in a hint can be copied.

use std::env;
use std::path::{Path, PathBuf};

use crate::flags::quoted;

/// The beginning of a command that works where the user stands: `cargo run --release --` if the
/// program was started by cargo in its own workspace, otherwise the name by which it was called.
pub fn program() -> String {
    let workspace = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    name(workspace.as_deref(), &env::current_dir().unwrap_or_default(), &called)
}

/// The command with these arguments: `m2g gpt sample runs/a`.
pub fn command(arguments: &str) -> String {
    format!("{} {arguments}", program())
}

/// The text with every command of the libraries, `` `m2g ...` ``, as the user would type it.
pub fn with_program(text: &str) -> String {
    text.replace("`m2g ", &format!("`{} ", program()))
}

fn name(workspace: Option<&Path>, here: &Path, called: &Path) -> String {
    // Tests are started by cargo too, but in other folders, where `cargo run` finds no workspace.
    match workspace {
        Some(workspace) if here.starts_with(workspace) => "cargo run --release --".into(),
        _ if called.as_os_str().is_empty() => "m2g".into(),
        _ => quoted(called),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_work_where_the_user_stands() {
        let name = |workspace: Option<&str>, here: &str, called: &str| {
            super::name(workspace.map(Path::new), Path::new(here), Path::new(called))
        };
        assert_eq!(name(None, "/home/a", "m2g"), "m2g");
        assert_eq!(name(None, "/home/a", "target/release/m2g"), "target/release/m2g");
        assert_eq!(name(Some("/src"), "/src/notes", "target/release/m2g"), "cargo run --release --");
        assert_eq!(name(Some("/src"), "/tmp", "/src/target/debug/m2g"), "/src/target/debug/m2g");
        assert_eq!(name(None, "/", "my tools/m2g"), "'my tools/m2g'");
        assert_eq!(name(None, "/", ""), "m2g");
    }
}
