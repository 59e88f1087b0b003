//! Ctrl-C: the first asks the current work to save and stop, the second exits at once.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The exit code of a process that was stopped by Ctrl-C, by shell convention.
pub const EXIT_CODE: u8 = 130;

/// Installs the handler of Ctrl-C.
pub fn listen() {
    // Fails only if this handler is already installed.
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_CODE));
        }
    });
}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
