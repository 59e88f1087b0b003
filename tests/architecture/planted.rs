//! Checks that every rule detects planted violations: faulty lines in a copy of the tree. Violations
//! that exist without them do not count. Lines that only look like violations must not be reported.

use crate::source::{Code, File, Tree};
use crate::{TREE, VIOLATIONS, rules};

/// The violations of a rule that a change to the tree adds.
fn added(rule: &str, change: impl FnOnce(&mut Tree)) -> Vec<String> {
    let (name, violations) = rules::ALL.into_iter().find(|(name, _)| name.contains(rule)).unwrap();
    let before = &VIOLATIONS[name];
    let mut tree = TREE.clone();
    change(&mut tree);
    violations(&tree).into_iter().filter(|violation| !before.contains(violation)).collect()
}

/// Appends a line to a file, or to a new file. Returns the line number.
fn append(tree: &mut Tree, path: &str, line: &str) -> usize {
    let text = tree.get(path).map_or("", |file| &file.text);
    let number = text.lines().count() + 1;
    tree.insert(path.to_string(), File::new(format!("{text}{line}\n")));
    number
}

/// Asserts that the rule detects every one of these lines, added together, at its place.
#[track_caller]
fn detected(rule: &str, faults: &[(&str, &str)]) {
    let mut places = Vec::new();
    let found = added(rule, |tree| {
        places.extend(faults.iter().map(|(path, line)| {
            let number = append(tree, path, line);
            // A violation of several lines is reported for the last line, or for the whole file.
            let number = number + line.lines().count() - 1;
            [format!("{path}:{number}:"), format!("{path}: ")]
        }));
    });
    for (place, fault) in places.iter().zip(faults) {
        let matches = |violation: &String| place.iter().any(|place| violation.starts_with(place));
        assert!(found.iter().any(matches), "{rule}: {fault:?}: {found:#?}");
    }
}

/// Asserts that the rule reports none of these lines.
#[track_caller]
fn allowed(rule: &str, lines: &[(&str, &str)]) {
    let found = added(rule, |tree| {
        for (path, line) in lines {
            append(tree, path, line);
        }
    });
    assert!(found.is_empty(), "{rule}: {found:#?}");
}

const A_KERNEL: &str = "crates/core/src/kernels/softmax.rs";

#[test]
fn an_import_of_the_wrong_crate() {
    let rule = "between crates";
    detected(
        rule,
        &[
            ("crates/core/src/tensor.rs", "use m2g_gpt::Gpt;"),
            ("crates/gpt/src/model.rs", "fn f() { m2g_digits::Network::new(); }"),
            ("crates/digits/src/network.rs", "use m2g_text::tokenizer;"),
            ("crates/text/src/lib.rs", "use m2g_gpt::Gpt;"),
            ("crates/translate/src/lib.rs", "use m2g_gpt::Gpt;"),
            ("crates/gpt/tests/integration/model.rs", "use m2g_digits::Network;"),
            ("crates/core/Cargo.toml", "[dev-dependencies]\nm2g-gpt.workspace = true"),
            ("crates/core/Cargo.toml", "[dependencies.m2g-text]"),
            ("crates/gpt/src/model.rs", "use m2g_exercises::Matrix;"),
            ("crates/learn/src/grade.rs", "use m2g_gpt::Gpt;"),
            ("crates/speech/src/lib.rs", "// An unknown crate."),
        ],
    );
    allowed(
        rule,
        &[
            ("crates/core/src/tensor.rs", "// As in m2g_gpt, `use m2g_gpt::Gpt;`"),
            ("crates/translate/src/lib.rs", "use m2g_text::tokenizer;"),
            ("crates/page/src/lib.rs", "use m2g_gpt::Gpt;"),
            ("crates/learn/src/grade.rs", "use m2g_exercises::Matrix;"),
            ("tests/end_to_end/main.rs", "use m2g_gpt::Gpt;"),
        ],
    );
}

#[test]
fn an_import_of_the_wrong_area() {
    let rule = "between the areas";
    detected(
        rule,
        &[
            (A_KERNEL, "use crate::ops::Backward;"),
            (A_KERNEL, "use crate::{Tape, Float};"),
            (A_KERNEL, "fn planted() { super::super::nn::planted(); }"),
            (A_KERNEL, "use crate::optim as o;"),
            ("crates/core/src/ops/add.rs", "use crate::nn::*;"),
            ("crates/core/src/nn/linear.rs", "use crate::train;"),
            ("crates/core/src/tensor.rs", "use crate::tape::Tape;"),
            ("crates/core/src/optim/sgd.rs", "fn planted(_: &crate::checkpoint::Checkpoint) {}"),
        ],
    );
    let new_area = added(rule, |tree| {
        append(tree, "crates/core/src/attic.rs", "fn planted() {}");
    });
    assert!(new_area.len() == 1 && new_area[0].contains("crates/core/src/attic"), "{new_area:?}");
    allowed(
        rule,
        &[
            (A_KERNEL, "use crate::Float;"),
            (A_KERNEL, "#[cfg(test)]\nmod more_tests {\n    use crate::Tape;\n}"),
            (A_KERNEL, "const TEXT: &str = \"use crate::Tape;\";"),
            ("crates/core/src/ops/add.rs", "use crate::kernels::softmax;"),
        ],
    );
}

