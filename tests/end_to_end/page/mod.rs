//! `m2g open`: the server over real sockets, and the page in a real browser.
//!
//! | file | holds |
//! | --- | --- |
//! | `served.rs` | a running server, and requests to it |
//! | `gate.rs` | who may ask, and what ends the server |
//! | `numbers.rs` | the answers are those of the other commands |
//! | `trained.rs` | a training from the page |
//! | `webdriver.rs` | a client for a browser's driver |
//! | `browser.rs` | the page in Chromium |
//! | `changes.rs` | the page in Chromium while something under it changes or goes wrong |
//! | `keyboard.rs` | every chapter without a mouse |

mod browser;
mod changes;
mod gate;
mod keyboard;
mod numbers;
mod served;
mod trained;
mod webdriver;
