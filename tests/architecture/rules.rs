//! The rules of the architecture. Each takes a tree and names what breaks it, with file and line.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Edge, Modules, module_key};
use crate::source::{Code, Tree, dependencies, is_word};

/// A rule by name.
pub type Rule = (&'static str, fn(&Tree) -> Vec<String>);

pub const ALL: [Rule; 9] = [
    ("who imports whom between crates", imports_between_crates),
    ("who imports whom between the rooms of the core", imports_between_rooms),
    ("no two rooms of the core in a circle", circles_of_rooms),
    ("no two files in a circle", circles_of_files),
    ("threads and instruction sets only in the kernels", threads_and_instruction_sets),
    ("unsafe only in the kernels and one file for memory maps", unsafe_code),
    ("no name of a model in the core", model_names),
    ("no printing below the command line", printing),
    ("no file over 450 lines", sizes),
];

/// The crates, each with those that it may import. Tests and examples count as well.
const CRATES: [(&str, &[&str]); 7] = [
    ("core", &[]),
    ("text", &["core"]),
    ("digits", &["core"]),
    ("gpt", &["core", "text"]),
    ("translate", &["core", "text"]),
    ("page", &["core", "text", "digits", "gpt", "translate"]),
    ("cli", &["core", "text", "digits", "gpt", "translate", "page"]),
];

/// The lowest rooms of the core, each with those that it may import.
const FOUNDATION: [(&str, &[&str]); 9] = [
    ("error", &[]),
    ("float", &[]),
    ("precision", &[]),
    ("rng", &[]),
    ("huge_pages", &[]),
    ("threads", &["error"]),
    ("mask", &["error", "float"]),
    ("tokens", &["error"]),
    ("tensor", &["error", "float"]),
];

/// The other rooms of the core (a room is a module at its top level), each with those that it may import
/// besides the foundation.
const ROOMS: [(&str, &[&str]); 15] = [
    // The seam: everything that loops over elements.
    ("kernels", &[]),
    // Ops and layers. An op file adds its method to the tape; the tape runs ops through the traits
    // that stand beside it, and imports no op.
    ("var", &[]),
    ("pool", &[]),
    ("trace", &["var"]),
    ("params", &["kernels"]),
    ("ops", &["kernels", "var", "pool", "params", "tape"]),
    ("tape", &["kernels", "var", "pool", "trace", "params"]),
    ("nn", &["var", "params", "ops", "tape"]),
    ("gradcheck", &["var", "params", "tape"]),
    ("optim", &["kernels", "params"]),
    ("settings", &["nn", "optim"]),
    // Files.
    ("atomic", &[]),
    ("checkpoint", &["atomic", "params"]),
    ("data", &["atomic", "kernels"]),
    // The training session.
    (
        "train",
        &[
            "kernels",
            "var",
            "pool",
            "trace",
            "params",
            "tape",
            "optim",
            "settings",
            "atomic",
            "checkpoint",
            "data",
        ],
    ),
];

/// Whether a room of the core may import another; none for a room that is in no table.
fn may_import(from: &str, to: &str) -> Option<bool> {
    let row = |table: &[(&str, &[&str])]| {
        table.iter().find(|(room, _)| *room == from).map(|(_, allowed)| allowed.contains(&to))
    };
    let foundation = || FOUNDATION.iter().any(|(room, _)| *room == to);
    row(&FOUNDATION).or_else(|| row(&ROOMS).map(|allowed| allowed || foundation()))
}

/// Groups of rooms that may know each other, each with its reason: none today.
const HONEST_ROOMS: [(&[&str], &str); 0] = [];

/// Groups of files that may know each other, each with its reason: none today.
const HONEST_FILES: [(&[&str], &str); 0] = [];

/// Words that name a model, or the data of one. Comments may cite models; identifiers and
/// messages may not. `data/` names data sets, since it holds the catalogue of them.
const MODEL_WORDS: [&str; 12] = [
    "gpt",
    "gpt2",
    "nanogpt",
    "digit",
    "digits",
    "translate",
    "translation",
    "transformer",
    "bigram",
    "mnist",
    "shakespeare",
    "multi30k",
];

/// Files may have this many lines.
const MAX_LINES: usize = 450;

/// The Rust files of crates, without tests, examples and build scripts, as code.
fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &Code)> {
    let mut test_files = BTreeSet::new();
    let mut all = Vec::new();
    for (path, file) in tree {
        let Some((_, key)) = module_key(path) else { continue };
        let code = file.code();
        test_files.extend(code.test_modules.iter().map(|name| format!("{key}::{name}")));
        all.push((key, path.as_str(), code));
    }
    all.into_iter().filter(move |(key, ..)| !test_files.contains(key)).map(|(_, path, code)| (path, code))
}