#[test]
fn a_cycle_of_areas() {
    let found = added("cycle of areas", |tree| {
        append(tree, "crates/core/src/planted_a.rs", "pub struct A;\nuse crate::planted_b::B;");
        append(tree, "crates/core/src/planted_b.rs", "pub struct B;\nfn f() { crate::planted_c::g(); }");
        append(tree, "crates/core/src/planted_c.rs", "pub fn g() -> super::planted_a::A { todo() }");
    });
    assert!(
        found.len() == 1
            && ["planted_a", "planted_b", "planted_c"].iter().all(|area| found[0].contains(area)),
        "{found:?}"
    );
    // An import in one direction is not a cycle.
    allowed("cycle of areas", &[("crates/core/src/planted.rs", "use crate::Tensor;")]);
}

#[test]
fn a_cycle_of_files() {
    let rule = "cycle of files";
    let re_exports = "mod one;\nmod two;\npub use one::First;\npub use two::*;";
    let plant = |one: &'static str, two: &'static str| {
        move |tree: &mut Tree| {
            append(tree, "crates/gpt/src/planted/mod.rs", re_exports);
            append(tree, "crates/gpt/src/planted/one.rs", one);
            append(tree, "crates/gpt/src/planted/two.rs", two);
        }
    };
    // Through re-exports, by name and by glob.
    let cycle = plant("use super::Second;\npub struct First;", "pub struct Second(crate::planted::First);");
    let found = added(rule, cycle);
    assert!(found.len() == 1 && found[0].contains("one.rs") && found[0].contains("two.rs"), "{found:?}");
    // A parent that only re-exports a child forms no cycle with it, even if the child uses the parent.
    let none = plant("use super::Second;\npub struct First;", "pub struct Second;");
    assert_eq!(added(rule, none), [""; 0]);
    // A parent that uses the child does.
    let parent = |tree: &mut Tree| {
        append(
            tree,
            "crates/gpt/src/planted/mod.rs",
            "mod one;\npub use one::First;\npub struct Own(First);",
        );
        append(tree, "crates/gpt/src/planted/one.rs", "pub struct First(Option<Box<super::Own>>);");
    };
    assert_eq!(added(rule, parent).len(), 1);
    // The same for a function named after its file.
    let alike = |tree: &mut Tree| {
        append(tree, "crates/gpt/src/planted/mod.rs", "mod one;\npub use one::one;\nconst OWN: u8 = 0;");
        append(tree, "crates/gpt/src/planted/one.rs", "pub fn one() -> u8 { super::OWN }");
    };
    assert_eq!(added(rule, alike), [""; 0]);
}

#[test]
fn threads_or_instruction_sets_outside_the_kernels() {
    let rule = "instruction sets";
    detected(
        rule,
        &[
            ("crates/core/src/ops/add.rs", "use rayon::prelude::*;"),
            ("crates/core/src/ops/add.rs", "use std::arch::x86_64::*;"),
            ("crates/core/src/nn/linear.rs", "fn f() { core::arch::x86_64::_mm_pause(); }"),
            ("crates/digits/src/backprop.rs", "use pulp::Arch;"),
            ("crates/cli/main.rs", "fn f() -> bool { is_x86_feature_detected!(\"avx2\") }"),
            ("crates/translate/Cargo.toml", "[dependencies]\nrayon.workspace = true"),
        ],
    );
    allowed(
        rule,
        &[
            (A_KERNEL, "use rayon::prelude::*;"),
            ("crates/core/src/ops/add.rs", "// rayon would not help here"),
            ("crates/core/src/ops/add.rs", "const HELP: &str = r#\"no \"rayon\" here\"#;"),
        ],
    );
}

#[test]
fn unsafe_outside_the_kernels() {
    let rule = "unsafe only";
    let fault = "fn f(p: *const u8) -> u8 { unsafe { *p } }";
    detected(rule, &[("crates/core/src/ops/add.rs", fault), ("crates/cli/main.rs", fault)]);
    allowed(rule, &[(A_KERNEL, fault), ("crates/core/src/ops/add.rs", "#![allow(unsafe_code)] // unsafe")]);
}

