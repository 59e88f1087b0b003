//! Why a pickle cannot be read.

/// The longest accepted pickle. That of a checkpoint with 1000 blocks takes 2 MB, and 5 MB with the state of AdamW.
pub const MAX_BYTES: usize = 1 << 23;

/// An error of a pickle. The message completes a sentence about the file: "it ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// It names a function or a class that is not known, in a value that is needed.
    #[error(
        "its pickle names {0}, and only tensors, numbers, strings, lists and dicts are read: nothing of it was \
         executed, so save the file again with only those"
    )]
    Unknown(String),
    /// It ends in the middle.
    #[error("its pickle is cut off at byte {0}")]
    CutOff(usize),
    /// It contradicts itself.
    #[error("its pickle is damaged at byte {at}: {why}")]
    Damaged {
        /// The offset of the opcode.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// It does not begin as pickles of protocol 2 to 5 do.
    #[error(
        "it is not a pickle of protocol 2 to 5: if it is one of protocol 0 or 1, save it again with protocol 2"
    )]
    Protocol,
    /// It is a pointer of Git LFS: see [`crate::git_lfs`].
    #[error("{0}")]
    GitLfs(&'static str),
    /// It is larger than a pickle without tensors can sensibly be.
    #[error("its pickle has {0} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge(usize),
}
