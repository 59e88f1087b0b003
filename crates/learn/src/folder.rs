//! The learner's folder: the exercises, what is done, and old versions. Nothing that the learner wrote
//! is ever overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use m2g_core::error::in_plain_words;
use m2g_core::{Error, atomic, bounded};
use serde::{Deserialize, Serialize};

use crate::error::LearnError;
use crate::exercise::Exercise;
use crate::exercises::ALL;
use crate::texts::{Language, Texts};

/// The file with the progress.
const PROGRESS: &str = "progress.json";

/// The largest file of the folder in bytes: nobody types as much.
const MAX_BYTES: u64 = 1 << 20;

/// What [`MAX_BYTES`] is the limit of.
const WHAT: &str = "a file of the exercises";

/// The folder for versions that `reset` took away.
const OLD: &str = "old";

/// The files that all exercises share.
const SHARED: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../../../notebooks-notes/exercises/Cargo.toml")),
    (".gitignore", "/target\n"),
    ("src/lib.rs", include_str!("../../../notebooks-notes/exercises/src/lib.rs")),
    ("src/matrix.rs", include_str!("../../../notebooks-notes/exercises/src/matrix.rs")),
    ("src/given.rs", include_str!("../../../notebooks-notes/exercises/src/given.rs")),
    ("src/protocol.rs", include_str!("../../../notebooks-notes/exercises/src/protocol.rs")),
];

/// What the learner has done.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The exercise that was graded last.
    pub current: Option<String>,
    /// The exercises that pass.
    pub passed: BTreeSet<String>,
    /// The hints that were read, by exercise.
    pub hints: BTreeMap<String, usize>,
}

impl Progress {
    /// Marks whether an exercise passes. Returns whether it passes for the first time.
    fn mark(&mut self, exercise: &Exercise, passes: bool) -> bool {
        match passes {
            true => self.passed.insert(exercise.name.into()),
            false => {
                self.passed.remove(exercise.name);
                false
            }
        }
    }
}

/// The learner's folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// What is done.
    pub progress: Progress,
}

impl Folder {
    /// Opens a folder, and writes the files that are missing. Files that the learner has not touched
    /// change to the language.
    ///
    /// # Errors
    /// If it holds something else, or cannot be read or written.
    pub fn open(path: &Path, language: Language) -> Result<Self, LearnError> {
        let manifest = read(&path.join("Cargo.toml")).ok().flatten().unwrap_or_default();
        if !String::from_utf8_lossy(&manifest).contains("name = \"m2g-exercises\"") {
            check_free(path)?;
        }
        let create = |folder: &Path| {
            fs::create_dir_all(folder).map_err(|why| LearnError::Folder { path: path.to_path_buf(), why })
        };
        // The manifest comes first: it marks the folder as ours if a full disk stops us half-way.
        let [(manifest, text), ..] = SHARED;
        create(path)?;
        write_if(&path.join(manifest), text, |_| false)?;
        create(&path.join("src/bin"))?;
        for (name, text) in SHARED {
            write_if(&path.join(name), text, |_| false)?;
        }
        let texts = Language::ALL.map(|other| (other, other.texts()));
        for exercise in ALL {
            let versions: Vec<String> = texts.iter().map(|(_, texts)| texts.file(exercise)).collect();
            let own = texts.iter().position(|(other, _)| *other == language).unwrap_or(0);
            let is_untouched = |text: &str| versions.iter().any(|version| version == text);
            write_if(&path_of(path, exercise), &versions[own], is_untouched)?;
        }
        Ok(Self { path: path.to_path_buf(), progress: read_progress(&path.join(PROGRESS))? })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of an exercise.
    pub fn file(&self, exercise: &Exercise) -> PathBuf {
        path_of(&self.path, exercise)
    }

    /// When the exercise's file was last changed, if there is one.
    pub fn changed(&self, exercise: &Exercise) -> Option<SystemTime> {
        fs::metadata(self.file(exercise)).and_then(|data| data.modified()).ok()
    }

    /// The exercise to go on with: the one that was graded last unless it passes, else the first
    /// that does not pass.
    pub fn current(&self) -> Option<&'static Exercise> {
        let open = |exercise: &&Exercise| !self.progress.passed.contains(exercise.name);
        let last = self.progress.current.as_deref().and_then(|name| ALL.into_iter().find(|e| e.name == name));
        last.filter(open).or_else(|| ALL.into_iter().find(open))
    }

