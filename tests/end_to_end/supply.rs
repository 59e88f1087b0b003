//! What the program is made of: licences, sources and duplicate versions, by the rules of `deny.toml`,
//! which `cargo deny` also reads. And what it may start: no download is ever executed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::root;

/// The files that start other programs, each with what it starts.
const STARTS_PROGRAMS: [(&str, &str); 6] = [
    ("crates/cli/bench/peers.rs", "the user's Python"),
    ("crates/cli/bench/ranks.rs", "m2g itself, with mpirun for several processes"),
    ("crates/cli/bench/rounds.rs", "m2g itself and the user's Python"),
    ("crates/cli/open/browser.rs", "the user's browser"),
    ("crates/core/src/kernels/amx.rs", "itself, in the test of a stack overflow"),
    ("crates/learn/src/program.rs", "cargo, and the exercises that the user wrote"),
];

/// The only file that asks the network for anything.
const DOWNLOADS: &str = "crates/core/src/data/fetch.rs";

fn toml(name: &str) -> toml::Table {
    std::fs::read_to_string(root().join(name)).unwrap().parse().unwrap()
}

/// The texts of a list in `deny.toml`, or one of the keys of its tables.
fn list(table: &toml::Table, path: [&str; 2], key: &str) -> BTreeSet<String> {
    let entries = table[path[0]][path[1]].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry.as_str().unwrap_or_else(|| entry[key].as_str().unwrap()).to_string())
        .collect()
}

/// Every crate that is built on this machine. Those of other systems may not have been downloaded.
fn packages() -> Vec<Value> {
    let arguments =
        ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", "host-tuple"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether a licence expression such as `(MIT OR Apache-2.0) AND ISC` can be met with these licences.
/// Adds those that it names to `used`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed, used);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let mut met = all(words, allowed, used);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed, used);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let mut met = one(words, allowed, used);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed, used);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        return any(words, allowed, used) & (words.next() == Some(")"));
    }
    let mut licence = word.to_string();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
    }
    used.extend(allowed.get(&licence).cloned());
    allowed.contains(&licence)
}

#[test]
fn every_licence_is_allowed_and_every_allowed_one_is_used() {
    let allowed = list(&toml("deny.toml"), ["licenses", "allow"], "");
    let mut used = BTreeSet::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence, &allowed, &mut used), "{}: {licence}", package["name"]);
    }
    assert_eq!(used, allowed);

    let two = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(String::from).into();
    let check = |expression| is_allowed(expression, &two, &mut BTreeSet::new());
    for met in
        ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(MIT OR X) AND MIT", "X OR Apache-2.0 WITH LLVM-exception"]
    {
        assert!(check(met), "{met}");
    }
    for broken in [
        "GPL-3.0",
        "none",
        "",
        "MIT AND X",
        "MIT AND (X OR Y)",
        "Apache-2.0",
        "MIT WITH X",
        "(MIT",
        "MIT MIT",
    ] {
        assert!(!check(broken), "{broken}");
    }
}

/// Checks every crate of every system, which all are in the lock file.
#[test]
fn every_crate_comes_from_crates_io_with_a_checksum_and_once() {
    let deny = toml("deny.toml");
    let registry = list(&deny, ["sources", "allow-registry"], "");
    assert_eq!(registry.iter().collect::<Vec<_>>(), ["https://github.com/rust-lang/crates.io-index"]);
    let lock = toml("Cargo.lock");
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
        let (name, version) = (text("name").unwrap(), text("version").unwrap());
        versions.entry(name).or_default().push(version);
        let Some(source) = text("source") else {
            let ours = name == "mnist-to-gpt" || name.starts_with("m2g-");
            assert!(ours, "{name} is neither of this workspace nor of a registry");
            continue;
        };
        let index = source.strip_prefix("registry+").unwrap_or_else(|| panic!("{name} comes from {source}"));
        assert!(registry.contains(index), "{name} comes from {source}");
        let checksum = text("checksum").unwrap_or_default();
        assert!(
            checksum.len() == 64 && checksum.chars().all(|c| c.is_ascii_hexdigit()),
            "{name}: {checksum}"
        );
    }
    versions.retain(|_, versions| versions.len() > 1);
    // All but the newest version are listed, each with its reason.
    let older = versions.iter().flat_map(|(name, versions)| {
        let number =
            |version: &&&str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
        let newest = versions.iter().max_by_key(number).unwrap();
        versions
            .iter()
            .filter(move |version| *version != newest)
            .map(move |version| format!("{name}@{version}"))
    });
    assert_eq!(older.collect::<BTreeSet<_>>(), list(&deny, ["bans", "skip"], "crate"));
    let skipped = deny["bans"]["skip"].as_array().unwrap();
    assert!(skipped.iter().all(|entry| entry["reason"].as_str().is_some_and(|reason| reason.len() > 10)));
}

#[test]
fn only_listed_files_start_a_program_or_ask_the_network() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        let imports = text.lines().any(|line| line.contains("process::") && line.contains("Command"));
        let starts = imports || text.contains("execv");
        let known = STARTS_PROGRAMS.iter().any(|(known, _)| *known == name);
        assert!(!starts || known, "{name} starts a program: add it to the table, with what it starts");
        let asks = ["ureq::", "TcpStream::connect", "UdpSocket"].iter().any(|word| text.contains(word));
        assert!(!asks || name == DOWNLOADS, "{name} asks the network; only {DOWNLOADS} should");
    }
}

/// The Rust files of a folder, without those of tests.
fn sources(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