#[test]
fn a_model_named_in_the_core() {
    let rule = "model names";
    detected(
        rule,
        &[
            ("crates/core/src/tensor.rs", "fn for_the_gpt() {}"),
            ("crates/core/src/train/mod.rs", "struct DigitReport;"),
            ("crates/core/src/error.rs", "const TEXT: &str = \"m2g gpt train\";"),
            ("crates/core/src/checkpoint.rs", "fn of_gpt2() {}"),
        ],
    );
    allowed(
        rule,
        &[
            ("crates/core/src/tensor.rs", "// GPT-2 has 50,257 tokens."),
            ("crates/core/src/tensor.rs", "const DIGITALLY: u8 = b'0';"),
            ("crates/core/src/data/catalogue.rs", "const MNIST: &str = \"mnist\";"),
        ],
    );
}

#[test]
fn printing_below_the_command_line() {
    let rule = "no printing";
    detected(
        rule,
        &[
            ("crates/core/src/tensor.rs", "fn f() { println!(\"x\"); }"),
            ("crates/core/src/tensor.rs", "fn f() { eprint!(\"x\"); }"),
            ("crates/gpt/src/model.rs", "fn f() { dbg!(1); }"),
            ("crates/text/src/lib.rs", "fn f() { std::io::stdout().flush(); }"),
        ],
    );
    allowed(
        rule,
        &[
            ("crates/cli/main.rs", "fn f() { std::io::stdout().flush(); }"),
            ("crates/gpt/examples/planted.rs", "fn f() { println!(\"x\"); }"),
            ("crates/core/src/tensor.rs", "#[cfg(test)]\nfn f() { println!(\"x\"); }"),
            ("crates/core/src/tensor.rs", "/// println!(\"x\")"),
            ("crates/text/src/lib.rs", "fn f(c: &mut Command) { c.stdout(Stdio::null()); }"),
        ],
    );
}

#[test]
fn another_writer_to_stderr() {
    let rule = "one writer to stderr";
    let code = "fn f() { eprintln!(\"x\"); }";
    detected(
        rule,
        &[
            ("crates/cli/main.rs", code),
            ("crates/cli/train/watch.rs", "fn f() { eprint!(\"x\"); }"),
            ("crates/cli/output.rs", "fn f() { println!(\"x\"); }"),
        ],
    );
    allowed(rule, &[("crates/cli/terminal/notes.rs", code), ("crates/cli/planted.rs", "/// eprintln!")]);
}

#[test]
fn an_op_without_a_gradient_check() {
    let method = "impl<T: Float> Tape<T> { pub fn planted(&mut self, x: Var) -> Result<Var, Error> {} }";
    let backward = "impl<T: Float> Differentiable<T> for Planted { fn backward(&self) {} }";
    let op = format!("{backward} {method}");
    let commented = format!("{op}\n#[cfg(test)] // check(|tape, x| tape.planted(x))\nmod tests {{}}");
    let other = format!(
        "{op} #[cfg(test)] mod tests {{ fn f() {{ check(|tape, x| tape.scale(x)); tape.planted(x); }} }}"
    );
    detected(
        "gradient check",
        &[
            ("crates/core/src/ops/planted.rs", &op),
            ("crates/core/src/nn/planted.rs", &other),
            ("crates/gpt/src/planted.rs", backward),
            // A second op in a file that checks its first.
            ("crates/core/src/ops/tanh.rs", method),
        ],
    );
    let found =
        added("gradient check", |tree| _ = append(tree, "crates/core/src/ops/planted.rs", &commented));
    assert_eq!(found.len(), 1, "{found:?}");
    let checked =
        format!("{op} #[cfg(test)] mod tests {{ fn f() {{ check(&[], |tape, x| (tape.planted(x))); }} }}");
    allowed(
        "gradient check",
        &[("crates/core/src/ops/planted.rs", &checked), ("crates/core/src/ops/argmax.rs", method)],
    );
}

#[test]
fn a_file_that_is_too_long() {
    let lines = "//\n".repeat(451);
    detected("450 lines", &[("crates/core/src/tensor.rs", &lines), ("tests/end_to_end/bench.rs", &lines)]);
    allowed("450 lines", &[("crates/gpt/src/planted.rs", &"//\n".repeat(448))]);
}

#[test]
fn a_code_block_in_a_comment_that_does_not_end() {
    let rule = "code block";
    detected(
        rule,
        &[(A_KERNEL, "    /// ```text\n    /// x"), ("crates/cli/main.rs", "//! ```\n//! ```\n//! ```")],
    );
    allowed(rule, &[(A_KERNEL, "/// ```text\n/// x\n/// ```"), (A_KERNEL, "let fence = \"```\"; // ```")]);
}

#[test]
fn literals_and_comments_are_not_code() {
    let text = "let a = 'x'; let b: &'static str = \"/* \\\" */\"; // c\nlet d = r#\"e\"f\"#; /* /* g */ h */ '\\''; i";
    let code = Code::of(text);
    let words: Vec<&str> = code.tokens.iter().map(|(_, token)| token.as_str()).collect();
    assert_eq!(
        words,
        [
            "let", "a", "=", ";", "let", "b", ":", "&", "'", "static", "str", "=", ";", "let", "d", "=", ";",
            ";", "i"
        ]
    );
}
