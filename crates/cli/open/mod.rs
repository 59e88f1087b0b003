//! `m2g open`: the page, on a local server.
//!
//! | file | holds |
//! | --- | --- |
//! | `mod.rs` | the command |
//! | `answers.rs` | what other commands answer, for the page |
//! | `browser.rs` | opens the page in the user's browser |

mod answers;
mod browser;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use m2g_core::train::run_folder::{self, LAST};
use m2g_page::Server;

use crate::flags::run_path;
use crate::interrupt::{self, Work};
use crate::output;
use crate::terminal::notes;

/// Open the page: draw a digit, look into a GPT, watch a training, ask what if.
///
/// Serves a page on this computer alone, and prints its address, which holds a secret: other users and other
/// pages cannot ask the server anything. Everything is computed here, with your own runs; nothing is sent
/// anywhere, and nothing is loaded from anywhere. Ctrl-C ends it; a training that the page has started is
/// then saved, and can be resumed.
#[derive(Args)]
pub struct Open {
    /// Runs to show first: names under runs/, or paths. The page offers all runs in runs/ too.
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// The port [default: a free one].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Only print the address.
    #[arg(long)]
    no_browser: bool,
}

impl Open {
    /// Serves until Ctrl-C.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let runs: Vec<_> = self.runs.iter().map(|name| run_path(name)).collect();
        for run in &runs {
            run_folder::kind(run, LAST)?;
        }
        let server = Server::open(self.port, runs, answers::COMMANDS)?;
        let _work = Work::orderly();
        let address = server.address();
        output::line(&address)?;
        if !self.no_browser && io::stdout().is_terminal() {
            browser::open(&address);
        }
        notes::line("open this address in a browser; Ctrl-C ends the server");
        server.serve(interrupt::requested)?;
        Ok(ExitCode::from(interrupt::EXIT_CODE))
    }
}
