//! Fuzzing: every parser of bytes from outside gets damaged files. It may refuse them, and must neither
//! panic, nor hang, nor need much memory.
//!
//! | file | holds |
//! | --- | --- |
//! | `parsers.rs` | the table of parsers, each with its seeds |
//! | `translation.rs` | the same for translation |
//! | `seeds.rs` | small whole files |
//! | `mutate.rs` | damages files |
//! | `findings/` | inputs that once broke a parser, in a folder of its name |
//!
//! The tests below damage a few hundred files per parser, and replay the findings. To search for longer,
//! for 10 minutes per parser and for some of them, and with a limit of memory:
//!
//! ```text
//! M2G_FUZZ_MINUTES=10 M2G_FUZZ=idx,pickle cargo test --bin m2g fuzz -- --ignored --nocapture
//! ```
//!
//! Findings land in `target/fuzz`.

#![allow(clippy::unwrap_used)]

mod mutate;
mod parsers;
mod seeds;
mod translation;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::mutate::Mutator;
use self::parsers::Parser;
use crate::machine::bytes_of;
use crate::terminal::notes;

/// The longest time for one input, in a build for tests.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The most memory of the process.
const MAX_BYTES: u64 = 1 << 30;

/// How long a parser is attacked in the normal run, and by how many inputs at most.
const NORMAL_TIME: Duration = Duration::from_millis(180);
const NORMAL_INPUTS: u64 = 300;

/// All parsers.
fn all_parsers() -> impl Iterator<Item = &'static Parser> {
    parsers::PARSERS.iter().chain(&translation::PARSERS)
}

/// Gives a parser one input, in its folder. Returns what went wrong.
fn attack(parser: &Parser, folder: &Path, input: &[u8]) -> Result<bool, String> {
    fs::write(folder.join(parser.file), input).unwrap();
    let (started, used) = (Instant::now(), processor_time());
    let accepted = catch_unwind(AssertUnwindSafe(|| (parser.parse)(folder)))
        .map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            format!("it panics: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?"))
        })?
        .is_ok();
    // On a busy machine, an input may wait long for its turn.
    let used = processor_time().zip(used).map(|(now, before)| now.saturating_sub(before));
    match started.elapsed() {
        time if time > MAX_TIME && used.is_none_or(|used| used > MAX_TIME) => {
            Err(format!("it takes {time:?}"))
        }
        _ => Ok(accepted),
    }
}

/// The time that processors have spent on this process, where the system says so.
fn processor_time() -> Option<Duration> {
    /// Linux gives times to programs in this unit, whatever its own clock.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(TICK * (ticks()? + ticks()?))
}

/// The most memory that this process has had so far, where the system says so.
fn peak_bytes() -> Option<u64> {
    bytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// A folder with the other files that a parser needs.
fn folder_of(parser: &Parser) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    (parser.prepare)(folder.path());
    folder
}

#[test]
fn every_parser_accepts_its_seeds() {
    for parser in all_parsers() {
        let folder = folder_of(parser);
        for (i, seed) in (parser.seeds)().iter().enumerate() {
            fs::write(folder.path().join(parser.file), seed).unwrap();
            if let Err(why) = (parser.parse)(folder.path()) {
                panic!("{}: seed {i} is refused: {why}", parser.name);
            }
        }
    }
}

#[test]
fn every_parser_survives_damaged_files() {
    for parser in all_parsers() {
        let (folder, started) = (folder_of(parser), Instant::now());
        let mut mutator = Mutator::new(parser, 0);
        for i in 0..NORMAL_INPUTS {
            let input = mutator.next_input();
            if let Err(why) = attack(parser, folder.path(), &input) {
                panic!(
                    "{}, input {i}: {why}\nit is saved as {}",
                    parser.name,
                    save(parser, &input).display()
                );
            }
            if started.elapsed() > NORMAL_TIME {
                break;
            }
        }
    }
}

#[test]
fn every_finding_stays_mended() {
    let findings = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/cli/fuzz/findings");
    for entry in fs::read_dir(&findings).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        let parser = all_parsers().find(|parser| parser.name == name);
        let parser = parser.unwrap_or_else(|| panic!("there is no parser called {name}"));
        let folder = folder_of(parser);
        for finding in fs::read_dir(entry.path()).unwrap().map(|file| file.unwrap().path()) {
            if let Err(why) = attack(parser, folder.path(), &fs::read(&finding).unwrap()) {
                panic!("{}: {why}", finding.display());
            }
        }
    }
}

#[test]
#[ignore = "each parser takes minutes: M2G_FUZZ_MINUTES=10 cargo test --bin m2g fuzz -- --ignored --nocapture"]
fn every_parser_survives_for_minutes() {
    let variable = |name| std::env::var(name).ok();
    let minutes = variable("M2G_FUZZ_MINUTES").map_or(1.0, |text| text.parse().unwrap());
    let seed = variable("M2G_FUZZ_SEED").map_or(1, |text| text.parse().unwrap());
    let chosen = variable("M2G_FUZZ");
    let is_chosen = |parser: &&'static Parser| {
        chosen.as_ref().is_none_or(|names| names.split(',').any(|name| name == parser.name))
    };
    let mut broken = 0;
    for parser in all_parsers().filter(is_chosen) {
        let folder = folder_of(parser);
        let mut mutator = Mutator::new(parser, seed);
        let (mut inputs, mut accepted) = (0_u64, 0_u64);
        // Minutes of a processor, which a busy machine does not shorten.
        let started = Instant::now();
        let now = || processor_time().unwrap_or_else(|| started.elapsed());
        let end = now() + Duration::from_secs_f64(60.0 * minutes);
        while now() < end {
            let input = mutator.next_input();
            inputs += 1;
            // An input that ends the process stays here.
            let current = save_as(parser, "current", &input);
            let result = attack(parser, folder.path(), &input);
            let peak = peak_bytes().filter(|peak| *peak > MAX_BYTES);
            let result = peak.map_or(result, |peak| Err(format!("it needs {} MiB", peak >> 20)));
            match result {
                Ok(yes) => accepted += u64::from(yes),
                Err(why) => {
                    broken += 1;
                    let path = save(parser, &input);
                    notes::line(format_args!("{}: {why}\n  {}", parser.name, path.display()));
                    // Forgets the peak, where the system can.
                    let _ = fs::write("/proc/self/clear_refs", "5");
                }
            }
            fs::remove_file(current).unwrap();
        }
        let peak = peak_bytes().unwrap_or(0) >> 20;
        let name = parser.name;
        notes::line(format_args!("{name}: {inputs} inputs, {accepted} accepted, peak {peak} MiB"));
    }
    assert_eq!(broken, 0, "{broken} inputs broke a parser: they are in target/fuzz");
}

/// Saves a finding, and returns where.
fn save(parser: &Parser, input: &[u8]) -> PathBuf {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    save_as(parser, &format!("{hash:016x}"), input)
}

fn save_as(parser: &Parser, name: &str, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz").join(parser.name);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, input).unwrap();
    path
}