    /// Keeps the progress.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self) -> Result<(), LearnError> {
        let text = serde_json::to_string_pretty(&self.progress).unwrap_or_default();
        Ok(atomic::write(&self.path.join(PROGRESS), |out| writeln!(out, "{text}"))?)
    }

    /// Notes whether an exercise passes. Returns whether it passes for the first time.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note(&mut self, exercise: &Exercise, passes: bool) -> Result<bool, LearnError> {
        self.update(|progress| {
            progress.current = Some(exercise.name.into());
            progress.mark(exercise, passes)
        })
    }

    /// As [`Folder::note`], but the learner goes on with the exercise of before.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_aside(&mut self, exercise: &Exercise, passes: bool) -> Result<bool, LearnError> {
        self.update(|progress| progress.mark(exercise, passes))
    }

    fn update(&mut self, change: impl FnOnce(&mut Progress) -> bool) -> Result<bool, LearnError> {
        // Another terminal may have noted something since.
        self.progress = read_progress(&self.path.join(PROGRESS))?;
        let before = self.progress.clone();
        let is_new = change(&mut self.progress);
        if before != self.progress {
            self.save()?;
        }
        Ok(is_new)
    }

    /// Puts an exercise back as it was, and keeps the learner's version: returns where.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn reset(&mut self, exercise: &Exercise, texts: &Texts) -> Result<Option<PathBuf>, LearnError> {
        let path = self.file(exercise);
        let text = bounded::read(&path, MAX_BYTES, WHAT)?;
        let original = texts.file(exercise);
        let kept = if text == original.as_bytes() { None } else { Some(self.keep(exercise, &text)?) };
        write_whole(&path, original.as_bytes())?;
        self.progress = read_progress(&self.path.join(PROGRESS))?;
        self.progress.passed.remove(exercise.name);
        self.progress.hints.remove(exercise.name);
        self.save()?;
        Ok(kept)
    }

    /// Writes a version of an exercise to the folder of old versions, under a free name.
    fn keep(&self, exercise: &Exercise, text: &[u8]) -> Result<PathBuf, LearnError> {
        let folder = self.path.join(OLD);
        fs::create_dir_all(&folder).map_err(|why| file("create", &folder, why))?;
        let name = |n: usize| folder.join(format!("{}-{n}.rs", exercise.sources.program));
        let path = (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0));
        write_whole(&path, text)?;
        Ok(path)
    }
}

fn path_of(folder: &Path, exercise: &Exercise) -> PathBuf {
    folder.join("src/bin").join(format!("{}.rs", exercise.sources.program))
}