/// The crate that a file belongs to: the root package is the command line.
fn crate_of(path: &str) -> Option<&str> {
    match path.strip_prefix("crates/") {
        Some(rest) => rest.split_once('/').map(|(name, _)| name),
        None => (path == "Cargo.toml").then_some("cli"),
    }
}

fn imports_between_crates(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, file) in tree {
        let Some(name) = crate_of(path) else { continue };
        let Some((_, allowed)) = CRATES.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{path}: the crate {name} has no place yet: give it one in CRATES"));
            continue;
        };
        let named: Vec<(usize, String)> = if path.ends_with(".toml") {
            dependencies(&file.text).into_iter().map(|(line, name)| (line, name.replace('-', "_"))).collect()
        } else {
            file.code().tokens.clone()
        };
        for (line, other) in named {
            let Some(other) = other.strip_prefix("m2g_") else { continue };
            if other != name && CRATES.iter().any(|(known, _)| *known == other) && !allowed.contains(&other) {
                found.push(format!("{path}:{line}: {name} may not import {other}"));
            }
        }
    }
    found
}

/// The module at the top level of its crate that a file belongs to, as `crate::room`; none
/// for the root, which only re-exports.
fn room(path: &str) -> Option<String> {
    let (_, key) = module_key(path)?;
    let mut names = key.split("::");
    Some(format!("{}::{}", names.next()?, names.next()?))
}

/// The edges between files of different rooms.
fn edges_between_rooms(tree: &Tree) -> Vec<(String, String, Edge)> {
    let edges = Modules::of(tree).edges().into_iter();
    edges
        .filter_map(|edge| Some((room(&edge.from)?, room(&edge.to)?, edge)))
        .filter(|(from, to, _)| from != to)
        .collect()
}

fn imports_between_rooms(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let paths = tree.keys().filter(|path| path.starts_with("crates/core/src/"));
    for name in paths.filter_map(|path| room(path)).collect::<BTreeSet<_>>() {
        let name = name.trim_start_matches("core::");
        if may_import(name, "").is_none() {
            found.push(format!("crates/core/src/{name}: this room has no place yet: give it one in ROOMS"));
        }
    }
    for (from, to, edge) in edges_between_rooms(tree) {
        let (Some(from), Some(to)) = (from.strip_prefix("core::"), to.strip_prefix("core::")) else {
            continue;
        };
        if may_import(from, to) == Some(false) {
            found.push(format!("{}:{}: {from} may not import {to} ({})", edge.from, edge.line, edge.named));
        }
    }
    found
}

fn circles_of_rooms(tree: &Tree) -> Vec<String> {
    let mut edges = BTreeMap::new();
    for (from, to, edge) in edges_between_rooms(tree) {
        if from.starts_with("core::") {
            edges.entry((from, to)).or_insert(edge);
        }
    }
    circles(&edges, &HONEST_ROOMS)
}

fn circles_of_files(tree: &Tree) -> Vec<String> {
    let mut edges = BTreeMap::new();
    for edge in Modules::of(tree).edges().into_iter().filter(|edge| !edge.of_module) {
        edges.entry((edge.from.clone(), edge.to.clone())).or_insert(edge);
    }
    circles(&edges, &HONEST_FILES)
}

/// The groups of nodes that reach each other, with an example of each edge inside, except
/// the honest ones.
fn circles(edges: &BTreeMap<(String, String), Edge>, honest: &[(&[&str], &str)]) -> Vec<String> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        next.entry(from).or_default().push(to);
    }
    for &start in next.keys() {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(node) = open.pop() {
            let new = next.get(node).into_iter().flatten().filter(|to| seen.insert(**to));
            open.extend(new.copied());
        }
        reached.insert(start, seen);
    }
    let reaches = |a: &str, b: &str| reached.get(a).is_some_and(|seen| seen.contains(b));
    let mut groups = BTreeSet::new();
    for &start in reached.keys().filter(|&&start| reaches(start, start)) {
        let group: BTreeSet<&str> =
            reached[start].iter().copied().filter(|&other| reaches(other, start)).collect();
        groups.insert(group);
    }
    groups.retain(|group| !honest.iter().any(|(known, _)| group.iter().all(|node| known.contains(node))));
    let text = |group: BTreeSet<&str>| {
        let inside =
            edges.iter().filter(|((a, b), _)| group.contains(a.as_str()) && group.contains(b.as_str()));
        let lines: Vec<String> =
            inside.map(|(_, e)| format!("    {}:{} {} -> {}", e.from, e.line, e.named, e.to)).collect();
        let names: Vec<&str> = group.into_iter().collect();
        format!("in a circle: {}\n{}", names.join(", "), lines.join("\n"))
    };
    groups.into_iter().map(text).collect()
}

