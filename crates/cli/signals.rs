//! Two settings of signals that the standard library lacks: whether one is ignored, and to ignore it.
#![cfg_attr(unix, allow(unsafe_code))]

/// A signal.
#[derive(Clone, Copy)]
pub enum Signal {
    /// The terminal was closed. `nohup` starts a program that ignores this.
    HangUp,
    /// A file would exceed the limit of `ulimit -f`. Ignored, the write fails instead.
    FileTooLarge,
}

#[cfg(unix)]
impl Signal {
    fn number(self) -> libc::c_int {
        match self {
            Self::HangUp => libc::SIGHUP,
            Self::FileTooLarge => libc::SIGXFSZ,
        }
    }

    /// Whether this process ignores the signal.
    pub fn is_ignored(self) -> bool {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: no new action is given; the current one is written to `action`, which is read only if
        // that succeeded.
        unsafe {
            libc::sigaction(self.number(), std::ptr::null(), action.as_mut_ptr()) == 0
                && action.assume_init().sa_sigaction == libc::SIG_IGN
        }
    }

    /// From now on, this process ignores the signal.
    pub fn ignore(self) {
        // SAFETY: `SIG_IGN` runs no code of ours.
        unsafe { libc::signal(self.number(), libc::SIG_IGN) };
    }
}

#[cfg(not(unix))]
impl Signal {
    /// Whether this process ignores the signal.
    pub fn is_ignored(self) -> bool {
        false
    }

    /// There are no such signals here.
    pub fn ignore(self) {}
}
