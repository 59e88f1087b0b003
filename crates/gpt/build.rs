//! Packs the project's own notes and sources into the crate: they are a training text, and what
//! `m2g compare` and the page show.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = fs::canonicalize(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../.."))?;
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = vec![root.join("README.md")];
    add_files(&root.join("notebooks-notes"), "md", &mut files)?;
    for folder in sorted_entries(&root.join("crates"))? {
        let sources = folder.join("src");
        // The grader of the exercises makes mistakes on purpose: nothing to learn from.
        let is_grader = folder.ends_with("learn");
        if sources.is_dir() && !is_grader {
            add_files(&sources, "rs", &mut files)?;
        }
    }
    let mut own = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&root)?.to_string_lossy().replace('\\', "/");
        own.push((name, fs::read_to_string(file)?));
    }
    Ok(m2g_packed::pack(&own, &Path::new(&env::var("OUT_DIR")?).join("own_text"))?)
}

/// Adds the files below `folder` with this extension. Cargo watches the folder for new ones.
fn add_files(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for path in sorted_entries(folder)? {
        // One language is enough: the Spanish notes say the same.
        if path.is_dir() && !path.ends_with("es") {
            add_files(&path, extension, files)?;
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
    Ok(())
}

/// The entries of a folder, sorted by name; empty if the folder does not exist.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}
