//! Finds the imports between files in the text of the modules.
//!
//! A path begins with `crate`, `super`, `self`, an imported name or a child module. Its segments are
//! resolved one by one, through child modules, items, imports, re-exports and globs, to the file that
//! defines the last segment. A re-export counts as an edge only if its file uses the name.
//! Dependencies without a path are not seen: methods, trait implementations, names from macros.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::source::{Token, Tree, is_word};

/// All modules of all crates, by key, such as `core::ops::linear`. The key of a crate's root is the
/// crate's name.
pub struct Modules {
    all: BTreeMap<String, Module>,
    /// The keys of each module's child modules, by parent key and child name.
    children: HashMap<String, HashMap<String, String>>,
}

/// A module, which is one file.
pub struct Module {
    pub path: String,
    /// The names of items at the top level.
    items: BTreeSet<String>,
    /// The imports of one name, by that name.
    named_imports: HashMap<String, Vec<Import>>,
    /// The glob imports.
    globs: Vec<Import>,
    /// Paths in the code outside imports, with their lines.
    paths: Vec<(usize, Vec<String>)>,
    /// Words in the code outside imports.
    words: BTreeSet<String>,
}

/// One name in a `use` declaration.
struct Import {
    line: usize,
    path: Vec<String>,
    /// The name in this module; `None` for a glob.
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
    /// Whether this is a `use` of a whole module, which alone uses nothing in its file.
    pub of_module: bool,
}

/// The target of a path: a module, or an item in the file of a module.
#[derive(Clone, Copy)]
enum Target<'a> {
    Module(&'a str),
    Item(&'a str),
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
        // What lies below a module of tests is of the tests too.
        let is_test = |key: &str| {
            tests.iter().any(|test| {
                key.strip_prefix(test).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            })
        };
        all.retain(|key, _| !is_test(key));
        let mut children: HashMap<String, HashMap<String, String>> = HashMap::new();
        for key in all.keys() {
            if let Some((parent, name)) = key.rsplit_once("::") {
                children.entry(parent.to_string()).or_default().insert(name.to_string(), key.clone());
            }
        }
        Self { all, children }
    }

    /// The edges between files of the same crate, sorted.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = BTreeSet::new();
        for (key, module) in &self.all {
            let mut add = |line: usize, path: &[String], target: Target, import: bool| {
                let (to, of_module) = match target {
                    Target::Module(to) => (to, import),
                    Target::Item(to) => (to, false),
                };
                if to != key {
                    let (from, to) = (module.path.clone(), self.all[to].path.clone());
                    edges.insert(Edge { from, line, to, named: path.join("::"), of_module });
                }
            };
            for import in module.named_imports.values().flatten().chain(&module.globs) {
                let used = !import.public || import.name.as_ref().is_some_and(|n| module.words.contains(n));
                // One name can be a module and an item, such as a function named after its file.
                for target in self.resolve_all(key, &import.path).into_iter().filter(|_| used) {
                    add(import.line, &import.path, target, import.name.is_some());
                }
            }
            // A file repeats its paths often: resolve each once.
            let mut resolved: HashMap<&[String], Option<Target>> = HashMap::new();
            for (line, path) in &module.paths {
                if let Some(target) = *resolved.entry(path).or_insert_with(|| self.resolve(key, path, 0)) {
                    add(*line, path, target, false);
                }
            }
        }
        edges.into_iter().collect()
    }

    /// The target of a path in the module `key`; `None` for a target outside the crate.
    fn resolve<'a>(&'a self, key: &'a str, path: &[String], depth: usize) -> Option<Target<'a>> {
        // Imports can be circular, such as two modules that glob-import each other.
        if depth > 12 {
            return None;
        }
        let mut here = match path[0].as_str() {
            "crate" => Target::Module(key.split("::").next()?),
            "self" => Target::Module(key),
            "super" => Target::Module(key.rsplit_once("::")?.0),
            name => self.look_up(key, name, depth)?,
        };
        for name in &path[1..] {
            let Target::Module(module) = here else { break };
            here = match name.as_str() {
                "super" => Target::Module(module.rsplit_once("::")?.0),
                name => self.look_up(module, name, depth).unwrap_or(Target::Item(module)),
            };
        }
        Some(here)
    }

    /// Like `resolve`, plus the item with the same name as a module.
    fn resolve_all<'a>(&'a self, key: &'a str, path: &[String]) -> Vec<Target<'a>> {
        let Some(found) = self.resolve(key, path, 0) else { return Vec::new() };
        let mut all = vec![found];
        if let (Target::Module(module), Some((name, parents))) = (found, path.split_last()) {
            let parent = module.rsplit_once("::").map(|(parent, _)| parent);
            if let Some(parent) = parent.filter(|_| !parents.is_empty() && name != "self") {
                all.extend(self.item(parent, name, 1));
            }
        }
        all
    }

    /// What `name` refers to in the module `key`.
    fn look_up<'a>(&'a self, key: &'a str, name: &str, depth: usize) -> Option<Target<'a>> {
        match self.children.get(key).and_then(|children| children.get(name)) {
            Some(child) => Some(Target::Module(child)),
            None => self.item(key, name, depth),
        }
    }

    /// Like `look_up`, but ignores child modules.
    fn item<'a>(&'a self, key: &'a str, name: &str, depth: usize) -> Option<Target<'a>> {
        let module = self.all.get(key)?;
        if module.items.contains(name) {
            return Some(Target::Item(key));
        }
        let named = module.named_imports.get(name).into_iter().flatten();
        for import in named.filter(|i| i.path.len() > 1 || i.path[0] != name) {
            if let Some(target) = self.resolve(key, &import.path, depth + 1) {
                return Some(target);
            }
        }
        // A glob import does not provide the name that its own path begins with.
        for glob in module.globs.iter().filter(|glob| glob.path[0] != name) {
            if let Some(Target::Module(other)) = self.resolve(key, &glob.path, depth + 1)
                && other != key
                && let Some(target) = self.look_up(other, name, depth + 1)
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
            named_imports: HashMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
            words: BTreeSet::new(),
        };
        let mut imports = Vec::new();
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
                    use_tree(tokens, &mut i, &mut Vec::new(), public, &mut imports);
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "static" | "union" | "const" if depth == 0 => {
                    module.items.insert(word(i + 1).to_string());
                }
                // The declaration of a child module uses nothing in it.
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
        for import in imports {
            match &import.name {
                Some(name) => module.named_imports.entry(name.clone()).or_default().push(import),
                None => module.globs.push(import),
            }
        }
        module
    }
}

/// Parses one branch of a `use` declaration, from its first word to the token that ends it.
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
