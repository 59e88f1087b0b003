//! The learner's program: compiled by cargo, run as a process of its own with limits on its time,
//! memory and output.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use m2g_exercises::Value;
use m2g_exercises::protocol::{MARKER, frame, values};

use crate::error::LearnError;
use crate::exercise::Case;
use crate::failure::{Failure, without_report};
use crate::grade::Solver;

/// How long all cases of an exercise may take together.
const GRADING: Duration = Duration::from_millis(2500);
/// The most bytes of one answer.
const MAX_ANSWER: u64 = 64 << 20;
/// The most bytes that a program may print beside its answers.
const MAX_PRINTED: usize = 1 << 20;
/// The address space of a program, in KiB.
const MEMORY_KIB: u32 = 1 << 20;
/// The stack of a program, in KiB. Without a limit, as on many clusters, a program that calls itself without end
/// would take all memory and end without a word.
const STACK_KIB: u32 = 8 << 10;
/// How often waiting looks up.
const POLL: Duration = Duration::from_millis(5);

/// What cargo made of an exercise.
#[derive(Debug)]
pub enum Compiled {
    /// A program.
    Program {
        /// Where it is.
        path: PathBuf,
        /// What the compiler warns of that may be a mistake.
        warnings: Vec<String>,
    },
    /// The compiler refuses it, and says this.
    Refused(String),
}

/// The warnings that may name a mistake; what else is unused in an exercise says nothing.
const WARNINGS: [&str; 3] = ["unused_variables", "unused_assignments", "unused_must_use"];

/// How to compile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Build {
    /// Whether the program is optimised, for training.
    pub release: bool,
    /// Whether the compiler's messages are coloured.
    pub colour: bool,
}

