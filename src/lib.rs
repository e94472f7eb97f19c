//! Trades Dataloop API credentials for a JWT, keeps it valid, and hands it to any number of threads.
//!
//! This is the crate's face: the safe Rust API that the C API in `src/capi/` is a thin door to. Data goes down the
//! floors (`capi` → `auth` → `gate`, `http`) and comes up again; nothing calls upward.
//!
//! ```no_run
//! let auth = dl_auth::Auth::new(&dl_auth::Config::new())?; // configured by the environment
//! let header = auth.token(|token| format!("Bearer {}", token.jwt().text()))?;
//! # Ok::<(), dl_auth::Error>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

#[cfg(panic = "abort")]
compile_error!(
    "dl_auth must be built with panic = \"unwind\": a panic must end in DL_AUTH_E_INTERNAL, not in the host's death"
);

mod auth;
mod cache;
mod capi;
mod clock;
mod config;
mod environ;
mod error;
mod file;
mod gate;
mod http;
mod info;
mod json;
mod jwt;
mod policy;
mod process;
mod proxy;
mod refresh;
mod refusals;
mod scheduler;
mod secret;
mod settings;
mod sync;
mod trust;

pub use auth::Auth;
pub use cache::Token;
pub use config::{Config, KEYS, Key};
pub use error::{Error, Status};
pub use info::{Activity, Info};
pub use jwt::Jwt;
pub use policy::State;

/// The policy that decides when a token is due, for the simulation in `benches/`. Not part of the API.
#[doc(hidden)]
pub mod simulation {
    pub use crate::clock::Now;
    pub use crate::policy::{Fetched, Lifetime, SPREAD};
}
