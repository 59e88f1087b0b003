//! Writes the files that a user names: `--out`, `--svg`, `--logits`.
//!
//! A link is followed. A regular file is replaced atomically and keeps its permissions. Anything
//! else, such as a pipe, a device or `/dev/stdout`, is written as a stream.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use m2g_core::{Error, atomic};

use crate::output;
use crate::terminal::lines::listed;

/// The most links to follow, as Linux does.
const MAX_LINKS: usize = 40;

/// Where the bytes of a file go.
enum Target {
    /// A new file.
    New(PathBuf),
    /// In place of this regular file.
    Regular(PathBuf, Metadata),
    /// Into a pipe, a device or a socket.
    Stream(PathBuf),
    Stdout,
    Stderr,
    Folder,
}

/// Checks the file given with `flag`, before anything is computed.
pub fn check(flag: &str, path: &Path) -> anyhow::Result<()> {
    match target(path).map_err(Error::io("write", path))? {
        Target::Folder => bail!("{flag} is {}, which is a folder: give the name of a file", path.display()),
        Target::New(file) if !folder_of(&file).is_dir() => bail!(
            "{flag} is {}, but there is no folder {}: create it first",
            path.display(),
            folder_of(&file).display()
        ),
        _ => Ok(()),
    }
}

/// As [`check`], with the ending of the file's name too.
pub fn check_format(flag: &str, path: &Path, known: &[&'static str]) -> anyhow::Result<()> {
    format(flag, path, known)?;
    check(flag, path)
}

/// Which of the `known` endings the name of the file given with `flag` has, in any case. A stream without one of them
/// gets SVG.
pub fn format(flag: &str, path: &Path, known: &[&'static str]) -> anyhow::Result<&'static str> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_ascii_lowercase();
    let named = known.iter().copied().find(|known| *known == ending);
    named.or_else(|| is_stream(path).then_some("svg")).ok_or_else(|| {
        let known: Vec<String> = known.iter().map(|ending| format!(".{ending}")).collect();
        anyhow!("{flag} is {}: its name must end in {}", path.display(), listed(&known, "or"))
    })
}

/// Whether a path leads to a pipe, a device, or anything else that is no regular file.
pub fn is_stream(path: &Path) -> bool {
    matches!(target(path), Ok(Target::Stream(_) | Target::Stdout | Target::Stderr))
}

/// Whether a path leads to stdout, where then nothing else should go.
pub fn is_stdout(path: &Path) -> bool {
    matches!(target(path), Ok(Target::Stdout))
}

/// Prints the path of a written file, unless it is stdout.
pub fn print_path(path: &Path) -> anyhow::Result<()> {
    if is_stdout(path) { Ok(()) } else { output::line(path.display()) }
}

/// Writes a file; `fill` writes its bytes. The core's [`Error::Io`] names the file.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let failed = |error: io::Error| anyhow::Error::from(Error::io("write", path)(error));
    let (file, old) = match target(path).map_err(failed)? {
        Target::New(file) => (file, None),
        Target::Regular(file, old) => {
            // A file that may not be written may not be replaced.
            OpenOptions::new().write(true).open(&file).map_err(failed)?;
            (file, Some(old))
        }
        Target::Folder => {
            bail!("cannot write {}: it is a folder: give the name of a file", path.display())
        }
        Target::Stdout => {
            io::stdout().flush().map_err(output::failed)?;
            let mut out = duplicate(io::stdout()).map_err(output::failed)?;
            // Its reader may end early, as that of any result.
            return fill(&mut out).map_err(|error| named(error, output::failed));
        }
        Target::Stderr => {
            let mut err = duplicate(io::stderr()).map_err(failed)?;
            return fill(&mut err).map_err(|error| named(error, failed));
        }
        Target::Stream(stream) => {
            let mut stream = open(&stream).map_err(failed)?;
            return fill(&mut stream).map_err(|error| named(error, failed));
        }
    };
    let mut other_error = None;
    let written = atomic::write(&file, |out| {
        old.as_ref().map_or(Ok(()), |old| keep_access(out.file(), old))?;
        fill(out).map_err(|error| {
            error.downcast::<io::Error>().unwrap_or_else(|error| {
                other_error = Some(error);
                ErrorKind::Other.into()
            })
        })
    });
    match other_error {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// As [`write()`], with bytes that are complete.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(path, |file| Ok(file.write_all(bytes)?))
}

/// Where a folder lies that a user names: a link is followed, even to a folder that does not exist yet.
pub fn followed_folder(path: &Path) -> PathBuf {
    follow(path).map_or(path.to_path_buf(), |(path, _)| path)
}

/// An error of the operating system with the name of what was written, and any other error as it is.
fn named(error: anyhow::Error, name: impl FnOnce(io::Error) -> anyhow::Error) -> anyhow::Error {
    error.downcast::<io::Error>().map_or_else(|other| other, name)
}

fn target(path: &Path) -> io::Result<Target> {
    let (path, metadata) = follow(path)?;
    Ok(match (metadata, descriptor(&path)) {
        (_, Some(1)) => Target::Stdout,
        (_, Some(2)) => Target::Stderr,
        (_, Some(_)) => Target::Stream(path),
        (None, _) => Target::New(path),
        (Some(metadata), _) if metadata.is_dir() => Target::Folder,
        (Some(metadata), _) if metadata.is_file() => Target::Regular(path, metadata),
        (Some(_), _) => Target::Stream(path),
    })
}

/// The end of a chain of links, with its metadata if it exists. Stops at a descriptor of this process.
fn follow(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        if descriptor(&path).is_some() {
            return Ok((path, None));
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => path = folder_of(&path).join(path.read_link()?),
            Ok(found) => return Ok((path, Some(found))),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((path, None)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// The number of the open file of this process that a path such as `/dev/fd/1` stands for. Where
/// there are such paths, a second `open` would write from the start of a file again.
fn descriptor(path: &Path) -> Option<u32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = folder_of(path).canonicalize().ok()?;
    let own = Path::new("/proc").join(std::process::id().to_string()).join("fd");
    (folder == Path::new("/dev/fd") || folder == own).then_some(number)
}

/// The folder that holds a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a new file the permissions of the old one and, where that is allowed, its owner.
fn keep_access(new: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let _ = fchown(new, Some(old.uid()), Some(old.gid()));
    }
    new.set_permissions(old.permissions())
}

#[cfg(unix)]
fn open(stream: &Path) -> io::Result<File> {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    match stream.metadata()?.file_type().is_socket() && descriptor(stream).is_none() {
        true => Ok(File::from(OwnedFd::from(UnixStream::connect(stream)?))),
        false => OpenOptions::new().write(true).open(stream),
    }
}

#[cfg(unix)]
fn duplicate(stream: impl std::os::fd::AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn open(stream: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(stream)
}

#[cfg(not(unix))]
fn duplicate(_: impl io::Write) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}
