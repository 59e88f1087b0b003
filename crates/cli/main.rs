//! `m2g`: the command line of mnist-to-gpt.

fn main() {}
