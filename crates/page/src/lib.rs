//! The page of `m2g open`: a local server, and the page that it serves.
//!
//! The page draws; it computes nothing. Every number comes from the core: a step is run and kept
//! ([`m2g_core::inspect`]), its ops go to the page as JSON, and the elements of a value as binary when they are
//! looked at. What other commands answer already comes from their functions ([`Commands`]), so that both say the
//! same.
//!
//! | module | holds |
//! | --- | --- |
//! | `server` | HTTP on 127.0.0.1, and who may ask |
//! | `routes` | what can be asked |
//! | `assets` | the files of the page, which `assets/` holds |
//! | `strip` | leaves out their comments when they are packed |
//! | `state` | the models, the steps that are kept, the training in progress |
//! | `commands` | what other commands answer |
//! | `models` | models by name: untrained ones, and runs |
//! | `watch` | the runs as they change |
//! | `texts` | tests that every name has a text |
//! | `training/` | a training that the page has started |
//! | `hub` | streams of events |
//! | `markdown` | the notes as blocks |
//! | `chapters/` | the answers of each chapter |

mod assets;
mod chapters;
mod commands;
mod hub;
mod markdown;
mod models;
mod routes;
mod server;
mod state;
#[cfg(test)]
mod strip;
#[cfg(test)]
mod texts;
mod training;
mod watch;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

pub use self::commands::Commands;
use self::server::gate::{Gate, new_token};
use self::state::State;

/// A server that is ready.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    gate: Gate,
    state: Arc<State>,
}

impl Server {
    /// Opens a port of 127.0.0.1: this one, or a free one for 0. The runs in these folders are offered first, then
    /// those in runs/.
    ///
    /// # Errors
    /// If the port is taken, or the system has no random numbers.
    pub fn open(port: u16, runs: Vec<PathBuf>, commands: Commands) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| {
            anyhow::anyhow!("cannot open port {port} of this computer: {e}; give another one with --port N")
        })?;
        let port = listener.local_addr()?.port();
        let gate = Gate::new(port, token()?);
        Ok(Self { listener, gate, state: Arc::new(State::new(runs, commands)) })
    }

    /// The address to open, with its token.
    pub fn address(&self) -> String {
        self.gate.address()
    }

    /// Serves until `stop` answers `true`. A training in progress is then saved.
    ///
    /// # Errors
    /// If the port cannot be served.
    pub fn serve(self, stop: fn() -> bool) -> anyhow::Result<()> {
        Ok(server::serve(self.listener, self.gate, self.state, stop)?)
    }
}

/// A new token; in a debug build, a test may choose it.
fn token() -> anyhow::Result<String> {
    #[cfg(debug_assertions)]
    if let Ok(token) = std::env::var("M2G_PAGE_TOKEN") {
        return Ok(token);
    }
    new_token().map_err(|e| anyhow::anyhow!("the system gives no random numbers: {e}"))
}
