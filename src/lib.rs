//! Trades Dataloop API credentials for a JWT, caches it, refreshes it, and gives it to any number of threads.
//!
//! This is the safe Rust API. The C API in `src/capi/` is a thin layer over it. Calls go in one direction: `capi` →
//! `auth` → `gate` and `http`.
//!
//! ```no_run
//! let auth = dl_auth::Auth::new(&dl_auth::Config::new())?; // reads the environment variables
//! let header = auth.token(|token| format!("Bearer {}", token.jwt().text()))?;
//! # Ok::<(), dl_auth::Error>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]
// The modules of the C API, of system calls and of the seqlock allow `unsafe` code below. No other module has any.
#![deny(unsafe_code)]

#[cfg(panic = "abort")]
compile_error!(
    "dl_auth must be built with panic = \"unwind\": a panic must become DL_AUTH_E_INTERNAL, and must not end the program"
);

mod address;
mod attempt;
mod auth;
mod cache;
#[allow(unsafe_code)]
mod capi;
#[allow(unsafe_code)]
mod clock;
mod config;
mod credentials;
mod environ;
mod error;
#[cfg_attr(test, allow(unsafe_code))] // a test makes a named pipe
mod file;
mod gate;
mod http;
mod info;
mod json;
mod jwt;
mod options;
mod policy;
#[allow(unsafe_code)]
mod process;
mod refresh;
mod refusals;
mod scheduler;
mod secret;
mod settings;
mod status;
mod store;
mod sync;
mod trust;

pub use auth::Auth;
pub use cache::Token;
pub use config::Config;
pub use error::Error;
pub use info::{Activity, Info};
pub use jwt::Jwt;
pub use options::{Choice, Kind, OPTIONS, OptionRow};
pub use policy::State;
pub use status::{STATUSES, Status, StatusRow};

/// The policy that decides when a token is due. The simulation in `benches/` uses it. It is not part of the API.
#[doc(hidden)]
pub mod simulation {
    pub use crate::clock::Now;
    pub use crate::policy::{Lifetime, RequestTimes, SPREAD};
}
