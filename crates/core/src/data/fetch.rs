//! Downloads: over TLS only, with a pinned SHA-256. A file appears under its final name only when it
//! is complete and verified.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Component, Path};
use std::time::Duration;

use super::DataError;
use super::datasets::DataFile;
use crate::atomic;

/// The variables that may name a proxy, in the order of ureq.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Downloads a file of at most `max_bytes` into `dir`, from the first mirror that serves it intact.
///
/// # Errors
/// [`DataError::Download`] with the error of the last mirror.
pub fn fetch(
    mirrors: &[&str],
    file: &DataFile,
    max_bytes: u64,
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), DataError> {
    let failed = |why| DataError::Download { file: file.name.into(), why, dir: dir.to_path_buf() };
    let proxy = proxy(std::env::var_os).map_err(failed)?;
    fetch_with(&config(proxy).into(), mirrors, file, max_bytes, dir, progress)
}

/// The proxy of the environment, if there is one. With one that it cannot use, ureq would connect directly, without
/// a word.
fn proxy(variable: impl Fn(&'static str) -> Option<OsString>) -> Result<Option<ureq::Proxy>, String> {
    use ureq::ProxyProtocol::{Http, Https};
    let named = |name| Some((name, variable(name).filter(|value| !value.is_empty())?));
    let Some((name, value)) = PROXIES.into_iter().find_map(named) else { return Ok(None) };
    let proxy = value.to_str().and_then(|value| ureq::Proxy::new(value).ok());
    match proxy.is_some_and(|proxy| matches!(proxy.protocol(), Http | Https)) {
        // It knows NO_PROXY too.
        true => Ok(ureq::Proxy::try_from_env()),
        // Its value may hold a password.
        false => Err(format!(
            "{name} names a proxy that cannot be used: give it one that begins with http:// or https://, or unset it \
             for the next variable that names one, or for none"
        )),
    }
}

/// How files are requested, through a proxy if there is one. Redirects are followed, but not to an address
/// without TLS.
fn config(proxy: Option<ureq::Proxy>) -> ureq::config::Config {
    ureq::Agent::config_builder()
        .proxy(proxy)
        .https_only(true)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(3600)))
        .build()
}

fn fetch_with(
    agent: &ureq::Agent,
    mirrors: &[&str],
    file: &DataFile,
    max_bytes: u64,
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), DataError> {
    let failed = |why| DataError::Download { file: file.name.into(), why, dir: dir.to_path_buf() };
    if !Path::new(file.name).components().eq([Component::Normal(file.name.as_ref())]) {
        return Err(failed("its name leads out of its folder".into()));
    }
    let mut why = String::from("it has no mirror");
    for mirror in mirrors {
        let url = format!("{mirror}{}", file.name);
        match download(agent, &url, file, max_bytes, dir, progress) {
            Ok(()) => return Ok(()),
            Err(error) => why = format!("{url} failed ({error})"),
        }
    }
    Err(failed(why))
}

