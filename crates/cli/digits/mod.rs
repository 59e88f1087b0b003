//! The subcommands of `m2g digits` that no other model has, and its settings.

pub mod plot;
pub mod predict;
pub mod reading;
pub mod settings;
pub mod test_report;
