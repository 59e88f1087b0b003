//! Solutions pass, and each planted mistake gets its hint.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use m2g_learn::exercises::{ALL, named};
use m2g_learn::folder::Folder;
use m2g_learn::grade::{Verdict, grade};
use m2g_learn::program::{Build, Compiled, Program, compile};
use m2g_learn::report::sentences;
use m2g_learn::texts::Language;

use crate::planted::{NEARLY_RIGHT, PLANTED};

/// A time that no program which ends needs, on a machine with much to do either.
pub const LONG: Duration = Duration::from_secs(60);

/// For grading.
pub const PLAIN: Build = Build { release: false, colour: false };

/// All solutions and wrong programs as one program, which takes the part that its own name says.
struct Programs {
    folder: tempfile::TempDir,
    all: PathBuf,
}

static PROGRAMS: OnceLock<Programs> = OnceLock::new();

fn programs() -> &'static Programs {
    PROGRAMS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let learn = folder.path().join("learn");
        Folder::open(&learn, Language::English).unwrap();
        let (mut modules, mut arms) = (String::new(), String::new());
        let mut add = |name: &str, code: &str| {
            let code = code.replace("fn main()", "pub fn main()");
            writeln!(modules, "mod {name} {{\n{code}}}").unwrap();
            writeln!(arms, "        {name:?} => {name}::main(),").unwrap();
        };
        for exercise in ALL {
            add(&format!("solution_{}", exercise.name), exercise.sources.solution);
        }
        for (i, (exercise, from, to, mistake)) in PLANTED.iter().enumerate() {
            let solution = named(exercise).unwrap().sources.solution;
            assert!(solution.contains(from), "{exercise} {mistake}: {from} is not in\n{solution}");
            add(&format!("wrong_{i}"), &solution.replace(from, to));
        }
        for (i, (exercise, from, to)) in NEARLY_RIGHT.iter().enumerate() {
            let solution = named(exercise).unwrap().sources.solution;
            assert!(solution.contains(from), "{exercise}: {from} is not in\n{solution}");
            add(&format!("nearly_{i}"), &solution.replace(from, to));
        }
        let main = format!(
            "fn main() {{\n    let name = std::env::args().next().unwrap();\n    match name.rsplit('/').next().unwrap() {{\n{arms}        \
             other => panic!(\"{{other}}\"),\n    }}\n}}\n"
        );
        fs::write(learn.join("src/bin/all.rs"), modules + &main).unwrap();
        match compile(&learn, "all", PLAIN).unwrap() {
            Compiled::Program { path, .. } => Programs { folder, all: path },
            Compiled::Refused(why) => panic!("{why}"),
        }
    })
}

/// The part of the program with this name.
fn program(name: &str) -> Program {
    let programs = programs();
    let link = programs.folder.path().join(name);
    std::os::unix::fs::symlink(&programs.all, &link).unwrap();
    Program::to_grade_within(link, LONG)
}

#[test]
fn every_solution_passes() {
    for exercise in ALL {
        let verdict = grade(exercise, &mut program(&format!("solution_{}", exercise.name))).unwrap();
        match verdict {
            Verdict::Passed { cases, .. } => assert!(cases >= 3, "{}: {cases} cases", exercise.name),
            Verdict::Failed(finding) => {
                panic!("{}: {:?}", exercise.name, sentences(exercise, &finding, &Language::English.texts()))
            }
        }
    }
}

#[test]
fn every_planted_mistake_gets_its_hint() {
    let texts = Language::ALL.map(Language::texts);
    let mut wrong = String::new();
    for (i, (name, _, to, mistake)) in PLANTED.iter().enumerate() {
        let exercise = named(name).unwrap();
        let verdict = grade(exercise, &mut program(&format!("wrong_{i}"))).unwrap();
        let Verdict::Failed(finding) = verdict else {
            writeln!(wrong, "{name} {mistake}: passes with {to}").unwrap();
            continue;
        };
        let [english, spanish] = texts.each_ref().map(|texts| sentences(exercise, &finding, texts));
        if finding.mistake != Some(*mistake) {
            writeln!(wrong, "{name} {mistake}: {:?}: {english:?}", finding.mistake).unwrap();
        }
        assert_eq!(english.len(), spanish.len());
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    let mut planted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, _, _, mistake) in PLANTED {
        planted.entry(name).or_default().insert(mistake);
    }
    for exercise in ALL {
        let known: BTreeSet<&str> = exercise.mistakes.iter().map(|mistake| mistake.name).collect();
        assert!(known.len() >= 2, "{}", exercise.name);
        assert_eq!(planted[exercise.name], known, "{}", exercise.name);
    }
}

#[test]
fn what_is_right_by_luck_fails_and_gets_no_wrong_hint() {
    let texts = Language::English.texts();
    for (i, (name, _, to)) in NEARLY_RIGHT.iter().enumerate() {
        let exercise = named(name).unwrap();
        let Verdict::Failed(finding) = grade(exercise, &mut program(&format!("nearly_{i}"))).unwrap() else {
            panic!("{name} passes with {to}")
        };
        assert_eq!(finding.mistake, None, "{name}: {to}: {:?}", sentences(exercise, &finding, &texts));
    }
}

/// The files are as they are written, so that nothing of the solution is in them.
#[test]
fn every_exercise_has_a_gap_and_the_frame_of_its_solution() {
    for exercise in ALL {
        let (task, solution) = (exercise.sources.task, exercise.sources.solution);
        assert!(task.contains("    todo!()\n"), "{}", exercise.name);
        for line in m2g_learn::texts::code(task).lines().filter(|line| line.trim() != "todo!()") {
            assert!(solution.contains(line), "{}: {line}", exercise.name);
        }
        let lines = solution.lines().count();
        assert!((10..=60).contains(&lines), "{}: {lines} lines", exercise.name);
    }
    let names: Vec<String> =
        ALL.iter().enumerate().map(|(i, e)| format!("{:02}_{}", i + 1, e.name)).collect();
    assert_eq!(names, ALL.map(|e| e.sources.program));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../notebooks-notes/exercises");
    for folder in ["src/bin", "solutions"] {
        let files = fs::read_dir(source.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, ALL.map(|e| format!("{}.rs", e.sources.program)), "{folder}");
    }
}
