//! Who imports whom, read from the text of the modules.
//!
//! A path (`crate::`, `super::`, `self::`, or one that begins with an imported name or a child
//! module) is followed segment by segment to the file that defines what it names:
//! through child modules, items, imports and re-exports, globs included. A re-export is
//! an edge to the file only where the file itself uses the name. What a path does not
//! show is not seen: methods, trait implementations, names that macros make.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Token, Tree, is_word};

/// All modules of all crates, by key: `core::ops::linear`; a crate's root is its name.
pub struct Modules {
    all: BTreeMap<String, Module>,
}

/// One file.
pub struct Module {
    pub path: String,
    /// The names of items at the top level.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths in the code outside of imports.
    paths: Vec<(usize, Vec<String>)>,
    /// Words in the code outside of imports.
    words: BTreeSet<String>,
}

/// One name of a `use` declaration.
struct Import {
    line: usize,
    path: Vec<String>,
    /// The name that it has here; none for a glob.
    name: Option<String>,
    public: bool,
}

/// A path in one file that leads to another of the same crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: String,
    pub line: usize,
    pub to: String,
    /// The path as written.
    pub named: String,
    /// A `use` of a whole module, which by itself uses nothing of its file.
    pub of_module: bool,
}

/// Where a path leads: to a module, or to an item in the file of one.
#[derive(Clone)]
enum Target {
    Module(String),
    Item(String),
}

/// The crate and the module path of a source file: `("core", "core::ops::linear")`.
pub fn module_key(path: &str) -> Option<(&str, String)> {
    let (name, file) = path.strip_prefix("crates/")?.split_once('/')?;
    let file = if name == "cli" { file } else { file.strip_prefix("src/")? };
    let file = file.strip_suffix(".rs")?;
    let file = file.strip_suffix("/mod").unwrap_or(file);
    match file {
        "build" => None,
        "lib" | "main" => Some((name, name.to_string())),
        _ => Some((name, format!("{name}::{}", file.replace('/', "::")))),
    }
}

impl Modules {
    /// Reads all files that are part of a crate, except its tests.
    pub fn of(tree: &Tree) -> Self {
        let mut all = BTreeMap::new();
        let mut tests = Vec::new();
        for (path, file) in tree {
            let Some((_, key)) = module_key(path) else { continue };
            let code = file.code();
            tests.extend(code.test_modules.iter().map(|name| format!("{key}::{name}")));
            all.insert(key, Module::of(path, &code.tokens));
        }
        all.retain(|key, _| !tests.contains(key));
        Self { all }
    }

    /// Every edge between two files of one crate, in order.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = BTreeSet::new();
        for (key, module) in &self.all {
            let mut add = |line: usize, path: &[String], target: Target, import: bool| {
                let (to, of_module) = match target {
                    Target::Module(to) => (to, import),
                    Target::Item(to) => (to, false),
                };
                if to != *key {
                    let (from, to) = (module.path.clone(), self.all[&to].path.clone());
                    edges.insert(Edge { from, line, to, named: path.join("::"), of_module });
                }
            };
            for import in &module.imports {
                let used = !import.public || import.name.as_ref().is_some_and(|n| module.words.contains(n));
                // A name can be a module and an item at once, such as a function called like its file.
                for target in self.resolve_all(key, &import.path).into_iter().filter(|_| used) {
                    add(import.line, &import.path, target, import.name.is_some());
                }
            }
            for (line, path) in &module.paths {
                if let Some(target) = self.resolve(key, path, 0) {
                    add(*line, path, target, false);
                }
            }
        }
        edges.into_iter().collect()
    }

    /// Where a path that stands in module `key` leads; none for what is outside of the crate.
    fn resolve(&self, key: &str, path: &[String], depth: usize) -> Option<Target> {
        // Imports can lead in a circle, such as two globs of each other.
        if depth > 12 {
            return None;
        }
        let root = key.split("::").next().unwrap();
        let mut here = match path[0].as_str() {
            "crate" => Target::Module(root.to_string()),
            "self" => Target::Module(key.to_string()),
            "super" => Target::Module(key.rsplit_once("::")?.0.to_string()),
            name => self.look_up(key, name, depth)?,
        };
        for name in &path[1..] {
            let Target::Module(module) = &here else { break };
            here = match name.as_str() {
                "super" => Target::Module(module.rsplit_once("::")?.0.to_string()),
                name => self.look_up(module, name, depth).unwrap_or(Target::Item(module.clone())),
            };
        }
        Some(here)
    }

    /// The same, and the item of the same name beside a module.
    fn resolve_all(&self, key: &str, path: &[String]) -> Vec<Target> {
        let Some(found) = self.resolve(key, path, 0) else { return Vec::new() };
        let mut all = vec![found];
        if let (Target::Module(module), Some((name, parents))) = (&all[0], path.split_last()) {
            let parent = module.rsplit_once("::").map(|(parent, _)| parent.to_string());
            if let Some(parent) = parent.filter(|_| !parents.is_empty() && name != "self") {
                all.extend(self.item(&parent, name, 1));
            }
        }
        all
    }

    /// What `name` is in the module `key`.
    fn look_up(&self, key: &str, name: &str, depth: usize) -> Option<Target> {
        let child = format!("{key}::{name}");
        if self.all.contains_key(&child) {
            return Some(Target::Module(child));
        }
        self.item(key, name, depth)
    }

    /// The same without child modules.
    fn item(&self, key: &str, name: &str, depth: usize) -> Option<Target> {
        let module = self.all.get(key)?;
        if module.items.contains(name) {
            return Some(Target::Item(key.to_string()));
        }
        let named = module.imports.iter().filter(|i| i.name.as_deref() == Some(name));
        for import in named.filter(|i| i.path.len() > 1 || i.path[0] != name) {
            if let Some(target) = self.resolve(key, &import.path, depth + 1) {
                return Some(target);
            }
        }
        for glob in module.imports.iter().filter(|i| i.name.is_none()) {
            if let Some(Target::Module(other)) = self.resolve(key, &glob.path, depth + 1)
                && other != key
                && let Some(target) = self.look_up(&other, name, depth + 1)
            {
                return Some(target);
            }
        }
        None
    }
}

