//! The learner's folder, grading, and what is said about it.

use std::io;
use std::path::PathBuf;

use anyhow::bail;
use m2g_learn::apply::needed;
use m2g_learn::exercise::Exercise;
use m2g_learn::exercises::ALL;
use m2g_learn::failure::Failure;
use m2g_learn::folder::Folder;
use m2g_learn::grade::{Problem, Verdict, grade};
use m2g_learn::program::{Build, Compiled, Program, compile};
use m2g_learn::report;
use m2g_learn::texts::Texts;
use serde_json::json;

use crate::flags::quoted;
use crate::terminal::lines::{note, visible, wrap};
use crate::terminal::notes;
use crate::terminal::program::with_program;
use crate::terminal::width::columns;
use crate::{interrupt, output};

/// The most lines of compiler messages that are shown: the first one is the one to mend.
const MAX_COMPILER_LINES: usize = 40;

/// The most lines that are shown of what the learner's program prints.
const MAX_PRINTED_LINES: usize = 20;

/// What came out of grading.
pub struct Grade {
    /// Whether the exercise passes.
    pub passes: bool,
    /// Whether it passes for the first time.
    pub is_new: bool,
}

/// The learner's folder, and how to speak about it.
pub struct Course {
    /// The exercises and the progress.
    pub folder: Folder,
    /// The texts in the learner's language.
    pub texts: Texts,
    /// Whether results are JSON.
    pub json: bool,
    /// The flags that every command of this course needs, as they were typed.
    pub flags: String,
}

impl Course {
    /// The exercise and its file.
    pub fn introduce(&self, exercise: &Exercise) {
        let number = ALL.iter().position(|known| known.name == exercise.name).unwrap_or(0) + 1;
        notes::line(format_args!("\n{number} {}: {}", exercise.name, self.texts.title(exercise)));
        let path = self.folder.file(exercise);
        self.note(&self.texts.say("file", &[("path", &quoted(&path))]));
    }

    /// Compiles and grades an exercise, and says what came out.
    pub fn grade(&mut self, exercise: &'static Exercise) -> anyhow::Result<Grade> {
        let colour = !self.json && notes::has_colours(&io::stdout());
        let build = Build { release: false, colour };
        let (program, warnings) = match compile(self.folder.path(), exercise.sources.program, build)? {
            Compiled::Program { path, warnings } => (path, warnings),
            Compiled::Refused(why) => {
                self.folder.note(exercise, false)?;
                self.say_refused(exercise, &why)?;
                return Ok(Grade { passes: false, is_new: false });
            }
        };
        let verdict = verdict(exercise, program)?;
        let passes = matches!(verdict, Verdict::Passed { .. });
        let is_new = self.folder.note(exercise, passes)?;
        // What passes needs none, and in a gap everything is still unused.
        let warnings = match &verdict {
            Verdict::Failed(finding) if !matches!(finding.problem, Problem::Failure(Failure::Gap)) => {
                warnings
            }
            _ => vec![],
        };
        if self.json {
            let mut json = report::json(exercise, &verdict, &self.texts);
            json["warnings"] = json!(warnings);
            output::line(json)?;
            return Ok(Grade { passes, is_new });
        }
        let printed = match &verdict {
            Verdict::Passed { printed, .. } => printed,
            Verdict::Failed(finding) => &finding.printed,
        };
        if !printed.is_empty() {
            self.line(&self.texts.say("printed", &[]))?;
            self.first_lines(&visible(printed), MAX_PRINTED_LINES)?;
        }
        match &verdict {
            Verdict::Passed { cases, .. } => {
                self.line(&self.texts.say("passed", &[("cases", &cases.to_string())]))?;
                self.say_progress()?;
                if self.is_ready_to_use(exercise) {
                    let again = self.commands(&format!("`m2g learn use {}`", exercise.name));
                    self.line(&self.texts.say("use", &[("command", again.trim_matches('`'))]))?;
                }
            }
            Verdict::Failed(finding) => {
                for sentence in report::sentences(exercise, finding, &self.texts) {
                    self.line(&sentence)?;
                }
                if !warnings.is_empty() {
                    self.line(&self.texts.say("warnings", &[]))?;
                    self.first_lines(&warnings.join("\n\n"), MAX_COMPILER_LINES)?;
                }
                self.note(&self.texts.say("help", &[]));
            }
        }
        Ok(Grade { passes, is_new })
    }

