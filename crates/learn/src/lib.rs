//! The course: exercises that the learner writes, compiled and run as programs of their own, and
//! graded by the core.
//!
//! | file | holds |
//! | --- | --- |
//! | `exercise.rs` | [`exercise::Exercise`]: cases, the right answer by the core, typical mistakes |
//! | `exercises/` | one file per exercise |
//! | `folder.rs` | [`folder::Folder`]: the learner's files and progress |
//! | `program.rs` | compiles a program and runs it within limits |
//! | `grade.rs` | finds the first wrong case |
//! | `evidence.rs` | which mistake gives the same answers, and how they are related to the right ones |
//! | `compare.rs` | the first difference of two values: shapes, then numbers |
//! | `apply/` | a finished exercise in a model, beside the core |
//! | `report.rs`, `texts.rs` | the sentences, in English and Spanish |

pub mod apply;
pub mod compare;
mod core_values;
pub mod error;
mod evidence;
pub mod exercise;
pub mod exercises;
pub mod failure;
pub mod folder;
pub mod grade;
pub mod program;
pub mod report;
pub mod texts;
