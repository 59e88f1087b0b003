//! Ctrl-C, SIGTERM, and SIGHUP when the terminal is closed. The first ends the process at once, unless
//! [`Work`] is in progress that has something to save; the second always ends it.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::signals::Signal;
use crate::terminal::notes;

/// The exit code of a process that was stopped by Ctrl-C, by shell convention.
pub const EXIT_CODE: u8 = 130;

/// How long work with nothing to save may take to stop.
const GRACE: Duration = Duration::from_secs(1);

/// How much later than a child, which it ends too, Ctrl-C may be noticed here.
const MOMENT: Duration = Duration::from_millis(50);

/// Signals within this time count as one: when a terminal is closed, and from `timeout`, two come.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Two signals within this time, while a person could type, are meant.
const IN_A_ROW: Duration = Duration::from_secs(2);

/// Whether the current work was asked to stop.
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What the process does, and how often that has changed.
static DOING: Mutex<(Doing, u64)> = Mutex::new((Doing::Nothing, 0));

/// What a process does when a signal comes.
#[derive(Clone, Copy)]
enum Doing {
    /// Nothing that has to end in order.
    Nothing,
    /// It waits for a line, and says this.
    Waiting(fn()),
    /// Work that is given a little time to stop.
    Stoppable,
    /// Work that must end in order, however long that takes.
    Orderly,
}

fn doing() -> MutexGuard<'static, (Doing, u64)> {
    DOING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(new: Doing) {
    let mut now = doing();
    *now = (new, now.1 + 1);
    REQUESTED.store(false, Ordering::Relaxed);
}

/// Work that asks [`requested`] whether to stop, until this is dropped.
pub struct Work(());

impl Work {
    /// Work with nothing to save: the process ends if it has not stopped after a second.
    pub fn stoppable() -> Self {
        set(Doing::Stoppable);
        Self(())
    }

    /// Work that saves before it stops, or otherwise ends in order: only a second signal ends it earlier.
    pub fn orderly() -> Self {
        set(Doing::Orderly);
        Self(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        set(Doing::Nothing);
    }
}

/// From now on, until other work begins, the first signal does not end the process but calls `remind`: it
/// waits for a person to type a line. A second one soon after it ends the process.
pub fn wait_for_line(remind: fn()) {
    set(Doing::Waiting(remind));
}

/// Whether the current work is to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// The same once a child has failed, which Ctrl-C ends too.
pub fn requested_if_child_failed() -> bool {
    if !requested() {
        sleep(MOMENT);
    }
    requested()
}

/// Listens to signals, from the start of the process. Under `nohup`, a closed terminal is no reason to
/// stop.
pub fn listen() {
    Signal::FileTooLarge.ignore();
    let stays_without_terminal = Signal::HangUp.is_ignored();
    let (mut first, mut reminded) = (None::<Instant>, None::<Instant>);
    // Fails only if a handler is already installed.
    let _ = ctrlc::set_handler(move || {
        let now = doing();
        let (doing_now, work) = *now;
        let is_first = matches!(doing_now, Doing::Stoppable | Doing::Orderly)
            && !REQUESTED.swap(true, Ordering::Relaxed);
        drop(now);
        match doing_now {
            Doing::Nothing => exit(),
            Doing::Waiting(_) if reminded.is_some_and(|at| at.elapsed() < IN_A_ROW) => exit(),
            Doing::Waiting(remind) => {
                reminded = Some(Instant::now());
                remind();
            }
            Doing::Stoppable => {
                sleep(GRACE);
                if doing().1 == work {
                    exit();
                }
            }
            Doing::Orderly if is_first => first = Some(Instant::now()),
            Doing::Orderly if first.is_some_and(|first| first.elapsed() < SAME_SIGNAL) => {}
            Doing::Orderly => exit(),
        }
    });
    if stays_without_terminal {
        Signal::HangUp.ignore();
    }
}

/// Ends the process, with a sentence.
fn exit() {
    // Leaves the line of a progress bar, or of a text.
    notes::part(if io::stderr().is_terminal() { "\n" } else { "" });
    notes::line("stopped before the end");
    std::process::exit(i32::from(EXIT_CODE));
}