const KERNELS: &str = "crates/core/src/kernels/";

fn threads_and_instruction_sets(tree: &Tree) -> Vec<String> {
    const WORDS: [&str; 5] =
        ["rayon", "pulp", "target_feature", "is_x86_feature_detected", "is_aarch64_feature_detected"];
    let mut found = Vec::new();
    // The pool of threads counts as part of the kernels, wherever its file stands.
    let own = |path: &str| path.starts_with(KERNELS) || path == "crates/core/src/threads.rs";
    for (path, code) in sources(tree).filter(|(path, _)| !own(path)) {
        for (i, (line, word)) in code.tokens.iter().enumerate() {
            let before = |n: usize| i.checked_sub(n).map_or("", |j| code.tokens[j].1.as_str());
            let instruction_set = word == "arch" && before(1) == "::" && ["std", "core"].contains(&before(2));
            if instruction_set || WORDS.contains(&word.as_str()) {
                found.push(format!("{path}:{line}: {word} belongs into {KERNELS}"));
            }
        }
    }
    for (path, file) in tree.iter().filter(|(path, _)| path.ends_with(".toml")) {
        if crate_of(path).is_none_or(|name| name == "core") {
            continue;
        }
        for (line, name) in
            dependencies(&file.text).into_iter().filter(|(_, name)| ["rayon", "pulp"].contains(name))
        {
            found.push(format!("{path}:{line}: {name} belongs to the core"));
        }
    }
    found
}

fn unsafe_code(tree: &Tree) -> Vec<String> {
    let has = |code: &Code, word: &str| code.tokens.iter().any(|(_, token)| token == word);
    let mut map = None;
    let mut found = Vec::new();
    for (path, code) in sources(tree).filter(|(path, _)| !path.starts_with(KERNELS)) {
        // The one file for memory maps is the first.
        if has(code, "unsafe") && has(code, "memmap2") && *map.get_or_insert(path) == path {
            continue;
        }
        for (line, _) in code.tokens.iter().filter(|(_, word)| word == "unsafe") {
            found.push(format!(
                "{path}:{line}: unsafe belongs into {KERNELS}, or into the one file for memory maps"
            ));
        }
    }
    found
}

fn model_names(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in sources(tree).filter(|(path, _)| path.starts_with("crates/core/src/")) {
        if path.starts_with("crates/core/src/data/") {
            continue;
        }
        for (line, word) in code.with_strings.iter().filter(|(_, word)| is_word(word)) {
            let parts = parts(word);
            if let Some(name) = MODEL_WORDS.iter().find(|name| parts.iter().any(|part| part == *name)) {
                found.push(format!("{path}:{line}: {word} names a model ({name})"));
            }
        }
    }
    found
}

/// The parts of a name in lower case: `DigitData` and `digit_data` are both `digit`, `data`.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '_';
    for c in word.chars() {
        if c == '_' || (c.is_uppercase() && before.is_lowercase()) {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().unwrap().extend(c.to_lowercase());
        }
        before = c;
    }
    parts
}

fn printing(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in sources(tree).filter(|(path, _)| !path.starts_with("crates/cli/")) {
        for pair in code.tokens.windows(2) {
            let ((line, word), (_, after)) = (&pair[0], &pair[1]);
            let is = |words: &[&str]| words.contains(&word.as_str());
            let prints = is(&["print", "println", "eprint", "eprintln", "dbg"]) && after == "!";
            let terminal = is(&["stdout", "stderr"]) && after == "(";
            if prints || terminal {
                found.push(format!("{path}:{line}: {word} belongs into the command line"));
            }
        }
    }
    found
}

fn sizes(tree: &Tree) -> Vec<String> {
    let sources = tree.iter().filter(|(path, _)| path.ends_with(".rs"));
    let long = sources.map(|(path, file)| (path, file.text.lines().count())).filter(|(_, n)| *n > MAX_LINES);
    long.map(|(path, n)| format!("{path}: {n} lines, at most {MAX_LINES} are allowed")).collect()
}