impl Module {
    fn of(path: &str, tokens: &[Token]) -> Self {
        let word = |i: usize| tokens.get(i).map_or("", |t| t.1.as_str());
        let mut module = Self {
            path: path.to_string(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            paths: Vec::new(),
            words: BTreeSet::new(),
        };
        let (mut depth, mut i) = (0, 0);
        while i < tokens.len() {
            let (line, token) = &tokens[i];
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "use" => {
                    // `pub use`, `pub(crate) use`
                    let public = i > 0 && (word(i - 1) == "pub" || word(i - 1) == ")");
                    i += 1;
                    use_tree(tokens, &mut i, &mut Vec::new(), public, &mut module.imports);
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "static" | "union" | "const" if depth == 0 => {
                    module.items.insert(word(i + 1).to_string());
                }
                // The declaration of a child uses nothing of it.
                "mod" => i += 1,
                "macro_rules" => {
                    module.items.insert(word(i + 2).to_string());
                }
                _ if is_word(token) && (i == 0 || word(i - 1) != "::") => {
                    let mut path = vec![token.to_string()];
                    let mut next = i + 1;
                    while word(next) == "::" && is_word(word(next + 1)) {
                        path.push(word(next + 1).to_string());
                        next += 2;
                    }
                    module.words.extend(path.iter().cloned());
                    if path.len() > 1 {
                        module.paths.push((*line, path));
                    }
                }
                _ => {}
            }
            i += 1;
        }
        module
    }
}

/// Reads one branch of a `use` declaration, from its first word to what ends it.
fn use_tree(
    tokens: &[Token],
    i: &mut usize,
    path: &mut Vec<String>,
    public: bool,
    imports: &mut Vec<Import>,
) {
    let depth = path.len();
    let mut name = None;
    let mut whole = true;
    while let Some((line, token)) = tokens.get(*i) {
        let line = *line;
        match token.as_str() {
            "," | "}" | ";" => {
                if whole && path.len() > depth || name.is_some() {
                    let name = name.or(path.last().cloned());
                    imports.push(Import { line, path: path.clone(), name, public });
                }
                break;
            }
            "{" => {
                whole = false;
                loop {
                    *i += 1;
                    use_tree(tokens, i, path, public, imports);
                    if tokens.get(*i).is_none_or(|t| t.1 != ",") {
                        break;
                    }
                }
            }
            "*" => {
                whole = false;
                imports.push(Import { line, path: path.clone(), name: None, public });
            }
            "as" => {
                *i += 1;
                name = tokens.get(*i).map(|t| t.1.clone());
            }
            // `{self}` names the module itself.
            "self" if !path.is_empty() => name = name.or(path.last().cloned()),
            token if is_word(token) => path.push(token.to_string()),
            _ => {}
        }
        *i += 1;
    }
    path.truncate(depth);
}
