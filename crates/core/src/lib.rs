//! The shared core of mnist-to-gpt.
