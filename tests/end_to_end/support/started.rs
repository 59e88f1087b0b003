//! Programs that run beside a test, and waiting for what they do.

use std::fs;
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that a test waits for what takes a moment on a machine with nothing else to do. Tests share few
/// cores, and a machine may do more than test.
pub const SOON: Duration = Duration::from_secs(120);

/// The longest that a test waits for a command. One that never ends fails its test, and holds up no other.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until `condition` holds.
///
/// # Panics
/// If it does not hold soon.
#[track_caller]
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < SOON, "what the test waits for does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A process that is ended when its test is over, also when that fails.
pub struct Started {
    child: Child,
    /// Its program and arguments, for messages.
    line: String,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Started {
    pub fn new(command: &mut Command) -> Self {
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let child = command.spawn().unwrap_or_else(|why| panic!("{line} does not start: {why}"));
        Self { child, line }
    }

    /// What it writes to its pipes until it ends. Nothing more comes on stdin.
    pub fn output(mut self) -> Output {
        drop(self.stdin.take());
        let streams = [self.stdout.take().map(all_of), self.stderr.take().map(all_of)];
        let deadline = Instant::now() + PATIENCE;
        let [stdout, stderr] = streams.map(|stream| {
            let left = deadline.saturating_duration_since(Instant::now());
            stream.map_or_else(Vec::new, |stream| {
                stream.recv_timeout(left).unwrap_or_else(|_| panic!("{} did not end", self.line))
            })
        });
        let status = self.ended_by(deadline);
        Output { status, stdout, stderr }
    }

    /// Waits until a training has logged this many lines more.
    ///
    /// # Panics
    /// If it ends before.
    pub fn log_more(&mut self, run: &Path, lines: usize) {
        let logged = || fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count());
        let enough = logged() + lines;
        wait_until(|| logged() >= enough || self.try_wait().unwrap().is_some());
        assert!(self.try_wait().unwrap().is_none(), "{} ended before it was stopped", self.line);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end soon.
    pub fn end(&mut self) -> ExitStatus {
        self.ended_by(Instant::now() + SOON)
    }

    fn ended_by(&mut self, deadline: Instant) -> ExitStatus {
        loop {
            if let Some(status) = self.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} did not end", self.line);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Reads a stream to its end on a thread of its own.
fn all_of(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        // Nobody listens where the test has failed.
        let _ = sender.send(bytes);
    });
    receiver
}

/// Sends a process a signal, such as `-INT`. Whether it was there to take it.
#[cfg(unix)]
pub fn signal(signal: &str, process: u32) -> bool {
    Command::new("kill").args([signal, &process.to_string()]).output().unwrap().status.success()
}

/// Waits until a process catches Ctrl-C, as Linux tells; elsewhere, for a moment. Before it does, it ends without
/// a word.
#[cfg(unix)]
pub fn wait_until_it_listens(process: u32) {
    let status = || fs::read_to_string(format!("/proc/{process}/status"));
    if status().is_err() {
        return thread::sleep(Duration::from_secs(2));
    }
    wait_until(|| {
        let status = status().unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        // Bit 1 is signal 2, SIGINT.
        caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 2 != 0))
    });
}
