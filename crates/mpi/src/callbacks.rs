//! What the program does for its connection.

/// What the program does for its connection.
#[derive(Debug, Clone, Copy)]
pub struct Callbacks {
    /// Says that a process was lost. All processes end right after it.
    pub lost: fn(&str),
    /// Whether this process was asked to stop.
    pub stopping: fn() -> bool,
}
