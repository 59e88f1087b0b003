//! Why a program gave no answer.

/// What Rust's runtime writes when a program ends early.
const MEMORY: &str = "memory allocation of";
const STACK: &str = "has overflowed its stack";
const PANIC: &str = "panicked at ";
/// The end of the report of a panic.
const NOTE: &str = "\nnote: run with";

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
    /// In a model, its answer has another shape.
    #[error("its answer has the wrong shape for larger inputs than the grader's")]
    WrongShape,
    /// In a model, its answer is not finite.
    #[error("it answered NaN or infinity for larger inputs than the grader's")]
    NotFinite,
}

impl Failure {
    /// The key of the sentence about it.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Panic { .. } => "panic",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::StackOverflow => "stack",
            Self::TooLong => "too_long",
            Self::Ended => "ended",
            Self::Protocol => "protocol",
            Self::WrongShape => "wrong_shape",
            Self::NotFinite => "not_finite",
        }
    }

    /// The reason, from what a program that ended wrote.
    pub fn of(written: &str) -> Self {
        if written.contains(MEMORY) || written.contains("capacity overflow") {
            return Self::Memory;
        }
        if written.contains(STACK) {
            return Self::StackOverflow;
        }
        let Some((_, panic)) = written.rsplit_once(PANIC) else { return Self::Ended };
        let (place, message) = panic.split_once('\n').unwrap_or((panic, ""));
        let message = message.split(NOTE).next().unwrap_or_default().trim();
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

/// What a program wrote itself, without the report of the runtime about its end.
pub fn without_report(written: &str) -> String {
    let Some(reason) = [MEMORY, STACK, PANIC].into_iter().filter_map(|mark| written.rfind(mark)).min() else {
        return written.into();
    };
    let start = written[..reason].rfind('\n').map_or(0, |end| end + 1);
    // A line that was begun is written after the report.
    let rest = written[reason..].split_once(NOTE).and_then(|(_, rest)| Some(rest.split_once('\n')?.1));
    // The report begins with an empty line.
    let own = &written[..start];
    let own = match own.strip_suffix('\n') {
        Some(before) if before.is_empty() || before.ends_with('\n') => before,
        _ => own,
    };
    own.to_string() + rest.unwrap_or_default()
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
        let written = format!("{}rest", panic("a\nb"));
        assert_eq!(without_report(&written), "hello\nrest");
        assert_eq!(without_report("hi\nmemory allocation of 9 bytes failed\n"), "hi\n");
        assert_eq!(without_report("\nthread 'main' (1) has overflowed its stack\n"), "");
        assert_eq!(without_report("hi\n"), "hi\n");
    }
}
