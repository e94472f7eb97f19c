//! The static archive as cargo builds it: the C functions of `dl_auth`, and all Rust code that they need.
//!
//! `packaging/archive.sh` makes `libdl_auth.a` from it. This is a separate package for the same reason as the shared
//! library: see `packaging/shared/lib.rs`.

pub use dl_auth::*;
