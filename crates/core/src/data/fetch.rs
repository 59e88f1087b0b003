//! Downloads. A file appears under its final name only when it is complete and verified.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::datasets::DataFile;
use super::{DataError, sha256};
use crate::atomic;

/// The largest file that is downloaded, 8 GiB.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// Downloads a file into `dir` from the first mirror that serves it intact.
///
/// # Errors
/// [`DataError::Download`] with the error of the last mirror.
pub fn fetch(
    mirrors: &[&str],
    file: &DataFile,
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), DataError> {
    let mut why = String::from("it has no mirror");
    for mirror in mirrors {
        match download(&format!("{mirror}{}", file.name), file, dir, progress) {
            Ok(()) => return Ok(()),
            Err(error) => why = format!("{mirror} failed ({error})"),
        }
    }
    Err(DataError::Download { file: file.name.into(), why, dir: dir.to_path_buf() })
}

fn download(
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
    // Otherwise, a server may compress a .gz file a second time.
    let mut response = agent.get(url).header("Accept-Encoding", "identity").call()?;
    let total = response.body().content_length();
    let mut body = response.body_mut().with_config().limit(MAX_FILE_BYTES).reader();
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
        let wrong = file
            .sha256
            .is_some_and(|expected| sha256::of_reader(&mut *out).map_or(true, |found| found != expected));
        if wrong {
            Err(io::Error::other("its content differs from the original (wrong SHA-256)"))
        } else {
            Ok(())
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    /// SHA-256 of "hello".
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    /// Starts a local server that answers `times` requests in the same way.
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
    fn a_complete_file_is_kept() {
        let (result, text, _) = fetched(&[&serve(GOOD, 1)]);
        result.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
    }

    #[test]
    fn the_next_mirror_replaces_a_bad_one() {
        let missing = serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 1);
        let (result, text, _) = fetched(&[&missing, &serve(GOOD, 1)]);
        result.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
    }

    #[test]
    fn an_incomplete_or_wrong_file_is_removed() {
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
