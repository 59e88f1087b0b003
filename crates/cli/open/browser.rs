//! Opens an address in the user's browser.

use std::process::{Command, Stdio};

use crate::terminal::lines::note;

/// The program that opens an address on this system, with the arguments before the address.
#[cfg(target_os = "macos")]
const OPENER: (&str, &[&str]) = ("open", &[]);
#[cfg(windows)]
const OPENER: (&str, &[&str]) = ("rundll32", &["url.dll,FileProtocolHandler"]);
#[cfg(not(any(target_os = "macos", windows)))]
const OPENER: (&str, &[&str]) = ("xdg-open", &[]);

/// Opens the address, if the system can. The page is served in any case.
pub fn open(address: &str) {
    let (program, arguments) = OPENER;
    let started = Command::new(program)
        .args(arguments)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        // Waits for it, so that it does not stay behind as a dead process.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => note(&format!("the browser was not opened: {program} cannot be started ({error})")),
    }
}