fn download(
    agent: &ureq::Agent,
    url: &str,
    file: &DataFile,
    max_bytes: u64,
    dir: &Path,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), Box<dyn std::error::Error>> {
    // Otherwise, a server may compress a .gz file a second time.
    let mut response = agent.get(url).header("Accept-Encoding", "identity").call()?;
    let total = response.body().content_length();
    let mut body = response.body_mut().with_config().limit(max_bytes).reader();
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
        match file.pin.is_original(out) {
            Ok(Some(true)) => Ok(()),
            _ => Err(io::Error::other("its content differs from the original (wrong SHA-256)")),
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::Pin;
    use std::net::TcpListener;

    use ureq::unversioned::resolver::DefaultResolver;
    use ureq::unversioned::transport::{
        Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport,
    };

    /// Takes a plain connection for one with TLS, so that a local server needs no certificate.
    #[derive(Debug)]
    struct AsIfTls<T>(T);

    impl<T: Transport> Connector<T> for AsIfTls<()> {
        type Out = AsIfTls<T>;

        fn connect(
            &self,
            _: &ConnectionDetails,
            plain: Option<T>,
        ) -> Result<Option<AsIfTls<T>>, ureq::Error> {
            Ok(plain.map(AsIfTls))
        }
    }

    impl<T: Transport> Transport for AsIfTls<T> {
        fn buffers(&mut self) -> &mut dyn Buffers {
            self.0.buffers()
        }
        fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
            self.0.transmit_output(amount, timeout)
        }
        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
            self.0.await_input(timeout)
        }
        fn is_open(&mut self) -> bool {
            self.0.is_open()
        }
        fn is_tls(&self) -> bool {
            true
        }
    }

    /// SHA-256 of "hello".
    const HELLO: Pin = Pin::Content("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");

    /// Starts a local server that answers `times` requests in the same way. Returns its address, behind
    /// `https`, `http`, ...
    fn serve(answer: impl Into<String>, times: usize) -> String {
        let (listener, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
        let address = format!("://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().take(times) {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                // The client hangs up on what it does not want.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    }

    fn https(answer: impl Into<String>) -> String {
        format!("https{}", serve(answer, 1))
    }

    /// The result, the text of the file, and the number of files left behind. The agent is that of a
    /// real download, but without TLS and, since the mirrors are on this machine, without a proxy.
    fn fetched(name: &'static str, mirrors: &[&str]) -> (Result<(), DataError>, Option<String>, usize) {
        let connector = Connector::<()>::chain(TcpConnector::default(), AsIfTls(()));
        let agent = ureq::Agent::with_parts(config(None), connector, DefaultResolver::default());
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        let file = DataFile { name, pin: HELLO };
        let result = fetch_with(&agent, mirrors, &file, 1000, &folder, &mut |_, _, _| {});
        let path = folder.join("hello.txt");
        #[cfg(unix)]
        if let Ok(file) = path.metadata() {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.permissions().mode() & 0o111, 0, "it cannot be executed");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing outside the folder");
        (result, std::fs::read_to_string(path).ok(), std::fs::read_dir(&folder).unwrap().count())
    }

    #[track_caller]
    fn refused(mirror: &str) -> String {
        let (result, text, files) = fetched("hello.txt", &[mirror]);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("cannot download hello.txt"), "{error}");
        assert!(text.is_none() && files == 0, "{error}");
        error
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

    fn redirect(to: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused() {
        let with = |value: &'static str| proxy(|name| (name == "HTTPS_PROXY").then(|| value.into()));
        for value in ["socks5://127.0.0.1:9", "ftp://127.0.0.1:1", "not a url"] {
            let error = with(value).unwrap_err();
            assert!(error.starts_with("HTTPS_PROXY names a proxy that cannot be used"), "{value}: {error}");
            assert!(error.contains("or unset it"), "{value}: {error}");
        }
        assert!(with("http://user:secret@127.0.0.1:9").is_ok() && with("").unwrap().is_none());
    }

    #[test]
    fn a_complete_file_is_kept() {
        let (result, text, _) = fetched("hello.txt", &[&https(GOOD)]);
        result.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
    }

    #[test]
    fn the_next_mirror_replaces_a_bad_one() {
        let missing = https("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let (result, text, _) = fetched("hello.txt", &[&missing, &https(GOOD)]);
        result.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
    }

    #[test]
    fn an_incomplete_or_wrong_file_is_removed() {
        refused(&https("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhel"));
        let wrong = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhallo";
        assert!(refused(&https(wrong)).contains("wrong SHA-256"));
    }

    #[test]
    fn a_file_that_is_too_long_is_removed() {
        let more = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello!";
        assert!(refused(&https(more)).contains("wrong SHA-256"));
        // Without an announced length: more than the limit of 1000 bytes.
        let endless = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "hello".repeat(1000));
        assert!(refused(&https(endless)).contains("limit"));
        let announced = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n";
        refused(&https(format!("{announced}{}", "hello".repeat(1000))));
    }

    #[test]
    fn without_tls_nothing_is_requested_not_even_after_a_redirect() {
        let plain = format!("http{}", serve(GOOD, 1));
        assert!(refused(&plain).contains("https"));
        assert!(refused(&https(redirect(&format!("{plain}hello.txt")))).contains("https"));
        let (file, twice) = ("file:///etc/hostname", redirect(&format!("{plain}hello.txt")));
        for to in [file, &format!("{}hello.txt", https(twice))] {
            refused(&https(redirect(to)));
        }
        // A redirect to another address with TLS is followed.
        let to = format!("{}hello.txt", https(GOOD));
        assert_eq!(fetched("hello.txt", &[&https(redirect(&to))]).1.as_deref(), Some("hello"));
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        for name in ["../hello.txt", "/hello.txt", "..", ".", "", "a/../../hello.txt", "a/b"] {
            let (result, _, files) = fetched(name, &[&https(GOOD)]);
            assert!(result.unwrap_err().to_string().contains("leads out of its folder"), "{name}");
            assert_eq!(files, 0);
        }
    }
}