    /// Whether all exercises pass that are needed to use this one.
    pub fn is_ready_to_use(&self, exercise: &Exercise) -> bool {
        let passes = |name: &&str| self.folder.progress.passed.contains(*name);
        needed(exercise).is_some_and(|names| names.iter().all(passes))
    }

    /// What the compiler says.
    pub fn say_refused(&self, exercise: &Exercise, why: &str) -> anyhow::Result<()> {
        if self.json {
            return output::line(json!({
                "event": "graded", "exercise": exercise.name, "passed": false, "failure": "compiler",
                "sentences": [self.texts.say("compiler", &[]), why],
            }));
        }
        self.line(&self.texts.say("compiler", &[]))?;
        self.first_lines(why, MAX_COMPILER_LINES)
    }

    /// Prints the first lines of a text, and how many more there are.
    fn first_lines(&self, text: &str, most: usize) -> anyhow::Result<()> {
        let lines: Vec<&str> = text.lines().collect();
        // A line that says that one more was left out would take its place.
        let shown = if lines.len() <= most + 1 { lines.len() } else { most };
        output::line(lines[..shown].join("\n"))?;
        match lines.len() - shown {
            0 => Ok(()),
            left => self.line(&self.texts.say("more_lines", &[("lines", &left.to_string())])),
        }
    }

    /// How many exercises pass, and the next one.
    pub fn say_progress(&self) -> anyhow::Result<()> {
        // The progress of another version may hold exercises that this one has not.
        let passes = |exercise: &&&Exercise| self.folder.progress.passed.contains(exercise.name);
        let (passed, all) = (ALL.iter().filter(passes).count().to_string(), ALL.len().to_string());
        self.line(&self.texts.say("progress", &[("passed", &passed), ("all", &all)]))?;
        match self.folder.current() {
            Some(next) => {
                let inserts = [("name", next.name), ("title", &*self.texts.title(next))];
                self.line(&self.texts.say("next", &inserts))
            }
            None => self.say_all_done(),
        }
    }

    /// That nothing is left.
    pub fn say_all_done(&self) -> anyhow::Result<()> {
        if self.json {
            return output::line(json!({"event": "all_done", "exercises": ALL.len()}));
        }
        self.line(&self.texts.say("all_done", &[("all", &ALL.len().to_string())]))
    }

    /// Prints a sentence to stdout, wrapped; its commands as the user types them.
    pub fn line(&self, sentence: &str) -> anyhow::Result<()> {
        output::line(wrap(&self.commands(sentence), columns(), 2))
    }

    /// Prints a remark to stderr; its commands as the user types them.
    pub fn note(&self, sentence: &str) {
        note(&self.commands(sentence));
    }

    /// The text with every command of the course, `` `m2g learn ...` ``, as the user would type it: for this
    /// folder and in this language.
    pub fn commands(&self, text: &str) -> String {
        with_program(&with_flags(text, &self.flags))
    }
}

/// Grades a program.
///
/// # Errors
/// If Ctrl-C has ended the program, which says nothing about it; or if the core cannot compute a right answer.
pub fn verdict(exercise: &Exercise, program: PathBuf) -> anyhow::Result<Verdict> {
    let verdict = grade(exercise, &mut Program::to_grade(program))?;
    let has_ended = match &verdict {
        Verdict::Failed(finding) => matches!(finding.problem, Problem::Failure(Failure::Ended)),
        Verdict::Passed { .. } => false,
    };
    if has_ended && interrupt::requested_if_child_failed() {
        bail!("stopped before the end");
    }
    Ok(verdict)
}

/// A text with flags at the end of every command `` `m2g learn ...` ``.
pub fn with_flags(text: &str, flags: &str) -> String {
    let parts = text.split('`').enumerate().map(|(i, part)| match part.starts_with("m2g learn") {
        true if i % 2 == 1 => format!("{part}{flags}"),
        _ => part.to_string(),
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_the_flags_of_the_course() {
        let text = "Type `m2g learn hint` or `todo!()`, then `m2g learn list`.";
        let want = "Type `m2g learn hint --lang es` or `todo!()`, then `m2g learn list --lang es`.";
        assert_eq!(with_flags(text, " --lang es"), want);
        assert_eq!(with_flags(text, ""), text);
    }
}