/// Compiles the program `name` of the workspace `folder`.
///
/// # Errors
/// If cargo does not start, or fails for another reason than an error in the code.
pub fn compile(folder: &Path, name: &str, build: Build) -> Result<Compiled, LearnError> {
    let mut cargo = Command::new("cargo");
    // Without a toolchain, rustup would add its own stack to what it says.
    cargo.env("RUST_BACKTRACE", "0");
    // Errors come as data, so that nothing else that cargo fails at looks like one.
    let format = if build.colour { "json-diagnostic-rendered-ansi" } else { "json" };
    cargo.args(["rustc", "--quiet", "--offline", "--color", "never", "--message-format", format]);
    cargo
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.join("target"));
    cargo.args(["--bin", name]);
    if build.release {
        cargo.arg("--release");
    }
    cargo.arg("--").args(WARNINGS.map(|name| format!("--warn={name}")));
    let output = cargo.stdin(Stdio::null()).output().map_err(LearnError::Cargo)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut executable = said.iter().filter_map(|message| {
        let is_it = message["target"]["name"] == name;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    if let Some(path) = executable.next_back().filter(|_| output.status.success()) {
        let warnings = said.iter().filter_map(|message| warning(&message["message"]));
        return Ok(Compiled::Program { path, warnings: warnings.map(String::from).collect() });
    }
    let errors: Vec<&str> = said.iter().filter_map(|message| error(&message["message"])).collect();
    match errors.is_empty() {
        true => Err(LearnError::Build(reason(&output))),
        false => Ok(Compiled::Refused(errors.join("\n\n"))),
    }
}

/// The text of a compiler's message if it is an error, and not the count of errors at the end.
fn error(message: &serde_json::Value) -> Option<&str> {
    let is_count = message["message"].as_str()?.starts_with("aborting due to");
    let is_error = message["level"] == "error" && !is_count;
    message["rendered"].as_str().filter(|_| is_error).map(str::trim_end)
}

/// The text of a compiler's message if it is one of [`WARNINGS`].
fn warning(message: &serde_json::Value) -> Option<&str> {
    let is_one = WARNINGS.iter().any(|name| message["code"]["code"] == *name);
    message["rendered"].as_str().filter(|_| is_one && message["level"] == "warning").map(str::trim_end)
}

/// Why cargo built nothing, in one line.
fn reason(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.join(" ") {
        said if said.is_empty() => format!("it ended with {}", output.status),
        said => said.strip_prefix("error: ").unwrap_or(&said).to_string(),
    }
}

/// A program that answers cases. It is started when it is first needed, and again if it ended.
pub struct Program {
    path: PathBuf,
    limit: Limit,
    running: Option<Running>,
    /// What it wrote beside its answers since the last case.
    written: Arc<Mutex<Vec<u8>>>,
}

/// How long a program may compute.
#[derive(Clone, Copy)]
enum Limit {
    /// All its answers must be there by then.
    Until(Instant),
    /// Each answer may take this long.
    Each(Duration),
}

impl Limit {
    /// The time for an answer from now on.
    fn left(self) -> Duration {
        match self {
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            Self::Each(time) => time,
        }
    }
}

/// A process, and the threads that serve its pipes.
struct Running {
    child: Child,
    cases: Sender<Vec<u8>>,
    answers: Receiver<Result<Vec<u8>, Failure>>,
}

impl Program {
    /// A program to grade: all its answers together may take 2.5 seconds.
    pub fn to_grade(path: PathBuf) -> Self {
        Self::to_grade_within(path, GRADING)
    }

    /// A program to grade: all its answers together may take this time.
    pub fn to_grade_within(path: PathBuf, time: Duration) -> Self {
        Self::new(path, Limit::Until(Instant::now() + time))
    }

    /// A program to use: each of its answers may take this time.
    pub fn to_use(path: PathBuf, time: Duration) -> Self {
        Self::new(path, Limit::Each(time))
    }

    fn new(path: PathBuf, limit: Limit) -> Self {
        Self { path, limit, running: None, written: Arc::default() }
    }

    /// What the program wrote beside its answers since the last case, the end of a panic included.
    fn written(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }

    fn start(&self) -> io::Result<Running> {
        let mut command = limited(&self.path);
        command.env("RUST_BACKTRACE", "0");
        // One pipe for both, so that everything comes in the order in which it was written.
        let (output, writer) = io::pipe()?;
        let piped = command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = piped.spawn()?;
        // The pipe ends when the program does: nothing else may hold its other side.
        drop(command);
        let (cases, to_send) = mpsc::channel::<Vec<u8>>();
        let (found, answers) = mpsc::channel();
        if let Some(mut stdin) = child.stdin.take() {
            thread::spawn(move || {
                for case in to_send {
                    if stdin.write_all(&case).and_then(|()| stdin.flush()).is_err() {
                        return;
                    }
                }
            });
        }
        let written = Arc::clone(&self.written);
        thread::spawn(move || read_answers(output, &found, &written));
        Ok(Running { child, cases, answers })
    }
}

impl Solver for Program {
    fn answer(&mut self, case: &Case) -> Result<Value, Failure> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let running = match self.running.take() {
            Some(running) => running,
            None => self.start().map_err(|_| Failure::Ended)?,
        };
        // A program that ended takes nothing any more; what it wrote says why.
        let _ = running.cases.send(frame(case));
        match running.answers.recv_timeout(self.limit.left()) {
            Ok(Ok(answer)) => {
                self.running = Some(running);
                let mut values = values(&answer).ok_or(Failure::Protocol)?;
                values.pop().ok_or(Failure::Protocol)
            }
            Ok(Err(failure)) => {
                running.end();
                Err(failure)
            }
            Err(RecvTimeoutError::Timeout) => {
                running.end();
                Err(Failure::Timeout)
            }
            Err(RecvTimeoutError::Disconnected) => {
                running.end();
                Err(Failure::of(&self.written()))
            }
        }
    }

    fn printed(&self) -> String {
        without_report(&self.written())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

impl Running {
    /// Ends the process.
    fn end(mut self) {
        // It ends by itself when no more cases come.
        let patience = Instant::now() + Duration::from_millis(200);
        drop(self.cases);
        while Instant::now() < patience && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command of a program, with limits on its memory and its stack where the system has them.
fn limited(path: &Path) -> Command {
    if cfg!(unix) {
        let mut shell = Command::new("sh");
        let limits =
            format!("ulimit -s {STACK_KIB} 2>/dev/null; ulimit -v {MEMORY_KIB} 2>/dev/null; exec \"$0\"");
        shell.arg("-c").arg(limits).arg(path);
        return shell;
    }
    Command::new(path)
}

/// Splits what a program writes into answers and what it printed itself.
fn read_answers(stdout: impl Read, found: &Sender<Result<Vec<u8>, Failure>>, printed: &Mutex<Vec<u8>>) {
    let mut stdout = std::io::BufReader::new(stdout);
    let (mut matched, mut byte) = (0, [0]);
    while stdout.read_exact(&mut byte).is_ok() {
        if byte[0] == MARKER[matched] {
            matched += 1;
            if matched < MARKER.len() {
                continue;
            }
            matched = 0;
            let mut length = [0; 8];
            if stdout.read_exact(&mut length).is_err() {
                return;
            }
            let length = u64::from_le_bytes(length);
            let mut answer = Vec::new();
            if length > MAX_ANSWER {
                let _ = found.send(Err(Failure::TooLong));
                return;
            }
            let complete = stdout.by_ref().take(length).read_to_end(&mut answer);
            if complete.ok() != Some(length as usize) || found.send(Ok(answer)).is_err() {
                return;
            }
        } else {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.extend(&MARKER[..matched]);
            // The byte may begin a marker itself.
            matched = usize::from(byte[0] == MARKER[0]);
            printed.extend(&byte[..1 - matched]);
            if printed.len() > MAX_PRINTED {
                let _ = found.send(Err(Failure::TooLong));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_program_prints_stands_apart_from_its_answers() {
        let stream = [&b"hello \x1em "[..], &frame(&[Value::Number(1.0)]), b"\x1e", &frame(&[])].concat();
        let ((found, answers), printed) = (mpsc::channel(), Mutex::default());
        read_answers(&stream[..], &found, &printed);
        drop(found);
        let answers: Vec<_> = answers.iter().map(|answer| values(&answer.unwrap()).unwrap()).collect();
        assert_eq!(answers, [vec![Value::Number(1.0)], vec![]]);
        assert_eq!(*printed.lock().unwrap(), b"hello \x1em \x1e");
    }

    #[test]
    fn only_errors_in_the_code_are_the_compilers() {
        let message = |level: &str, text: &str| serde_json::json!({"level": level, "message": text, "rendered": format!("{text}\n")});
        assert_eq!(error(&message("error", "mismatched types")), Some("mismatched types"));
        assert_eq!(error(&message("error", "aborting due to 1 previous error")), None);
        assert_eq!(error(&message("warning", "unused variable")), None);
        assert_eq!(error(&serde_json::Value::Null), None);
    }

    #[test]
    fn only_warnings_that_may_name_a_mistake_are_kept() {
        let message = |level: &str, code: &str| serde_json::json!({"level": level, "code": {"code": code}, "rendered": "text\n"});
        assert_eq!(warning(&message("warning", "unused_must_use")), Some("text"));
        assert_eq!(warning(&message("warning", "unused_imports")), None);
        assert_eq!(warning(&message("error", "unused_variables")), None);
        assert_eq!(warning(&serde_json::Value::Null), None);
    }

    #[test]
    #[cfg(unix)]
    fn the_stack_is_limited_where_the_system_has_no_limit() {
        let program = limited(Path::new("/bin/sh"));
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -s unlimited && exec \"$0\" \"$@\""]);
        shell.arg(program.get_program()).args(program.get_args());
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // A shell that may not lift the limit has ended.
        let _ = shell.stdin.take().unwrap().write_all(b"ulimit -s\n");
        let output = shell.wait_with_output().unwrap();
        if !output.status.success() {
            println!("skipped: nobody may lift the limit of the stack here");
            return;
        }
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), STACK_KIB.to_string());
    }

    #[test]
    fn endless_output_ends() {
        let ((found, answers), printed) = (mpsc::channel(), Mutex::default());
        read_answers(std::io::repeat(b'a'), &found, &printed);
        assert_eq!(answers.recv().unwrap(), Err(Failure::TooLong));
        let long = [&MARKER[..], &u64::MAX.to_le_bytes()].concat();
        read_answers(&long[..], &found, &Mutex::default());
        assert_eq!(answers.recv().unwrap(), Err(Failure::TooLong));
    }
}
