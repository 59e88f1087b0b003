//! The code of a note, in order, is a file in `examples`, without a line more or less; what stands below
//! it is what that program prints. Pictures and notebooks are what `make` writes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::{blocks, example_of, folder, notes, prose, read};
use crate::support::*;

/// The program of an example, built as this test was.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap(); // target/debug/deps/end_to_end-...
    let built = test.parent().unwrap().parent().unwrap();
    let profile = match built.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        Some(name) => name,
        None => panic!("{} is in no profile's folder", test.display()),
    };
    // As `cargo test --workspace` has built it: then there is nothing left to build.
    let arguments = [
        "test",
        "--workspace",
        "--no-run",
        "--quiet",
        "--offline",
        "--locked",
        "--example",
        name,
        "--profile",
        profile,
    ];
    let mut target = built.parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).current_dir(root()).env_remove("CARGO_BUILD_TARGET");
    // A build for a target that was named, such as x86_64-unknown-linux-gnu, has a folder with that name.
    let triple = target.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if triple.starts_with(env::consts::ARCH) && triple.matches('-').count() >= 2 {
        cargo.args(["--target", triple]);
        target = target.parent().unwrap();
    }
    let status = cargo.arg("--target-dir").arg(target).status().unwrap();
    assert!(status.success(), "the example {name} does not compile");
    built.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// What an example prints.
fn output_of(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(example(name)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all examples but `make`, which are files.
fn examples() -> BTreeSet<String> {
    let files = fs::read_dir(folder().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let programs = files.filter(|path| path.extension() == Some(OsStr::new("rs")));
    programs.map(|path| path.file_stem().unwrap().to_str().unwrap().into()).collect()
}

#[test]
fn the_code_of_each_note_is_a_whole_program() {
    let mut shown = BTreeSet::new();
    for note in notes() {
        let text = read(&note);
        let code = blocks(&text, "rust");
        let Some(name) = example_of(&text) else {
            assert!(code.is_empty(), "{} shows code, but no command that runs it", note.display());
            continue;
        };
        let path = folder().join("examples").join(&name).with_extension("rs");
        let program = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let code = code.join("\n\n") + "\n";
        let differs = code.lines().zip(program.lines()).find(|(shown, written)| shown != written);
        assert!(differs.is_none(), "{} shows another line than {name}.rs: {differs:?}", note.display());
        assert_eq!(code, program, "{} does not show all of {name}.rs", note.display());
        assert!(shown.insert(name), "{}: two notes show one program", note.display());
    }
    assert_eq!(shown, examples(), "a program is in no note");
    let cargo: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let declared =
        cargo["example"].as_array().unwrap().iter().map(|example| example["name"].as_str().unwrap());
    assert_eq!(declared.filter(|name| *name != "make").collect::<BTreeSet<_>>().len(), shown.len());
}

#[test]
fn what_stands_below_the_code_is_what_it_prints() {
    let mut compared = 0;
    for note in notes() {
        let text = read(&note);
        if let Some(name) = example_of(&text) {
            let printed = blocks(&text, "output").join("\n") + "\n";
            assert_eq!(output_of(&name, &[]), printed, "{}", note.display());
            compared += 1;
        }
    }
    assert_eq!(compared, examples().len());
}

/// The pictures that a note shows, each with the line two lines below it.
fn pictures(text: &str) -> Vec<(String, String)> {
    let lines = prose(text);
    let shown = |i: usize| {
        let (_, path) = lines[i].strip_prefix("![")?.split_once("](")?;
        let name = Path::new(path.strip_suffix(')')?).file_stem()?.to_str()?;
        Some((name.to_string(), lines.get(i + 2).cloned().unwrap_or_default()))
    };
    (0..lines.len()).filter_map(shown).collect()
}

#[test]
fn every_picture_is_shown_with_the_command_that_draws_it() {
    let mut shown = BTreeSet::new();
    for note in notes() {
        for (name, below) in pictures(&read(&note)) {
            assert_eq!(
                below,
                format!("`cargo run --release --example make -- {name}`"),
                "{}",
                note.display()
            );
            shown.insert(name);
        }
    }
    let files = fs::read_dir(folder().join("pictures")).unwrap().map(|entry| entry.unwrap().path());
    let drawn: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().into()).collect();
    assert_eq!(shown, drawn);
    assert!(drawn.len() >= 25);
}

/// The files below a folder with their contents.
fn files(root: &Path, folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.filter(|path| path.extension() == Some(OsStr::new(extension)));
    let mut files: Vec<_> = named
        .map(|path| (path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn pictures_and_notebooks_are_made_again_to_the_same_bytes() {
    let out = tempfile::tempdir().unwrap();
    output_of("make", &["--out", out.path().to_str().unwrap()]);
    let kinds = [("pictures", "svg"), ("es/pictures", "svg"), ("", "ipynb"), ("es", "ipynb")];
    for (place, extension) in kinds {
        let (here, again) = (files(&folder(), place, extension), files(out.path(), place, extension));
        let names =
            |files: &[(PathBuf, String)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
        assert_eq!(names(&here), names(&again));
        assert!(!here.is_empty());
        for ((path, here), (_, again)) in here.iter().zip(&again) {
            assert!(here == again, "{} is not what `cargo run --example make` writes", path.display());
            assert!(extension != "svg" || here.contains("prefers-color-scheme:dark"), "{}", path.display());
        }
    }
}

/// Runs a notebook with Jupyter; `None` where Jupyter or the kernel is not installed.
fn run_notebook(path: &Path) -> Option<serde_json::Value> {
    let kernels = Command::new("jupyter").args(["kernelspec", "list", "--json"]).output().ok()?;
    let kernels: serde_json::Value = serde_json::from_slice(&kernels.stdout).ok()?;
    kernels["kernelspecs"].get("rust")?;
    // The kernel prints to stdout as well.
    let out = tempfile::tempdir().unwrap();
    let mut jupyter = Command::new("jupyter");
    jupyter.args(["nbconvert", "--to", "notebook", "--execute", "--ExecutePreprocessor.timeout=900"]);
    let output =
        jupyter.arg("--output-dir").arg(out.path()).args(["--output", "run"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_str(&fs::read_to_string(out.path().join("run.ipynb")).unwrap()).unwrap())
}

/// What the cells of a notebook print, one text per cell.
fn printed(notebook: &serde_json::Value) -> Vec<String> {
    let text = |output: &serde_json::Value| {
        let lines = output["text"].as_array().map(Vec::as_slice).unwrap_or_default();
        match output["text"].as_str() {
            Some(text) => text.into(),
            None => lines.iter().filter_map(|line| line.as_str()).collect::<String>(),
        }
    };
    let cells = notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
    let stdout = |output: &&serde_json::Value| output["name"] == "stdout";
    cells.map(|cell| cell["outputs"].as_array().unwrap().iter().filter(stdout).map(text).collect()).collect()
}

#[test]
fn notebooks_print_what_they_show_where_the_kernel_is_installed() {
    for (path, text) in files(&folder(), "", "ipynb") {
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(printed(&shown).iter().filter(|text| !text.is_empty()).count() >= 4);
        match run_notebook(&folder().join(&path)) {
            Some(run) => assert_eq!(printed(&run), printed(&shown), "{}", path.display()),
            None => println!("{} was not run: Jupyter with the kernel evcxr is not here", path.display()),
        }
    }
}
