//! Enforces the architecture: reads the sources as text and checks the rules in [`rules`].
//!
//! ```text
//! cli -> page -> {digits, gpt, translate} -> text -> core        (digits does without text)
//! cli -> learn -> {translate, text, core, exercises}             (exercises is the learner's crate)
//! cli -> mpi -> core
//! gpt, page -> packed
//! train, nn -> tape, ops -> kernels -> tensor, mask, tokens, ... (the areas of the core)
//! ```
//!
//! A violation names the file, the line and the path. [`planted`] plants violations of each rule into a
//! copy of the tree and checks that the rule detects them.
#![allow(clippy::unwrap_used)]

mod gradients;
mod modules;
mod places;
mod planted;
mod rules;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// The sources of this repository, read once.
static TREE: LazyLock<source::Tree> =
    LazyLock::new(|| source::read_tree(Path::new(env!("CARGO_MANIFEST_DIR"))));

/// The violations in this repository, by rule; computed once for all tests.
static VIOLATIONS: LazyLock<BTreeMap<&str, Vec<String>>> =
    LazyLock::new(|| rules::ALL.into_iter().map(|(name, violations)| (name, violations(&TREE))).collect());

#[test]
fn the_tree_follows_every_rule() {
    let mut message = String::new();
    for (name, violations) in VIOLATIONS.iter() {
        for violation in violations {
            message += &format!("{name}: {violation}\n");
        }
    }
    assert!(message.is_empty(), "\n{message}");
}
