//! The static archive as cargo makes it: what `dl_auth` exports in C, and all Rust code below it.
//!
//! `archive.sh` makes `libdl_auth.a` of it. It is a separate package, like the shared library, because cargo optimises at link time
//! only if the package is not a Rust library too.

pub use dl_auth::*;
