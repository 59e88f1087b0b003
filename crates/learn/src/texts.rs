//! The texts in each language: tasks, hints, mistakes, and the sentences of the grader.
//!
//! The English task is the head of the exercise's file; all other texts are in
//! `notebooks-notes/exercises/texts/`.

use std::collections::BTreeMap;

use m2g_core::Error;
use serde::Deserialize;

use crate::error::LearnError;
use crate::exercise::Exercise;
use crate::failure::Failure;

/// A language of the course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// Its two letters.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language of a locale such as `es_AR.UTF-8`: English unless it is Spanish.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '.', '@', '-', ':']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("es") { Self::Spanish } else { Self::English }
    }

    /// Its texts.
    ///
    /// # Panics
    /// Never: a test reads the files, which are part of the binary.
    pub fn texts(self) -> Texts {
        let file = match self {
            Self::English => include_str!("../../../notebooks-notes/exercises/texts/en.toml"),
            Self::Spanish => include_str!("../../../notebooks-notes/exercises/texts/es.toml"),
        };
        let texts: Texts = toml::from_str(file).expect("a test reads this file");
        texts
    }
}

/// The texts in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The sentences of the grader, with names in braces for what they insert.
    pub messages: BTreeMap<String, String>,
    /// The errors, in a language other than English, in which they are [`LearnError`]'s.
    #[serde(default)]
    pub errors: BTreeMap<String, String>,
    /// What `m2g learn --help` says, by its English, in another language.
    #[serde(default)]
    pub help: BTreeMap<String, String>,
    /// The texts of each exercise.
    pub exercises: BTreeMap<String, ExerciseText>,
}

/// The texts of an exercise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExerciseText {
    /// The task; in English it is the head of the exercise's file.
    pub task: Option<String>,
    /// Three steps towards the solution.
    pub hints: [String; 3],
    /// What each typical mistake is.
    pub mistakes: BTreeMap<String, String>,
}

/// What begins each line of a file's head.
const HEAD: &str = "//!";

impl Texts {
    /// Why there is no answer.
    pub fn failure(&self, failure: &Failure) -> Vec<String> {
        match failure {
            Failure::Panic { place, message } => {
                let mut lines = vec![self.say("panic", &[("place", place), ("message", message)])];
                if message.starts_with("matmul of ") {
                    lines.push(self.say("transpose_one", &[]));
                }
                if message == "attempt to subtract with overflow" {
                    lines.push(self.say("below_zero", &[]));
                }
                lines
            }
            other => vec![self.say(other.key(), &[])],
        }
    }

    /// The sentence `key` with each `{name}` replaced.
    pub fn say(&self, key: &str, inserts: &[(&str, &str)]) -> String {
        filled(self.messages.get(key).map_or(key, String::as_str), inserts)
    }

    /// An error in this language; `None` if that is English, or if the core refused something.
    pub fn error(&self, error: &LearnError) -> Option<String> {
        let (key, inserts) = match error {
            LearnError::Cargo(why) => ("cargo", vec![("why", why.to_string())]),
            LearnError::Build(why) => ("build", vec![("why", why.clone())]),
            LearnError::Unknown { name, similar } => {
                let hint =
                    if similar.is_empty() { String::new() } else { format!(" (¿{}?)", similar.join(", ")) };
                ("unknown", vec![("name", format!("{name:?}")), ("hint", hint)])
            }
            LearnError::Foreign(path) => ("foreign", vec![("path", path.display().to_string())]),
            LearnError::Folder { path, why } => {
                ("folder", vec![("path", path.display().to_string()), ("why", why.to_string())])
            }
            LearnError::Progress { path, why } => {
                ("progress", vec![("path", path.display().to_string()), ("why", why.clone())])
            }
            LearnError::File { path, why, .. } | LearnError::Core(Error::Io { path, source: why, .. }) => {
                ("file", vec![("path", path.display().to_string()), ("why", why.to_string())])
            }
            LearnError::AllDone => ("all_done", vec![]),
            LearnError::NotPassed(name) => ("not_passed", vec![("name", (*name).to_string())]),
            LearnError::Unused { name, used } => {
                ("unused", vec![("name", (*name).to_string()), ("used", used.clone())])
            }
            LearnError::NoText(name) => ("no_text", vec![("name", (*name).to_string())]),
            LearnError::Failed { name, why } => {
                ("failed", vec![("name", (*name).to_string()), ("why", self.failure(why).join(" "))])
            }
            LearnError::Core(_) => return None,
        };
        let inserts: Vec<(&str, &str)> =
            inserts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.errors.get(key).map(|text| filled(text, &inserts))
    }

    /// The hints of an exercise.
    pub fn hints(&self, exercise: &Exercise) -> &[String] {
        self.exercises.get(exercise.name).map_or(&[], |texts| &texts.hints)
    }

    /// What a typical mistake is.
    pub fn mistake(&self, exercise: &Exercise, mistake: &str) -> &str {
        let mistakes = self.exercises.get(exercise.name).map(|texts| &texts.mistakes);
        mistakes.and_then(|all| all.get(mistake)).map_or("", String::as_str)
    }

    /// The task of an exercise; its first line is its title.
    pub fn task(&self, exercise: &Exercise) -> String {
        let translated = self.exercises.get(exercise.name).and_then(|texts| texts.task.clone());
        translated.map_or_else(|| head(exercise.sources.task), |task| task.trim().to_string())
    }

    /// The title of an exercise.
    pub fn title(&self, exercise: &Exercise) -> String {
        let task = self.task(exercise);
        task.lines().next().unwrap_or_default().trim_start_matches("# ").to_string()
    }

