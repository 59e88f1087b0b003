//! What a folder holds, as far as it is the same for each run of a command.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;

/// The content of the files by name.
pub type State = BTreeMap<String, Vec<u8>>;

/// What a folder holds, without times; `None` if it is missing.
///
/// # Panics
/// If a file is not complete.
pub fn state(folder: &Path) -> Option<State> {
    let entries = fs::read_dir(folder).ok()?;
    let mut files = State::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if name == "lock" || name.starts_with(".new-") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let content = match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => tensors(&bytes),
            Some("jsonl") => lines(&bytes),
            // Drawings follow from the results.
            Some("svg" | "png") => continue,
            Some("toml") => without_paths(&bytes),
            _ => bytes,
        };
        files.insert(name, content);
    }
    Some(files)
}

/// The tensors of a file, and the step in its metadata.
fn tensors(bytes: &[u8]) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let mut all: Vec<_> = tensors.iter().collect();
    all.sort_by_key(|(name, _)| name.to_string());
    let metadata = header.metadata().as_ref().and_then(|metadata| metadata.get("m2g"));
    let mut metadata: Value = serde_json::from_str(metadata.map_or("null", |text| text)).unwrap();
    if let Some(state) = metadata.get_mut("state").and_then(Value::as_object_mut) {
        state.remove("seconds");
    }
    let content = all.into_iter().flat_map(|(name, tensor)| [name.as_bytes(), tensor.data()].concat());
    content.chain(metadata["state"].to_string().into_bytes()).collect()
}

/// Settings, without the path of the data.
fn without_paths(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines().filter(|line| !line.starts_with("data = ")).collect::<Vec<_>>().join("\n").into_bytes()
}

/// The complete lines of a file, without times.
fn lines(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let each = whole.map(|line| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let object = value.as_object_mut().unwrap();
        object.remove("seconds");
        object.remove("times");
        format!("{value}\n")
    });
    each.collect::<String>().into_bytes()
}

/// The paths of incomplete files and folders below a folder.
pub fn leftovers(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(".new-") || name.starts_with(".old-") {
            found.push(entry.path().display().to_string());
        } else if entry.file_type().unwrap().is_dir() {
            found.extend(leftovers(&entry.path()));
        }
    }
    found
}

/// Copies what is in a folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        match path.is_dir() {
            true => copy(&path, &to),
            false => fs::copy(&path, &to).map(drop).unwrap(),
        }
    }
}
