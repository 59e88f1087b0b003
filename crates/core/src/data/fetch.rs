//! Downloads: a file appears under its name only when it is whole.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::DataError;
use super::catalogue::{DataFile, hex};
use crate::atomic;

/// No dataset file is larger: 8 GiB.
const LARGEST: u64 = 8 << 30;

/// Downloads a file into `dir` from the first mirror that has it whole.
///
/// # Errors
/// [`DataError::Download`] with what the last mirror said.
pub fn fetch(
    mirrors: &[&str],
    file: &DataFile,
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), DataError> {
    let mut why = String::from("it has no mirror");
    for mirror in mirrors {
        match from_mirror(&format!("{mirror}{}", file.name), file, dir, progress) {
            Ok(()) => return Ok(()),
            Err(error) => why = format!("{mirror} said: {error}"),
        }
    }
    Err(DataError::Download { file: file.name.into(), why, dir: dir.to_path_buf() })
}

fn from_mirror(
    url: &str,
    file: &DataFile,
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), Box<dyn std::error::Error>> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(3600)))
        .build()
        .into();
    // Without this, a server may compress once more what is compressed already.
    let mut response = agent.get(url).header("Accept-Encoding", "identity").call()?;
    let total = response.body().content_length();
    let mut body = response.body_mut().with_config().limit(LARGEST).reader();
    atomic::write(&dir.join(file.name), |out| {
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        loop {
            let n = body.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            out.write_all(&buffer[..n])?;
            done += n as u64;
            progress(file.name, done, total);
        }
        if total.is_some_and(|total| total != done) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        io::Seek::rewind(out)?;
        let wrong =
            file.sha256.is_some_and(|expected| sha256_of(&mut *out).map_or(true, |found| found != expected));
        if wrong {
            Err(io::Error::other("its content is not the original's (wrong SHA-256)"))
        } else {
            Ok(())
        }
    })?;
    Ok(())
}

/// The SHA-256 of a file's content, decompressed if it is gzip.
///
/// # Errors
/// [`DataError`] if it cannot be read.
pub fn content_sha256(path: &Path) -> Result<String, DataError> {
    let file = File::open(path).map_err(DataError::io("read", path))?;
    sha256_of(file).map_err(|e| DataError::file(path, format!("it is damaged ({e})")))
}

fn sha256_of(file: impl Read) -> io::Result<String> {
    let mut reader = BufReader::new(file);
    let is_gzip = io::BufRead::fill_buf(&mut reader)?.starts_with(&[0x1f, 0x8b]);
    let mut content: Box<dyn Read> =
        if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    /// SHA-256 of "hello".
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    /// A server on this machine that gives the same answer to `times` requests.
    fn serve(answer: &'static str, times: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().take(times) {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        url
    }

    fn fetched(mirrors: &[&str]) -> (Result<(), DataError>, Option<String>, usize) {
        let dir = tempfile::tempdir().unwrap();
        let file = DataFile { name: "hello.txt", sha256: Some(HELLO) };
        let result = fetch(mirrors, &file, dir.path(), &mut |_, _, _| {});
        let text = std::fs::read_to_string(dir.path().join("hello.txt")).ok();
        (result, text, std::fs::read_dir(dir.path()).unwrap().count())
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

    #[test]
    fn a_whole_file_is_kept() {
        let (result, text, _) = fetched(&[&serve(GOOD, 1)]);
        result.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
    }

    #[test]
    fn a_bad_mirror_is_followed_by_the_next() {
        let missing = serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 1);
        let (result, text, _) = fetched(&[&missing, &serve(GOOD, 1)]);
        result.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
    }

    #[test]
    fn what_is_not_whole_leaves_nothing() {
        let truncated = serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhel", 1);
        let wrong = serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhallo", 1);
        for mirror in [truncated, wrong] {
            let (result, text, files) = fetched(&[&mirror]);
            let error = result.unwrap_err().to_string();
            assert!(error.contains("cannot download hello.txt"), "{error}");
            assert!(text.is_none() && files == 0);
        }
    }
}
