//! Ctrl-C: the first asks the current work to save and stop, the second exits at once.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether there is work that Ctrl-C stops; always, except between the answers of a conversation.
static WORKING: AtomicBool = AtomicBool::new(true);

/// The exit code of a process that was stopped by Ctrl-C, by shell convention.
pub const EXIT_CODE: u8 = 130;

/// Installs the handler of Ctrl-C.
pub fn listen() {
    // There is always work.
    listen_between_answers(exit);
}

/// Installs the handler of Ctrl-C for a conversation: between answers, it calls `idle`.
pub fn listen_between_answers(idle: fn()) {
    // Fails only if a handler is already installed.
    let _ = ctrlc::set_handler(move || {
        if !WORKING.load(Ordering::Relaxed) {
            idle();
        } else if REQUESTED.swap(true, Ordering::Relaxed) {
            exit();
        }
    });
}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Says whether an answer of a conversation is being written, and forgets an earlier Ctrl-C.
pub fn set_answering(answering: bool) {
    REQUESTED.store(false, Ordering::Relaxed);
    WORKING.store(answering, Ordering::Relaxed);
}

/// Ends the process as Ctrl-C does.
pub fn exit() {
    std::process::exit(i32::from(EXIT_CODE));
}
