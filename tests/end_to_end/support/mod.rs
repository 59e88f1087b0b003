//! Helpers for the end-to-end tests: running `m2g`, and small data cut from MNIST.
pub mod schema;
mod started;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use m2g_core::data::idx::{self, Idx};

pub use self::started::*;

/// The four files of MNIST and of datasets like it.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command that sees nothing of the user's data, terminal and jobs. What the tests inherit on stdin is no prompt.
pub fn command(program: &str) -> Command {
    const OF_THE_USER: [&str; 7] = [
        "M2G_DATA",
        "M2G_PAGE_TOKEN",
        "COLUMNS",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "PMI_RANK",
        "PMI_SIZE",
    ];
    let mut command = Command::new(program);
    for name in OF_THE_USER {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// The command `m2g` with these arguments in the folder `dir`.
pub fn m2g(dir: &Path, args: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_m2g"));
    command.current_dir(dir).args(args);
    command
}

/// Starts a command whose output a test reads.
pub fn start(command: &mut Command) -> Started {
    Started::new(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs a line of shell, in which `$M2G` is the program.
pub fn shell(dir: &Path, line: &str) -> Output {
    let mut command = command("sh");
    command.current_dir(dir).arg("-c").arg(line).env("M2G", env!("CARGO_BIN_EXE_m2g"));
    start(&mut command).output()
}

/// The flags of a GPT that trains in a second, on `a.txt`.
pub const TINY_GPT: &str = "--data a.txt --n-layer 1 --n-head 2 --n-embd 16 --block-size 16 --batch-size 4";

/// A text of this many lines.
pub fn text(lines: u32) -> String {
    (0..lines).map(|i| format!("{} times 7 is {}.\n", i % 50, i % 50 * 7)).collect()
}

/// A folder with the text `a.txt`.
pub fn with_text() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.txt"), text(400)).unwrap();
    dir
}

/// Runs `m2g` and waits for it.
pub fn run(dir: &Path, args: &[&str]) -> Output {
    start(&mut m2g(dir, args)).output()
}

/// Runs `m2g` with a text on stdin.
pub fn piped(dir: &Path, args: &[&str], text: &[u8]) -> Output {
    let mut child = start(m2g(dir, args).stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read it closes the pipe.
    let _ = stdin.write_all(text);
    drop(stdin);
    child.output()
}

/// Runs `m2g`, expects success and returns stdout.
pub fn ok(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "m2g {}: {stderr}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `m2g`, expects an error sentence on stderr and no panic, and returns stderr.
pub fn refused(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 2)), "m2g {} ended with {code:?}: {stderr}", args.join(" "));
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(stderr.lines().any(|line| line.starts_with("error: ")), "{stderr}");
    stderr
}

/// The last line of stdout as JSON.
pub fn last_json(stdout: &str) -> serde_json::Value {
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

/// Writes a dataset of the first `train` training and `test` test images of MNIST.
pub fn small_mnist(dir: &Path, train: usize, test: usize) -> PathBuf {
    let to = dir.join("small");
    std::fs::create_dir_all(&to).unwrap();
    for (name, n) in FILES.iter().zip([train, train, test, test]) {
        let mut all = idx::read(&root().join("datasets/mnist").join(format!("{name}.gz"))).unwrap();
        let each = all.shape[1..].iter().product::<usize>();
        all.data.truncate(n * each);
        all.shape[0] = n;
        save(&to.join(name), &all);
    }
    to
}

/// Writes an IDX file.
pub fn save(path: &Path, content: &Idx) {
    let mut bytes = Vec::new();
    idx::write(content, &mut bytes).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A checkpoint as an older version wrote it.
pub fn without_checksum(checkpoint: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(*checkpoint.first_chunk().unwrap()) as usize;
    let (header, tensors) = checkpoint[8..].split_at(length);
    let header = std::str::from_utf8(header).unwrap();
    let (start, rest) = header.split_once(r#"\"checksum\":\""#).unwrap();
    let (_, rest) = rest.split_once(r#"\","#).unwrap();
    let header = format!("{start}{rest}").replace(r#"\"format\":2"#, r#"\"format\":1"#);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), tensors].concat()
}

/// The tensors of a run's last checkpoint as bytes. Without the metadata, which holds times.
pub fn weights(run: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(run.join("last.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors.iter().map(|(n, t)| (n.to_string(), t.data().to_vec())).collect();
    all.sort();
    all
}

/// What a command said, with its lines joined.
pub fn one_line(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).split_whitespace().collect::<Vec<_>>().join(" ")
}
