//! The shared library: what `dl_auth` exports in C, and nothing else.
//!
//! It is a package of its own because cargo leaves link-time optimisation out, and says nothing, where a library is to
//! be a Rust crate as well: the `.so` was 2.46 MB large in the place of 2.13. The static archive is made in
//! `src/staticlib/`.

pub use dl_auth::*;
