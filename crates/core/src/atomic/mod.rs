//! Atomic writes: a file or folder appears complete or not at all, and nothing incomplete
//! ever replaces it.
//!
//! | file | holds |
//! | --- | --- |
//! | `changes.rs` | the calls that change files, and the point at which tests kill the process |
//! | `lock.rs` | [`Lock`]: one process at a time |
//! | `file.rs` | [`write()`]: a file is written under another name, and renamed |
//! | `folder.rs` | [`folder()`]: a folder is filled elsewhere, and exchanged with the old one |
//! | `own.rs` | [`check_own()`]: a folder with other files is not replaced |
//! | `staging.rs` | where that happens, and what becomes of it if the process is killed |
//!
//! What a killed process leaves is called `.new-NAME`, and is removed by the next process that
//! creates something there. An old folder that had to be moved aside is moved back first.

use std::path::Path;

mod changes;
mod file;
mod folder;
mod lock;
mod own;
mod staging;

pub use changes::{
    File, KILL_BEFORE_CHANGE, NO_EXCHANGE, NO_FOLDER_SYNC, NO_LOCKS, NO_OPEN_MOVES, sync_folder,
};
pub(crate) use changes::{closing_files, rename_to_free};
pub use file::{remove_leftover_files, write};
pub use folder::{folder, folder_with_open_files, remove};
pub use lock::Lock;
pub use own::check_own;
pub(crate) use staging::{create_parents, remove_empty_folders};
pub use staging::{restore, sweep};

/// How the names of incomplete files and folders start.
pub const PREFIX: &str = ".new-";

/// The folder that holds `path`.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
