//! The rules of the architecture. Each takes a tree and returns its violations, with file and line.

use std::collections::{BTreeMap, BTreeSet};

use crate::gradients::unchecked;
use crate::modules::{Edge, Modules, module_key};
use crate::source::{Code, Tree, dependencies, is_word};

/// A rule by name.
pub type Rule = (&'static str, fn(&Tree) -> Vec<String>);

pub const ALL: [Rule; 12] = [
    ("imports between crates", imports_between_crates),
    ("imports between the areas of the core", imports_between_areas),
    ("no cycle of areas of the core", cycles_of_areas),
    ("no cycle of files", cycles_of_files),
    ("threads and instruction sets only in the kernels", threads_and_instruction_sets),
    ("unsafe only in the kernels and one file for signals", unsafe_code),
    ("no model names in the core", model_names),
    ("no printing below the command line", printing),
    ("one writer to stderr", writers_to_stderr),
    ("a gradient check for every op", unchecked),
    ("no file over 450 lines", sizes),
    ("a code block in a doc comment ends", open_code_blocks),
];

/// The crates, each with the crates that it may import. Its tests and examples count too.
/// `exercises` is the learner's crate, in notebooks-notes/.
const CRATES: [(&str, &[&str]); 11] = [
    ("core", &[]),
    ("packed", &[]),
    ("text", &["core"]),
    ("mpi", &["core"]),
    ("digits", &["core"]),
    ("gpt", &["core", "text", "packed"]),
    ("translate", &["core", "text"]),
    ("exercises", &[]),
    ("learn", &["core", "text", "translate", "exercises"]),
    ("page", &["core", "text", "digits", "gpt", "translate", "packed"]),
    ("cli", &["core", "text", "digits", "gpt", "translate", "mpi", "learn", "page"]),
];

/// The lowest areas of the core, each with the areas that it may import. An area is a top-level module.
const FOUNDATION: [(&str, &[&str]); 11] = [
    ("error", &[]),
    ("memory", &["error"]),
    ("bounded", &["error"]),
    ("number", &[]),
    // An element type names its kernels, so the kernels are generic over numbers.
    ("float", &["number", "kernels"]),
    ("precision", &[]),
    ("rng", &[]),
    ("threads", &["error"]),
    ("mask", &["error", "number"]),
    ("tokens", &["error"]),
    ("tensor", &["error", "number"]),
];

/// The other areas of the core, each with the areas that it may import besides the foundation.
const AREAS: [(&str, &[&str]); 17] = [
    // Everything that loops over elements.
    ("kernels", &[]),
    // Ops and layers. An op's file adds a method to the tape. The tape runs ops through the traits in
    // its area, and imports no op.
    ("var", &[]),
    ("pool", &[]),
    ("trace", &["var"]),
    // Several processes: adds up gradients, and knows nothing of who computes them.
    ("ranks", &["kernels"]),
    ("params", &["kernels", "ranks"]),
    ("ops", &["kernels", "var", "pool", "params", "tape"]),
    ("tape", &["kernels", "var", "pool", "trace", "params"]),
    ("nn", &["var", "params", "ops", "tape"]),
    ("gradcheck", &["kernels", "var", "params", "tape"]),
    // What a person sees of a recorded step.
    ("inspect", &["kernels", "var", "trace", "params", "tape"]),
    ("optim", &["kernels", "params"]),
    ("settings", &["nn", "optim"]),
    // Files.
    ("atomic", &[]),
    ("checkpoint", &["atomic", "kernels", "params"]),
    ("data", &["atomic", "kernels"]),
    // The training session.
    (
        "train",
        &[
            "kernels",
            "var",
            "pool",
            "trace",
            "ranks",
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

/// Whether an area of the core may import another; `None` for an area that is in no table.
fn may_import(from: &str, to: &str) -> Option<bool> {
    let row = |table: &[(&str, &[&str])]| {
        table.iter().find(|(area, _)| *area == from).map(|(_, allowed)| allowed.contains(&to))
    };
    let foundation = || FOUNDATION.iter().any(|(area, _)| *area == to);
    row(&FOUNDATION).or_else(|| row(&AREAS).map(|allowed| allowed || foundation()))
}

/// Words that name a model or its data. Comments may cite models; identifiers and messages may not.
/// `data/` is exempt, since it holds the catalogue of datasets.
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

/// The maximum number of lines of a file.
const MAX_LINES: usize = 450;

/// The code of the crates' Rust files, without tests, examples and build scripts.
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

/// The crate that a file belongs to. The root package is the command line.
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
            found.push(format!("{path}: the crate {name} is in no table: add it to CRATES, with the crates that it may import"));
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

/// The area that a file belongs to, as `crate::area`; `None` for the root, which only re-exports.
fn area(path: &str) -> Option<String> {
    let (_, key) = module_key(path)?;
    let mut names = key.split("::");
    Some(format!("{}::{}", names.next()?, names.next()?))
}

/// The edges between files of different areas.
fn edges_between_areas(tree: &Tree) -> Vec<(String, String, Edge)> {
    let edges = Modules::of(tree).edges().into_iter();
    edges
        .filter_map(|edge| Some((area(&edge.from)?, area(&edge.to)?, edge)))
        .filter(|(from, to, _)| from != to)
        .collect()
}

fn imports_between_areas(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let paths = tree.keys().filter(|path| path.starts_with("crates/core/src/"));
    for name in paths.filter_map(|path| area(path)).collect::<BTreeSet<_>>() {
        let name = name.trim_start_matches("core::");
        if may_import(name, "").is_none() {
            found.push(format!("crates/core/src/{name}: this area is in no table: add it to AREAS, with the areas that it may import"));
        }
    }
    for (from, to, edge) in edges_between_areas(tree) {
        let (Some(from), Some(to)) = (from.strip_prefix("core::"), to.strip_prefix("core::")) else {
            continue;
        };
        if may_import(from, to) == Some(false) {
            found.push(format!("{}:{}: {from} may not import {to} ({})", edge.from, edge.line, edge.named));
        }
    }
    found
}

fn cycles_of_areas(tree: &Tree) -> Vec<String> {
    let mut edges = BTreeMap::new();
    for (from, to, edge) in edges_between_areas(tree) {
        if from.starts_with("core::") {
            edges.entry((from, to)).or_insert(edge);
        }
    }
    cycles(&edges)
}

fn cycles_of_files(tree: &Tree) -> Vec<String> {
    let mut edges = BTreeMap::new();
    for edge in Modules::of(tree).edges().into_iter().filter(|edge| !edge.of_module) {
        edges.entry((edge.from.clone(), edge.to.clone())).or_insert(edge);
    }
    cycles(&edges)
}

/// The groups of nodes that reach each other, with one example of each edge inside.
fn cycles(edges: &BTreeMap<(String, String), Edge>) -> Vec<String> {
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
    let text = |group: BTreeSet<&str>| {
        let inside =
            edges.iter().filter(|((a, b), _)| group.contains(a.as_str()) && group.contains(b.as_str()));
        let lines: Vec<String> =
            inside.map(|(_, e)| format!("    {}:{} {} -> {}", e.from, e.line, e.named, e.to)).collect();
        let names: Vec<&str> = group.into_iter().collect();
        format!("import cycle: {}\n{}", names.join(", "), lines.join("\n"))
    };
    groups.into_iter().map(text).collect()
}

const KERNELS: &str = "crates/core/src/kernels/";

fn threads_and_instruction_sets(tree: &Tree) -> Vec<String> {
    const WORDS: [&str; 5] =
        ["rayon", "pulp", "target_feature", "is_x86_feature_detected", "is_aarch64_feature_detected"];
    let mut found = Vec::new();
    // The thread pool counts as part of the kernels.
    let in_kernels = |path: &str| path.starts_with(KERNELS) || path == "crates/core/src/threads.rs";
    for (path, code) in sources(tree).filter(|(path, _)| !in_kernels(path)) {
        for (i, (line, word)) in code.tokens.iter().enumerate() {
            let before = |n: usize| i.checked_sub(n).map_or("", |j| code.tokens[j].1.as_str());
            let instruction_set = word == "arch" && before(1) == "::" && ["std", "core"].contains(&before(2));
            if instruction_set || WORDS.contains(&word.as_str()) {
                found.push(format!("{path}:{line}: {word} is only allowed in {KERNELS}"));
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
            found.push(format!("{path}:{line}: only the core may depend on {name}"));
        }
    }
    found
}

/// The file that asks the system about signals: the standard library cannot, and no crate of the tree
/// says whether a signal is ignored, as `nohup` does, without `unsafe`.
const SIGNALS: &str = "crates/cli/signals.rs";

fn unsafe_code(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let is_free = |path: &str| path.starts_with(KERNELS) || path == SIGNALS;
    for (path, code) in sources(tree).filter(|(path, _)| !is_free(path)) {
        for (line, _) in code.tokens.iter().filter(|(_, word)| word == "unsafe") {
            found.push(format!("{path}:{line}: unsafe is only allowed in {KERNELS} and {SIGNALS}"));
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

/// The macros that print.
const PRINTS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

fn printing(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in sources(tree).filter(|(path, _)| !path.starts_with("crates/cli/")) {
        for (i, pair) in code.tokens.windows(2).enumerate() {
            let ((line, word), (_, after)) = (&pair[0], &pair[1]);
            let is = |words: &[&str]| words.contains(&word.as_str());
            let prints = is(&PRINTS) && after == "!";
            // `command.stdout(Stdio::piped())` says where another process writes.
            let of_a_child = i > 0 && code.tokens[i - 1].1 == ".";
            let terminal = is(&["stdout", "stderr"]) && after == "(" && !of_a_child;
            if prints || terminal {
                found.push(format!("{path}:{line}: {word} is only allowed in the command line"));
            }
        }
    }
    found
}

/// The file that writes to stderr. The macros of the standard library panic when stderr is closed, which
/// would end a training.
const NOTES: &str = "crates/cli/terminal/notes.rs";

fn writers_to_stderr(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let cli = |path: &str| path.starts_with("crates/cli/") && path != NOTES;
    for (path, code) in sources(tree).filter(|(path, _)| cli(path)) {
        for pair in code.tokens.windows(2) {
            let ((line, word), (_, after)) = (&pair[0], &pair[1]);
            if PRINTS.contains(&word.as_str()) && after == "!" {
                found.push(format!(
                    "{path}:{line}: {word}! panics when nobody reads: use {NOTES} or output.rs"
                ));
            }
        }
    }
    found
}

/// The kind and the text of a line of a doc comment.
fn doc_comment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    ["///", "//!"].into_iter().find_map(|kind| Some((kind, line.strip_prefix(kind)?.trim_start())))
}

/// Doc comments with a code block that does not end: what stands below it would be shown as code.
fn open_code_blocks(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, file) in tree.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let lines: Vec<_> = file.text.lines().map(doc_comment).collect();
        let mut before = 0;
        for comment in lines.chunk_by(|a, b| a.map(|(kind, _)| kind) == b.map(|(kind, _)| kind)) {
            before += comment.len();
            if comment.iter().flatten().filter(|(_, text)| text.starts_with("```")).count() % 2 == 1 {
                found.push(format!("{path}:{before}: a code block of this comment does not end"));
            }
        }
    }
    found
}

fn sizes(tree: &Tree) -> Vec<String> {
    let sources = tree.iter().filter(|(path, _)| path.ends_with(".rs"));
    let long = sources.map(|(path, file)| (path, file.text.lines().count())).filter(|(_, n)| *n > MAX_LINES);
    long.map(|(path, n)| format!("{path}: {n} lines, but at most {MAX_LINES} are allowed")).collect()
}
