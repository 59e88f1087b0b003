//! Ctrl-C: the first asks the training to save and stop, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// The exit code of a process that was stopped by Ctrl-C, by custom of shells.
pub const EXIT_CODE: u8 = 130;

/// Listens for Ctrl-C from now on.
pub fn listen() {
    // Fails only if somebody listens already, who is then us.
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_CODE));
        }
    });
}

/// Whether Ctrl-C was pressed.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
