//! The C API: every export of the library. `unsafe` code is allowed here, in the modules of system calls (`clock`,
//! `process`), and in the seqlock with its copy (`cache/seqlock`). `deny(unsafe_code)` in `lib.rs` forbids it elsewhere.
//!
//! The rules of the boundary, which each function here keeps and the header prints:
//!
//! * A host's pointer may be NULL, a host's string may be bad, a host's handle may be stale: each is an error.
//! * A body is ordinary Rust with `?`. One conversion at its end ([`guard`]) turns its `Result` into a status and a
//!   message, and a panic into `DL_AUTH_E_INTERNAL`.
//! * What goes out is copied into the caller's memory. Nothing that the library owns crosses, so nothing is freed by
//!   the host but what it made with a `*_new`.
//! * An output parameter comes after the inputs, `error` is last.
//! * A host's struct is read and written byte by byte through its own `size`: it may be older, newer or misaligned.

#![allow(non_camel_case_types)] // the names are C's
#![allow(clippy::missing_safety_doc)] // the comments here are the header's, which tells what a caller owes in its head

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
