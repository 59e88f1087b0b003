//! A value on the tape.

/// A value on the tape, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Var(pub(crate) usize);