/// Checks that a path is an empty folder, or nothing. What a killed process left of its first file does not count.
fn check_free(path: &Path) -> Result<(), LearnError> {
    let is_leftover = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(atomic::PREFIX);
    match fs::read_dir(path) {
        Ok(mut entries) => match entries.all(|entry| entry.as_ref().is_ok_and(is_leftover)) {
            true => Ok(()),
            false => Err(LearnError::Foreign(path.to_path_buf())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(LearnError::Folder { path: path.to_path_buf(), why }),
    }
}

/// Writes a file if there is none, or if what it holds may be replaced.
fn write_if(path: &Path, text: &str, may_replace: impl Fn(&str) -> bool) -> Result<(), LearnError> {
    match read(path)? {
        None => write_whole(path, text.as_bytes()),
        Some(old) => match std::str::from_utf8(&old) {
            Ok(old) if old != text && may_replace(old) => write_whole(path, text.as_bytes()),
            _ => Ok(()),
        },
    }
}

fn write_whole(path: &Path, text: &[u8]) -> Result<(), LearnError> {
    Ok(atomic::write(path, |out| out.write_all(text))?)
}

/// What a file holds, if there is one.
fn read(path: &Path) -> Result<Option<Vec<u8>>, LearnError> {
    match bounded::read(path, MAX_BYTES, WHAT) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        read => Ok(Some(read?)),
    }
}

fn read_progress(path: &Path) -> Result<Progress, LearnError> {
    let Some(text) = read(path)? else { return Ok(Progress::default()) };
    serde_json::from_slice(&text).map_err(|why| LearnError::Progress {
        path: path.to_path_buf(),
        why: in_plain_words(&why.to_string()),
    })
}

fn file(action: &'static str, path: &Path, why: io::Error) -> LearnError {
    LearnError::File { action, path: path.to_path_buf(), why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_learners_work_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("learn");
        let mut folder = Folder::open(&path, Language::English).unwrap();
        let exercise = ALL[0];
        assert_eq!(fs::read_to_string(folder.file(exercise)).unwrap(), exercise.sources.task);
        fs::write(folder.file(exercise), "mine").unwrap();
        fs::write(path.join("src/matrix.rs"), "my matrix").unwrap();
        assert!(folder.note(exercise, true).unwrap() && !folder.note(exercise, true).unwrap());
        folder.note_aside(ALL[5], false).unwrap();
        assert_eq!(folder.progress.current.as_deref(), Some(exercise.name));

        // In another language, only the untouched exercises change.
        let mut folder = Folder::open(&path, Language::Spanish).unwrap();
        let texts = Language::Spanish.texts();
        assert_eq!(fs::read_to_string(folder.file(exercise)).unwrap(), "mine");
        assert_eq!(fs::read_to_string(path.join("src/matrix.rs")).unwrap(), "my matrix");
        assert_eq!(fs::read_to_string(folder.file(ALL[1])).unwrap(), texts.file(ALL[1]));
        assert!(folder.progress.passed.contains(exercise.name));
        assert_eq!(folder.current().unwrap().name, ALL[1].name);

        for n in 1..3 {
            let kept = folder.reset(exercise, &texts).unwrap().unwrap();
            assert_eq!(kept, path.join(format!("old/{}-{n}.rs", exercise.sources.program)));
            assert_eq!(fs::read_to_string(kept).unwrap(), "mine");
            assert_eq!(fs::read_to_string(folder.file(exercise)).unwrap(), texts.file(exercise));
            fs::write(folder.file(exercise), "mine").unwrap();
        }
        assert!(folder.progress.passed.is_empty());
    }

    #[test]
    fn other_folders_and_damaged_progress_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letter.txt"), "dear").unwrap();
        let refused = Folder::open(dir.path(), Language::English).unwrap_err().to_string();
        assert!(refused.contains("holds other files"), "{refused}");
        let file = dir.path().join("letter.txt");
        for path in [&file, &file.join("below")] {
            let refused = Folder::open(path, Language::English).unwrap_err().to_string();
            assert!(
                refused.contains("cannot be the folder") && !refused.contains("holds other"),
                "{refused}"
            );
        }

        let path = dir.path().join("learn");
        fs::create_dir(&path).unwrap();
        // A process was killed while it wrote its first file.
        fs::write(path.join(format!("{}Cargo.toml", atomic::PREFIX)), "[pack").unwrap();
        Folder::open(&path, Language::English).unwrap();
        let damaged =
            [&b"{"[..], b"{\"current\": \"\xff\"}", b"", b"null", b"3", b"{\"hints\": {\"neuron\": -1}}"];
        for damaged in damaged {
            fs::write(path.join(PROGRESS), damaged).unwrap();
            let refused = Folder::open(&path, Language::English).unwrap_err().to_string();
            assert!(refused.contains("progress.json") && refused.contains("delete it"), "{refused}");
            for theirs in ["expected", "struct", "usize", "EOF"] {
                assert!(!refused.contains(theirs), "{refused}");
            }
        }
        fs::File::create(path.join(PROGRESS)).unwrap().set_len(2 << 20).unwrap();
        let refused = Folder::open(&path, Language::English).unwrap_err().to_string();
        assert!(refused.contains("progress.json has more than 1 MiB"), "{refused}");

        fs::remove_file(path.join(PROGRESS)).unwrap();
        fs::create_dir(path.join(PROGRESS)).unwrap();
        let refused = Folder::open(&path, Language::Spanish).unwrap_err();
        assert!(Language::Spanish.texts().error(&refused).is_some(), "{refused}");
    }
}
