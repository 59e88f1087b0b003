//! Who may ask: only the page itself, in the browser of the person who started the program.
//!
//! Any page in the browser can send requests to a port of this computer, and a foreign name can be made to lead
//! here (DNS rebinding). So the host has to be this address, and every request below `/api/` needs the token,
//! which only the address on the terminal has: in its fragment, which browsers send nowhere.

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};

use super::reply::Refusal;

/// The address of the server and its token.
#[derive(Debug, Clone)]
pub struct Gate {
    host: String,
    token: String,
}

impl Gate {
    /// For a server on this port of 127.0.0.1.
    pub fn new(port: u16, token: String) -> Self {
        // Browsers leave out the port of HTTP.
        let host = if port == 80 { "127.0.0.1".into() } else { format!("127.0.0.1:{port}") };
        Self { host, token }
    }

    /// The address that a person opens.
    pub fn address(&self) -> String {
        format!("http://{}/#t={}", self.host, self.token)
    }

    /// Refuses a foreign host or origin and, with `secret`, a missing or wrong token.
    pub fn check(&self, headers: &HeaderMap, secret: bool) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        if host != Some(&self.host) || hosts.next().is_some() {
            return Err(Refusal::new(403, "this page is only for this computer"));
        }
        let own = format!("http://{}", self.host);
        if headers.get_all(ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes()) {
            return Err(Refusal::new(403, "another page may not ask this one"));
        }
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        if secret && !given.is_some_and(|given| equal(given.as_bytes(), self.token.as_bytes())) {
            let why = "the token is missing or wrong: open the address that m2g open printed";
            return Err(Refusal::new(401, why));
        }
        Ok(())
    }
}

/// Compares in a time that does not depend on where two texts differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// A token that cannot be guessed: 128 random bits, in hexadecimal digits.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn status(headers: &[(&str, &str)], secret: bool) -> u16 {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            all.append(name, value.parse().unwrap());
        }
        Gate::new(81, "abc".into()).check(&all, secret).map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn only_this_host_and_this_token_are_let_in() {
        let host = ("host", "127.0.0.1:81");
        assert_eq!(status(&[host], false), 200);
        for foreign in
            ["localhost:81", "127.0.0.1", "127.0.0.1:80", "evil.example", "127.0.0.1:81.evil.example", ""]
        {
            assert_eq!(status(&[("host", foreign)], false), 403, "{foreign}");
        }
        assert_eq!(status(&[], false), 403);
        assert_eq!(status(&[host, ("host", "evil.example")], false), 403);
        assert_eq!(status(&[host], true), 401);
        for wrong in ["Bearer abd", "Bearer ab", "Bearer abcd", "Basic abc", "abc", "Bearer "] {
            assert_eq!(status(&[host, ("authorization", wrong)], true), 401, "{wrong}");
        }
        let right = ("authorization", "Bearer abc");
        assert_eq!(status(&[host, right], true), 200);
        assert_eq!(status(&[host, right, ("origin", "http://evil.example")], true), 403);
        assert_eq!(status(&[host, right, ("origin", "null")], true), 403);
        assert_eq!(status(&[host, right, ("origin", "http://127.0.0.1:81")], true), 200);
    }

    #[test]
    fn the_port_of_http_is_left_out() {
        let gate = Gate::new(80, "abc".into());
        assert_eq!(gate.address(), "http://127.0.0.1/#t=abc");
        let is_let_in =
            |host: &str| gate.check(&HeaderMap::from_iter([(HOST, host.parse().unwrap())]), false).is_ok();
        assert!(is_let_in("127.0.0.1") && !is_let_in("evil.example") && !is_let_in("127.0.0.1:81"));
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let [a, b] = [new_token().unwrap(), new_token().unwrap()];
        assert!(a.len() == 32 && a != b);
    }
}
