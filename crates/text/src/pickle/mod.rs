//! Reads Python's pickles, protocols 2 to 5, and executes nothing.
//!
//! A pickle is a program for a stack machine that can call any function of Python. This reader
//! knows the opcodes that build numbers, strings, lists, tuples and dicts. It keeps every function and class
//! as a name, and what one makes as [`Value::Unknown`], except `collections.OrderedDict`, which is a dict, and
//! the names that its caller lists: a call of one of those becomes a [`Value::Call`], which the caller
//! interprets. A value that the caller needs must hold nothing unknown: see [`Pickle::needed`].
//!
//! | file | holds |
//! | --- | --- |
//! | `value` | [`Pickle`] and [`Value`]: what a pickle holds |
//! | `machine` | the stack machine |
//! | `opcodes` | the opcodes, under the names of Python's `pickletools` |
//! | `bytes` | reads numbers and strings, with a check of every length |
//! | `error` | [`PickleError`] |

mod bytes;
mod error;
mod machine;
mod opcodes;
mod value;

pub use error::{MAX_BYTES, PickleError};
pub use machine::read;
pub use value::{Pickle, Value, ValueId};

#[cfg(test)]
mod tests;
