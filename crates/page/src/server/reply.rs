//! What a request is answered with.

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

/// An answer.
#[derive(Debug)]
pub enum Reply {
    /// JSON.
    Json(Value),
    /// The elements of a value, f32 in little-endian order, with headers that describe them.
    Elements {
        /// The elements.
        bytes: Vec<u8>,
        /// Names and values of headers.
        headers: Vec<(&'static str, String)>,
    },
    /// A file of the page.
    File {
        /// Its media type.
        kind: &'static str,
        /// Its content.
        content: Bytes,
    },
    /// Server-sent events, as they come.
    Events(mpsc::Receiver<Bytes>),
}

impl Reply {
    /// The elements of a value with its shape.
    pub fn elements(data: &[f32], shape: &[usize]) -> Self {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        Self::Elements { bytes, headers: vec![("x-shape", shape)] }
    }

    /// With another header.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        if let Self::Elements { headers, .. } = &mut self {
            headers.push((name, value.to_string()));
        }
        self
    }
}

/// Why a request is refused: the status, and a sentence for the person.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The sentence.
    pub why: String,
    /// The method that the address takes, if it does not take that of the request.
    pub allow: Option<&'static str>,
}

impl Refusal {
    /// With an HTTP status and a sentence.
    pub fn new(status: u16, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), allow: None }
    }

    /// The input is wrong.
    pub fn bad(why: impl Into<String>) -> Self {
        Self::new(400, why)
    }

    /// There is no such thing.
    pub fn missing(why: impl Into<String>) -> Self {
        Self::new(404, why)
    }

    /// The address takes only this method.
    pub fn method(allow: &'static str, why: impl Into<String>) -> Self {
        Self { allow: Some(allow), ..Self::new(405, why) }
    }

    /// Something else is in progress.
    pub fn busy(why: impl Into<String>) -> Self {
        Self::new(409, why)
    }
}

/// What a request asks for cannot be done with this model, these files or these settings.
impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        // Our errors say their reason themselves.
        let error: anyhow::Error = error.into();
        Self::bad(error.to_string())
    }
}

/// The result of a request.
pub type Answer = Result<Reply, Refusal>;

/// One server-sent event.
pub fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_is_said_once() {
        let error = m2g_core::Error::io("write", "a")(std::io::Error::other("the disk is full"));
        assert_eq!(Refusal::from(error).why, "cannot write a: the disk is full");
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        assert_eq!(event("step", &json!({"a": "x\ny"})), "event: step\ndata: {\"a\":\"x\\ny\"}\n\n");
    }
}
