//! The C API: every export of the library. `unsafe` code is allowed here, in the modules of system calls (`clock`,
//! `process`), and in the seqlock with its copy (`cache/seqlock`). `deny(unsafe_code)` in `lib.rs` forbids it
//! elsewhere.
//!
//! Each function here follows these rules, and the header documents them:
//!
//! * A caller's pointer can be NULL, a caller's string can be bad, a caller's handle can be freed: each is an error.
//! * The body of a function is ordinary Rust with `?`. At its end, [`guard`] turns its `Result` into a status and a
//!   message, and a panic into `DL_AUTH_E_INTERNAL`.
//! * Outputs are copied into the caller's memory. The caller never gets memory that the library owns, so the caller
//!   frees only what a `*_new` returned.
//! * Output parameters come after the inputs, `error` is last.
//! * A caller's struct is read and written byte by byte, up to its `size`: it can be older, newer or misaligned.

#![allow(non_camel_case_types)] // the names are C's
#![allow(clippy::missing_safety_doc)] // the comments are the header's: its conventions state what a caller must do

mod auth;
mod config;
mod error;
mod guard;
mod handle;
mod info;
mod jwt;
#[cfg(feature = "test-panic")]
mod test_panic;
mod text;

#[cfg(test)]
pub use error::message_of;
