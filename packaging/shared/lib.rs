//! The shared library. It exports only the C functions of `dl_auth`.
//!
//! This is a separate package. If one package builds a Rust library and a shared library, cargo turns link-time
//! optimisation off without a warning, and `libdl_auth.so` is larger. `cargo rustc --crate-type cdylib` in the root
//! package also gives the small library. But the next `cargo build --release` then replaces it with the large one.

pub use dl_auth::*;