    /// The exercise's file, as the learner gets it.
    pub fn file(&self, exercise: &Exercise) -> String {
        let lines = self.task(exercise);
        let lines = lines.lines().map(|line| format!("{HEAD} {line}").trim_end().to_string());
        format!("{}\n{}", lines.collect::<Vec<_>>().join("\n"), code(exercise.sources.task))
    }
}

/// The text with each `{name}` replaced.
fn filled(text: &str, inserts: &[(&str, &str)]) -> String {
    inserts.iter().fold(text.to_string(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The text in the head of a file.
fn head(file: &str) -> String {
    let lines = file.lines().map_while(|line| line.strip_prefix(HEAD));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

/// A file without its head.
pub fn code(file: &str) -> String {
    let mut code: String =
        file.lines().skip_while(|line| line.starts_with(HEAD)).collect::<Vec<_>>().join("\n");
    code.push('\n');
    code
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::exercises::{ALL, named};
    use crate::failure::Failure;

    #[test]
    fn the_environment_chooses_the_language() {
        let spanish = ["es", "es_AR.UTF-8", "es-419", "ES", "es:en"];
        assert!(spanish.iter().all(|locale| Language::of_locale(locale) == Language::Spanish));
        let english = ["", "C", "C.UTF-8", "en_GB", "est", "eo"];
        assert!(english.iter().all(|locale| Language::of_locale(locale) == Language::English));
    }

    #[test]
    fn errors_speak_spanish() {
        let [en, es] = Language::ALL.map(Language::texts);
        let io = || std::io::Error::other("why");
        let (path, why) = (std::path::PathBuf::from("learn"), "why".to_string());
        let errors = [
            LearnError::Cargo(io()),
            LearnError::Build(why.clone()),
            LearnError::Unknown { name: "x".into(), similar: vec!["bp1"] },
            LearnError::Foreign(path.clone()),
            LearnError::Folder { path: path.clone(), why: io() },
            LearnError::Progress { path: path.clone(), why: why.clone() },
            LearnError::File { action: "read", path, why: io() },
            LearnError::AllDone,
            LearnError::NotPassed("bp1"),
            LearnError::Unused { name: "bp1", used: "head".into() },
            LearnError::NoText("bp1"),
            LearnError::Failed { name: "bp1", why: Failure::Timeout },
        ];
        assert_eq!(errors.len(), es.errors.len());
        for error in errors {
            let spanish = es.error(&error).unwrap_or_default();
            assert!(
                spanish.len() > 20 && !spanish.contains('{') && spanish != error.to_string(),
                "{spanish}"
            );
            assert_eq!(en.error(&error), None);
        }
        let failed = LearnError::Failed { name: "head", why: Failure::Timeout };
        assert!(es.error(&failed).unwrap_or_default().contains("tardó demasiado"));
    }

    #[test]
    fn the_hints_of_bleu_are_code_of_its_solution_which_compiles() {
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        let exercise = named("bleu").unwrap();
        let solution = dense(exercise.sources.solution);
        for texts in Language::ALL.map(Language::texts) {
            let hints = texts.hints(exercise).join("\n");
            // Literals alone are of no type that has `ln`.
            assert!(hints.contains("(0.0_f64, 0.0)"), "{hints}");
            for code in hints.split('`').skip(1).step_by(2) {
                assert!(solution.contains(&dense(code)), "{code}");
            }
        }
    }

    /// The names in braces, and the code in backticks.
    fn marked(text: &str) -> BTreeSet<String> {
        let braces = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
        let code = text.split('`').skip(1).step_by(2);
        braces.map(|name| format!("{{{name}}}")).chain(code.map(String::from)).collect()
    }

    #[test]
    fn both_languages_say_the_same() {
        let [en, es] = Language::ALL.map(Language::texts);
        let keys = |texts: &Texts| texts.messages.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&en), keys(&es));
        for (key, text) in &en.messages {
            assert_eq!(marked(text), marked(&es.messages[key]), "{key}");
        }
        let names: BTreeSet<&str> = ALL.iter().map(|exercise| exercise.name).collect();
        for texts in [&en, &es] {
            assert_eq!(texts.exercises.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
        }
        for exercise in ALL {
            let name = exercise.name;
            let mistakes: BTreeSet<&str> = exercise.mistakes.iter().map(|mistake| mistake.name).collect();
            for texts in [&en, &es] {
                let text = &texts.exercises[name];
                let named: BTreeSet<&str> = text.mistakes.keys().map(String::as_str).collect();
                assert_eq!(named, mistakes, "{name}");
                assert!(
                    text.hints.iter().chain(text.mistakes.values()).all(|text| text.len() > 10),
                    "{name}"
                );
                let task = texts.task(exercise);
                assert!(task.starts_with("# ") && task.lines().count() > 3, "{name}: {task}");
                assert!(task.lines().all(|line| line.chars().count() <= 100), "{name}: {task}");
            }
            assert!(es.exercises[name].task.is_some() && en.exercises[name].task.is_none(), "{name}");
            // Formulas stand in lines of their own; their words are translated.
            let formulas =
                |texts: &Texts| texts.task(exercise).lines().filter(|line| line.starts_with("    ")).count();
            assert_eq!(formulas(&en), formulas(&es), "{name}");
            assert_eq!(marked(&en.task(exercise)), marked(&es.task(exercise)), "{name}");
            assert_eq!(en.file(exercise), exercise.sources.task, "{name}");
            assert_eq!(code(&es.file(exercise)), code(exercise.sources.task), "{name}");
        }
    }
}
