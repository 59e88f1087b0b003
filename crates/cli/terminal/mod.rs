//! Text for the terminal: how wide it is, and how lines, paragraphs and tables fit into it.
//!
//! | file | holds |
//! | --- | --- |
//! | `width.rs` | the width of the terminal, and of a text in it |
//! | `lines.rs` | paragraphs and lists of fields, broken where a reader would break them |
//! | `notes.rs` | the only writer to stderr |
//! | `table.rs` | tables that drop or fold columns instead of running over the edge |
//! | `program.rs` | how the user calls this program, for hints |

pub mod lines;
pub mod notes;
pub mod program;
pub mod table;
pub mod width;
