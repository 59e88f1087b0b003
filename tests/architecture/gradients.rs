//! Finds ops whose gradient no test compares with finite differences.

use std::collections::BTreeSet;

use crate::source::{Code, Token, Tree, is_word};

/// The functions of `gradcheck` that compare a gradient.
const CHECKS: [&str; 2] = ["check", "worst"];

/// The ops with a backward that no gradient check in their file records. An op is a method of the
/// tape in a file that implements `Differentiable`.
pub fn unchecked(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, file) in tree.iter().filter(|(path, _)| path.starts_with("crates/") && path.contains("/src/"))
    {
        let tokens = &file.code().tokens;
        let differentiable = |i: usize| {
            tokens[i].1 == "Differentiable" && tokens[i..].iter().take(5).any(|(_, word)| word == "for")
        };
        let Some(implemented) = (0..tokens.len()).find(|&i| differentiable(i)) else { continue };
        // With the tests, and without comments.
        let with_tests = Code::of(&file.text.replace("#[cfg(test)]", ""));
        let checked = words_of_calls(&with_tests.tokens, &CHECKS);
        let methods = tape_methods(tokens);
        if methods.is_empty() && checked.is_empty() {
            found.push(format!("{path}:{}: this op has no gradient check", tokens[implemented].0));
        }
        for (line, name) in methods.into_iter().filter(|(_, name)| !checked.contains(name)) {
            found.push(format!(
                "{path}:{line}: {name} has no gradient check: call gradcheck::check in its tests"
            ));
        }
    }
    found
}

/// The public methods in blocks `impl<T: Float> Tape<T>`, with their lines.
fn tape_methods(tokens: &[Token]) -> Vec<(usize, &str)> {
    let word = |i: usize| tokens.get(i).map_or("", |(_, word)| word.as_str());
    let (mut depth, mut tape, mut methods) = (0, false, Vec::new());
    for (i, (line, token)) in tokens.iter().enumerate() {
        match token.as_str() {
            "impl" if depth == 0 => {
                let header =
                    tokens[i..].iter().map(|(_, word)| word.as_str()).take_while(|word| *word != "{");
                let header: Vec<&str> = header.collect();
                tape = header.contains(&"Tape") && !header.contains(&"for");
            }
            "{" => depth += 1,
            "}" => depth -= 1,
            "pub" if depth == 1 && tape && word(i + 1) == "fn" => methods.push((*line, word(i + 2))),
            _ => {}
        }
    }
    methods
}

/// The words in the arguments of all calls of these functions.
fn words_of_calls<'a>(tokens: &'a [Token], functions: &[&str]) -> BTreeSet<&'a str> {
    let mut words = BTreeSet::new();
    for call in tokens.windows(2).enumerate().filter(|(_, two)| two[1].1 == "(") {
        let (start, [(_, name), _]) = call else { continue };
        // `fn check(` declares, and does not call.
        let declared = start > 0 && tokens[start - 1].1 == "fn";
        if declared || !functions.contains(&name.as_str()) {
            continue;
        }
        let mut depth = 0;
        for (_, token) in &tokens[start + 1..] {
            match token.as_str() {
                "(" => depth += 1,
                ")" => depth -= 1,
                word if is_word(word) => _ = words.insert(word),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    words
}
