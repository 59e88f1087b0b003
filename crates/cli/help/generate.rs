//! `m2g completions` and `m2g man`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::output::{self, LongRun};
use crate::output_file;

/// The name of the program in completions and manual pages.
const NAME: &str = "m2g";

/// Print the completions of a shell: bash, zsh, fish or powershell.
///
/// For bash: m2g completions bash > ~/.local/share/bash-completion/completions/m2g
#[derive(Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL", hide_possible_values = true)]
    #[arg(value_parser = shell)]
    shell: Shell,
}

/// Write a manual page for each command into a folder.
#[derive(Args)]
pub struct ManPages {
    /// The folder to write to; it is created if it does not exist.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// The shells that are supported.
fn shell(name: &str) -> Result<Shell, String> {
    match name {
        "bash" => Ok(Shell::Bash),
        "zsh" => Ok(Shell::Zsh),
        "fish" => Ok(Shell::Fish),
        "powershell" => Ok(Shell::PowerShell),
        _ => Err("the shells are bash, zsh, fish, powershell".into()),
    }
}

impl Completions {
    /// Prints the completions for `command`, the whole command line.
    pub fn run(self, mut command: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, NAME, &mut script);
        output::line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl ManPages {
    /// Writes the pages of `command`, the whole command line, and prints their paths.
    pub fn run(self, command: Command) -> anyhow::Result<ExitCode> {
        let dir = &output_file::followed_folder(&self.dir);
        std::fs::create_dir_all(dir)
            .map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
        let mut command = command.name(NAME).disable_help_subcommand(true);
        // Gives each subcommand its full name, `m2g-gpt-train`.
        command.build();
        let mut shown = LongRun::new(true);
        write_pages(&command, NAME, dir, &mut shown)?;
        shown.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write_pages(command: &Command, name: &str, dir: &Path, shown: &mut LongRun) -> anyhow::Result<()> {
    let mut page = Vec::new();
    Man::new(command.clone()).source(concat!("m2g ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    let page = with_examples_line_by_line(&String::from_utf8_lossy(&page));
    let file = dir.join(format!("{name}.1"));
    output_file::write_bytes(&file, page.as_bytes())?;
    shown.line(file.display());
    let mut subcommands = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    subcommands.try_for_each(|subcommand| {
        write_pages(subcommand, &format!("{name}-{}", subcommand.get_name()), dir, shown)
    })
}

/// The page with its examples under a heading of their own, and not filled like a paragraph: they are to be copied.
fn with_examples_line_by_line(page: &str) -> String {
    let Some((before, rest)) = page.split_once(".SH EXTRA\nExamples:\n") else { return page.into() };
    let end = rest.find("\n.SH ").map_or(rest.len(), |line_end| line_end + 1);
    let (examples, after) = rest.split_at(end);
    format!("{before}.SH EXAMPLES\n.nf\n{examples}.fi\n{after}")
}
