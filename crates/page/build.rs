//! Packs the files that the program holds: those of the page, without their comments; the notes and their pictures.

#[path = "src/strip.rs"]
mod strip;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folders of notes and of pictures, in both languages.
const NOTES: [&str; 6] = ["", "derivations", "questions", "es", "es/derivations", "es/questions"];
const PICTURES: [&str; 2] = ["pictures", "es/pictures"];

fn main() -> Result<(), Box<dyn Error>> {
    let here = fs::canonicalize(env::var("CARGO_MANIFEST_DIR")?)?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/strip.rs");
    let assets = here.join("assets");
    let mut files = Vec::new();
    add_files(&assets, &mut files)?;
    pack("assets", &assets, files, strip::without_comments)?;
    let notes = here.join("../../notebooks-notes");
    for (packed, ending, folders) in [("notes", "md", &NOTES[..]), ("pictures", "svg", &PICTURES)] {
        let mut files = Vec::new();
        for folder in folders {
            files.extend(
                entries(&notes.join(folder))?.filter(|file| file.extension().is_some_and(|e| e == ending)),
            );
        }
        pack(packed, &notes, files, str::to_owned)?;
    }
    Ok(())
}

/// Packs files, sorted by their path below `root`, into one: what `keep` keeps of each.
fn pack(
    packed: &str,
    root: &Path,
    mut files: Vec<PathBuf>,
    keep: fn(&str) -> String,
) -> Result<(), Box<dyn Error>> {
    files.sort();
    let mut all = Vec::new();
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        all.push((name, keep(&fs::read_to_string(file)?)));
    }
    Ok(m2g_packed::pack(&all, &Path::new(&env::var("OUT_DIR")?).join(packed))?)
}

/// Adds the files below a folder.
fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for path in entries(folder)? {
        if path.is_dir() {
            add_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What is in a folder. Cargo watches it for new files.
fn entries(folder: &Path) -> Result<impl Iterator<Item = PathBuf> + use<>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let all =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    Ok(all.into_iter())
}
