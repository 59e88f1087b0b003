//! Lists the files that are compiled into the program: those of the page, the notes and their pictures.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folders of notes and of pictures, in both languages.
const NOTES: [&str; 6] = ["", "derivations", "questions", "es", "es/derivations", "es/questions"];
const PICTURES: [&str; 2] = ["pictures", "es/pictures"];

fn main() -> Result<(), Box<dyn Error>> {
    let here = fs::canonicalize(env::var("CARGO_MANIFEST_DIR")?)?;
    println!("cargo::rerun-if-changed=build.rs");
    let assets = here.join("assets");
    let mut files = Vec::new();
    add_files(&assets, &mut files)?;
    write_list("assets.rs", "include_bytes", &assets, files)?;
    let notes = here.join("../../notebooks-notes");
    for (list, ending, folders) in [("notes.rs", "md", &NOTES[..]), ("pictures.rs", "svg", &PICTURES)] {
        let mut files = Vec::new();
        for folder in folders {
            files.extend(
                entries(&notes.join(folder))?.filter(|file| file.extension().is_some_and(|e| e == ending)),
            );
        }
        write_list(list, "include_str", &notes, files)?;
    }
    Ok(())
}

/// Writes a list of names and contents, by name.
fn write_list(list: &str, include: &str, root: &Path, mut files: Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    files.sort();
    let mut all = String::from("&[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        writeln!(all, "    ({name:?}, {include}!({:?})),", file.to_string_lossy())?;
    }
    all.push_str("]\n");
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join(list), all)?)
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
