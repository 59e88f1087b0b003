//! Finds the source code of functions. The program embeds the sources it was built from, so lines
//! and texts always match the running code.

use m2g_gpt::data::OWN_FILES;
use serde::Serialize;

/// The function that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `fn forward` of an op.
    Forward,
    /// `fn backward` of an op.
    Backward,
    /// `fn update` of an optimiser.
    Update,
    /// `fn batches` of a model's task.
    Batches,
    /// An inherent method with this name.
    Method(&'static str),
    /// The routine itself.
    Routine,
}

impl Part {
    /// The trait that declares the function, and the function's name; `None` for functions without a
    /// trait.
    fn of_trait(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Forward => Some(("Op", "forward")),
            Self::Backward => Some(("Differentiable", "backward")),
            Self::Update => Some(("Optimizer", "update")),
            Self::Batches => Some(("Task", "batches")),
            Self::Method(_) | Self::Routine => None,
        }
    }
}

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The path of the file in the repository.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The path of a type or routine without generics and lifetimes.
pub fn plain(path: &str) -> &str {
    path.split('<').next().unwrap_or(path)
}

/// Finds the definition of a function. `path` is the path of its type, or of the routine itself.
pub fn find(path: &str, part: Part) -> Option<Place> {
    let (module, name) = plain(path).rsplit_once("::")?;
    let (file, text) = file_of(module)?;
    let mut lines = text.lines().enumerate();
    let function = match (part, part.of_trait()) {
        (Part::Method(method), _) => {
            lines.find(|(_, line)| inherent(line, name))?;
            method
        }
        (_, Some((of, function))) => {
            lines.find(|(_, line)| implements(line, of, name))?;
            function
        }
        (_, None) => name,
    };
    let is_routine = part == Part::Routine;
    // Stop at the end of the `impl` block.
    let mut inside = lines.take_while(|(_, line)| is_routine || *line != "}");
    let (i, _) = inside.find(|(_, line)| defined(line) == Some(function))?;
    Some(Place { file: file.into(), line: i + 1 })
}

/// The lines of the function that starts at a place.
pub fn text(place: &Place) -> Vec<&'static str> {
    let Some(text) = OWN_FILES.get(&place.file) else { return Vec::new() };
    let mut lines = text.lines().skip(place.line.saturating_sub(1));
    let Some(first) = lines.next() else { return Vec::new() };
    let mut function = vec![first];
    if first.trim_end().ends_with('}') {
        return function;
    }
    for line in lines {
        function.push(line);
        if line.trim_start() == "}" && indent(line) == indent(first) {
            break;
        }
    }
    function
}

/// The line at a place.
pub fn line(place: &Place) -> Option<&'static str> {
    let text = OWN_FILES.get(&place.file)?;
    text.lines().nth(place.line.checked_sub(1)?)
}

/// The name of the function that contains a line.
pub fn enclosing(place: &Place) -> Option<&'static str> {
    let text = OWN_FILES.get(&place.file)?;
    let inner = indent(line(place)?);
    let before: Vec<&str> = text.lines().take(place.line).collect();
    before.into_iter().rev().filter(|line| indent(line) < inner).find_map(defined)
}

/// The file of a module: `m2g_core::ops::linear` is `crates/core/src/ops/linear.rs`.
fn file_of(module: &str) -> Option<(&'static str, &'static str)> {
    let (name, inner) = module.strip_prefix("m2g_")?.split_once("::").unwrap_or((&module[4..], "lib"));
    let stem = format!("crates/{name}/src/{}", inner.replace("::", "/"));
    let names = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
    OWN_FILES.iter().find(|(name, _)| names.iter().any(|n| n == name))
}

/// Whether a line starts an inherent `impl<..> name`.
fn inherent(line: &str, name: &str) -> bool {
    let Some(rest) = line.strip_prefix("impl").filter(|rest| !rest.contains(" for ")) else { return false };
    // Skip the generics, if any.
    let mut depth = 0;
    let start = rest.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '<') - i32::from(*c == '>');
        depth == 0 && *c == ' '
    });
    let whom = start.map_or("", |(i, _)| &rest[i + 1..]);
    first_word(whom) == name
}

