//! What can be asked: method, path, and the function that answers.

use crate::chapters::{
    about, compare, digits, generate, gpt, inspect, neuron, notes, runs, step, train, translate, what_if,
};
use crate::server::reply::{Answer, Refusal};
use crate::server::request::{Request, decode};
use crate::state::State;

/// The most bytes of the body of most requests, and of a picture.
const SMALL: usize = 64 << 10;
const PICTURE: usize = 8 << 20;

/// A route.
pub struct Route {
    method: &'static str,
    /// The path, in which one `*` may stand for any part.
    path: &'static str,
    /// The most bytes of the body.
    pub most: usize,
    /// Answers.
    pub handle: fn(&State, &Request) -> Answer,
}

const fn get(path: &'static str, handle: fn(&State, &Request) -> Answer) -> Route {
    Route { method: "GET", path, most: 0, handle }
}

const fn post(path: &'static str, handle: fn(&State, &Request) -> Answer) -> Route {
    Route { method: "POST", path, most: SMALL, handle }
}

/// All routes.
static ROUTES: &[Route] = &[
    get("/api/about", about::answer),
    post("/api/neuron", neuron::answer),
    post("/api/digits/draw", digits::draw),
    Route { method: "POST", path: "/api/digits/photo", most: PICTURE, handle: digits::photo },
    get("/api/digits/test", digits::test_images),
    get("/api/digits/test/*", digits::test_image),
    get("/api/digits/mistakes", digits::mistakes),
    get("/api/digits/weights", digits::weights),
    post("/api/digits/step", step::open),
    get("/api/training", train::current),
    get("/api/training/settings", train::settings),
    post("/api/training/start", train::start),
    post("/api/training/resume", train::resume),
    post("/api/training/control", train::control),
    get("/api/training/events", train::events),
    get("/api/training/parameter", train::parameter),
    post("/api/inspect", inspect::inspect),
    get("/api/inspect/*/values", inspect::values),
    get("/api/inspect/*/next", gpt::next),
    get("/api/inspect/*/lens", gpt::lens),
    get("/api/positions", gpt::positions),
    post("/api/generate", generate::answer),
    get("/api/what-if", what_if::choices),
    get("/api/compare", compare::compare),
    get("/api/source", compare::source),
    get("/api/runs", runs::list),
    get("/api/runs/curves", runs::curves),
    get("/api/runs/events", runs::events),
    post("/api/translate", translate::translate),
    post("/api/translate/ask", translate::ask),
    get("/api/notes", notes::list),
    get("/api/notes/*", notes::read),
];

/// The route of a request, and the part of the path that it leaves open.
pub fn find(method: &str, path: &str) -> Result<(&'static Route, String), Refusal> {
    let mut known = None;
    for route in ROUTES {
        let Some(part) = matched(route.path, path) else { continue };
        if route.method == method {
            return Ok((route, part));
        }
        known = Some(route.method);
    }
    Err(match known {
        Some(allow) => Refusal::method(allow, format!("{path} does not take {method}")),
        None => Refusal::missing("there is no such address"),
    })
}

/// The part of a path at the place of `*`, if it matches; empty without one.
fn matched(pattern: &str, path: &str) -> Option<String> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut open = String::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(open),
            (Some("*"), Some(part)) if !part.is_empty() => open = decode(part),
            (Some(known), Some(part)) if known == part => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_by_method_and_path() {
        let status = |method, path| find(method, path).map_or_else(|refusal| refusal.status, |_| 200);
        assert_eq!(status("GET", "/api/about"), 200);
        assert_eq!(status("POST", "/api/about"), 405);
        assert!(find("POST", "/api/about").is_err_and(|refusal| refusal.allow == Some("GET")));
        for missing in
            ["/api/", "/api/aboutt", "/api/about/", "/api/../about", "/api/notes/", "/api/notes/a/b"]
        {
            assert_eq!(status("GET", missing), 404, "{missing}");
        }
        let is_part = |path, part| find("GET", path).is_ok_and(|(_, found)| found == part);
        assert!(is_part("/api/notes/..%2f..%2fetc", "../../etc"));
        assert!(is_part("/api/notes/a+b%20c", "a+b c"), "only in a query, + is a space");
    }
}
