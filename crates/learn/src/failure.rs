//! Why a program gave no answer.

/// Why a program gave no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The gap is not filled: `todo!()` ran.
    #[error("its gap is not filled")]
    Gap,
    /// It panicked.
    #[error("it stopped at {place}: {message}")]
    Panic {
        /// The file, line and column.
        place: String,
        /// The message.
        message: String,
    },
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// It needed too much memory.
    #[error("it needed too much memory")]
    Memory,
    /// A function called itself without end.
    #[error("a function called itself without end")]
    StackOverflow,
    /// It printed or answered too much.
    #[error("it printed or answered too much")]
    TooLong,
    /// It ended without an answer.
    #[error("it ended without an answer")]
    Ended,
    /// Its answer is not of this version of the grader.
    #[error("its answer cannot be read")]
    Protocol,
}

impl Failure {
    /// The reason, from what a program that ended wrote to stderr.
    pub fn of(stderr: &str) -> Self {
        if stderr.contains("memory allocation of") || stderr.contains("capacity overflow") {
            return Self::Memory;
        }
        if stderr.contains("has overflowed its stack") {
            return Self::StackOverflow;
        }
        let Some((_, panic)) = stderr.rsplit_once("panicked at ") else { return Self::Ended };
        let (place, message) = panic.split_once('\n').unwrap_or((panic, ""));
        let message = message.split("\nnote: run with").next().unwrap_or_default().trim();
        match message.starts_with("not yet implemented") {
            true => Self::Gap,
            false => {
                Self::Panic { place: place.trim().trim_end_matches(':').into(), message: message.into() }
            }
        }
    }

    /// Whether the program panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panic { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_read_from_stderr() {
        let panic = |message: &str| {
            format!(
                "hello\nthread 'main' (1) panicked at src/bin/a.rs:3:5:\n{message}\nnote: run with `RUST_BACKTRACE=1` ...\n"
            )
        };
        assert_eq!(Failure::of(&panic("not yet implemented")), Failure::Gap);
        let place = "src/bin/a.rs:3:5".to_string();
        assert_eq!(Failure::of(&panic("a\nb")), Failure::Panic { place, message: "a\nb".into() });
        assert_eq!(Failure::of("memory allocation of 9 bytes failed"), Failure::Memory);
        assert_eq!(Failure::of("\nthread 'main' has overflowed its stack\n"), Failure::StackOverflow);
        assert_eq!(Failure::of(""), Failure::Ended);
    }
}