/// Whether a line starts `impl of<..> for name`.
fn implements(line: &str, of: &str, name: &str) -> bool {
    let Some((start, whom)) = line.strip_prefix("impl").and_then(|line| line.rsplit_once(" for ")) else {
        return false;
    };
    start.contains(&format!(" {of}<")) && first_word(whom) == name
}

/// The name of the function that starts on a line.
fn defined(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, |rest| match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(") ").map_or(rest, |(_, rest)| rest),
        None => rest.trim_start(),
    });
    line.strip_prefix("fn ").map(first_word)
}

/// The word that a text begins with.
fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The line in the file on disk.
    fn read(place: &Place) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&place.file);
        std::fs::read_to_string(path).unwrap().lines().nth(place.line - 1).unwrap().trim().to_string()
    }

    #[test]
    fn functions_are_found() {
        let cases = [
            ("m2g_core::ops::linear::Linear", Part::Forward, "ops/linear.rs", "fn forward("),
            ("m2g_core::ops::linear::Linear", Part::Backward, "ops/linear.rs", "fn backward("),
            ("m2g_core::optim::adamw::AdamW<f32>", Part::Update, "optim/adamw.rs", "fn update("),
            ("m2g_core::optim::clip::clip_norm", Part::Routine, "optim/clip.rs", "pub fn clip_norm<"),
            ("m2g_core::nn::linear::Linear", Part::Method("forward"), "nn/linear.rs", "pub fn forward<"),
            ("m2g_core::tape::Tape<f32>", Part::Method("backward"), "src/tape.rs", "pub fn backward("),
            ("m2g_core::train::fit::Fit", Part::Method("step"), "train/fit.rs", "fn step("),
            ("m2g_gpt::training::GptTask<'_>", Part::Batches, "gpt/src/training.rs", "fn batches("),
            ("m2g_digits::training::DigitTask", Part::Batches, "digits/src/training.rs", "fn batches("),
        ];
        for (path, part, file, line) in cases {
            let place = find(path, part).unwrap();
            assert!(place.file.ends_with(file) && read(&place).starts_with(line), "{path}: {place}");
            assert!(text(&place).last().unwrap().trim() == "}", "{path}");
        }
        assert_eq!(find("m2g_core::ops::linear::Quadratic", Part::Forward), None);
        assert_eq!(find("m2g_core::ops::nowhere::Linear", Part::Forward), None);
        assert_eq!(find("std::vec::Vec", Part::Routine), None);
        assert_eq!(find("", Part::Routine), None);
    }

    #[test]
    fn every_op_and_optimiser_is_found() {
        let mut found = 0;
        for (file, text) in OWN_FILES.iter() {
            let Some(module) = file.strip_prefix("crates/core/src/").and_then(|f| f.strip_suffix(".rs"))
            else {
                continue;
            };
            for (of, part) in
                [("Op", Part::Forward), ("Differentiable", Part::Backward), ("Optimizer", Part::Update)]
            {
                for line in text.lines().filter(|line| line.starts_with("impl<T: Float> ")) {
                    let Some((start, name)) = line.rsplit_once(" for ") else { continue };
                    if start.ends_with(&format!(" {of}<T>")) {
                        let name = name.split(['<', ' ']).next().unwrap();
                        let path = format!("m2g_core::{}::{name}", module.replace('/', "::"));
                        let place = find(&path, part).unwrap_or_else(|| panic!("{path} is not found"));
                        assert!(place.line > 1 && !self::text(&place).is_empty());
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 50, "{found}");
    }

    #[test]
    fn the_enclosing_function_is_found() {
        let mut place = find("m2g_core::optim::clip::clip_norm", Part::Routine).unwrap();
        assert_eq!(text(&place)[0], line(&place).unwrap());
        place.line += 1;
        assert_eq!(enclosing(&place), Some("clip_norm"));
        place.line = 0;
        assert!(line(&place).is_none() && enclosing(&place).is_none());
        let nowhere = Place { file: "nowhere.rs".into(), line: 3 };
        assert!(text(&nowhere).is_empty() && line(&nowhere).is_none());
    }
}
