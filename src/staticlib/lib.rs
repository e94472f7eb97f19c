//! The static archive as cargo makes it: what `dl_auth` exports in C, and all Rust code below it.
//!
//! `archive.sh` makes `libdl_auth.a` of it. Like the shared library it is a package of its own, because cargo optimises at
//! link time only where a package is no Rust crate as well.

pub use dl_auth::*;
