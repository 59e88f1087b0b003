//! A request, as the chapters see it.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::reply::Refusal;

/// A request whose route is known, with its whole body.
#[derive(Debug, Default)]
pub struct Request {
    /// The part of the path that the route leaves open.
    pub part: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A value of the query, if it is given and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value of the query that has to be there.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .ok_or_else(|| Refusal::bad(format!("{name} is missing: add {name}=.. to the address")))
    }

    /// A number of the query, or the default.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, Refusal> {
        self.text(name).map_or(Ok(default), |text| parse(name, text))
    }

    /// A number of the query, if it is given.
    pub fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| parse(name, text)).transpose()
    }

    /// Whether a switch is on: `gradient=1`.
    pub fn switch(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value != "0" && value != "false")
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Refusal::bad(format!("the request cannot be read: {e}")))
    }
}

fn parse<T: FromStr>(name: &str, text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::bad(format!("{name} is {text}, which is not a number that fits")))
}

/// The parts of a query such as `a=1&b=x%20y`, in which `+` stands for a space.
pub fn query(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(a, b)| (decode(&a.replace('+', " ")), decode(&b.replace('+', " "))))
        .collect()
}

/// Text in which `%20` stands for a space. A wrong escape stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match (bytes[i], digit(i + 1).zip(digit(i + 2))) {
            (b'%', Some((high, low))) => {
                decoded.push((16 * high + low) as u8);
                i += 2;
            }
            (byte, _) => decoded.push(byte),
        }
        i += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn queries_are_decoded_and_nothing_panics() {
        let all = query("a=1&b=x%20y+z&c&d=%C3%B1&e=%&f=%zz&&g=%F");
        let want = [("a", "1"), ("b", "x y z"), ("c", ""), ("d", "ñ"), ("e", "%"), ("f", "%zz"), ("g", "%F")];
        assert_eq!(all, want.map(|(a, b)| (a.to_string(), b.to_string())));
        let request = Request { query: all, ..Request::default() };
        assert_eq!(request.number("a", 7).unwrap(), 1);
        assert_eq!(request.number("c", 7).unwrap(), 7);
        assert_eq!(request.number::<u32>("b", 7).unwrap_err().status, 400);
        assert!(request.switch("a") && !request.switch("c") && request.required("z").is_err());
    }
}
