//! A test gate for `dl_auth`. It speaks the service's protocol over TLS on loopback ports, misbehaves on request, and
//! counts requests. It uses one blocking thread per connection, because that is easier to follow in a test than an
//! event loop.
//!
//! ```
//! use dl_auth_gate::Gate;
//! use serde_json::json;
//!
//! let gate = Gate::start();
//! gate.plan(json!([{"do": "status", "status": 503, "headers": {"Retry-After": 1}}, {"do": "ok", "lifetime": 60}]));
//! // ... a client requests gate.url() and trusts gate.ca_file() ...
//! assert_eq!(gate.counts().requests, 0);
//! ```
//!
//! Behaviours, settings and the control endpoint are in README.md.

mod behave;
mod certs;
mod control;
mod counts;
mod fields;
mod grant;
mod http;
mod proxy;
mod reply;
mod serve;
mod settings;
mod state;
mod token;
mod wire;

pub use counts::{Counts, Seen};
pub use settings::Settings;

use certs::{Certs, Folder};
use serde_json::{Value, json};
use serve::Door;
use state::{Shared, State};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

/// The limit of [`Gate::wait`] and `GET /wait`, before [`patience`] multiplies it. A client with its own limit needs a
/// longer one.
pub(crate) const WAIT_SECONDS: u64 = 600;

/// A limit that ends a test that hangs: this number of seconds, times the factor in `DL_AUTH_TEST_PATIENCE` (a whole
/// number, default 1). The tests in other languages read the same variable. Panics if the variable holds anything else.
#[must_use]
pub fn patience(seconds: u64) -> Duration {
    let factor = std::env::var("DL_AUTH_TEST_PATIENCE").unwrap_or_default();
    let factor = if factor.is_empty() { Ok(1) } else { factor.parse::<u32>() };
    let factor = factor.ok().filter(|factor| *factor > 0);
    Duration::from_secs(seconds) * factor.expect("DL_AUTH_TEST_PATIENCE must be a whole number from 1")
}

/// A running gate. It stops when it is dropped. One process can run any number of gates.
pub struct Gate {
    shared: Arc<Shared>,
    folder: Folder,
    urls: Urls,
    doors: Vec<JoinHandle<()>>,
    /// Bound but not listening: the port stays reserved, and connections to it are refused.
    _refusing: socket2::Socket,
}

struct Urls {
    good: String,
    wrong_host: String,
    expired: String,
    self_signed: String,
    two_intermediates: String,
    six_intermediates: String,
    http: String,
    silent: String,
    refused: String,
    proxy: String,
    control: String,
}

impl Gate {
    /// Starts a gate with the default [`Settings`]. Panics if this fails.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Settings::default())
    }

    /// Starts a gate. Panics if this fails.
    #[must_use]
    pub fn start_with(settings: Settings) -> Self {
        Self::try_start(settings).unwrap_or_else(|e| panic!("the gate cannot start: {e}"))
    }

    /// Starts a gate, or returns the error.
    pub fn try_start(settings: Settings) -> io::Result<Self> {
        let certs = Certs::make().map_err(io::Error::other)?;
        let folder = Folder::with_ca(&certs.ca_pem)?;
        let shared = Arc::new(Shared::new(settings, seed()));
        // A failure in the middle must not leave a listener open.
        match open_all(&shared, certs) {
            Ok((urls, doors, refusing)) => Ok(Self { shared, folder, urls, doors, _refusing: refusing }),
            Err(e) => {
                shared.stop();
                Err(e)
            }
        }
    }

    /// The token endpoint, with a valid certificate for `localhost`, `127.0.0.1` and `gate.test`.
    pub fn url(&self) -> &str {
        &self.urls.good
    }

    /// The token endpoint with a certificate from the CA only for `elsewhere.invalid`.
    pub fn wrong_host_url(&self) -> &str {
        &self.urls.wrong_host
    }

    /// The token endpoint with a certificate from the CA that expired in 2001.
    pub fn expired_url(&self) -> &str {
        &self.urls.expired
    }

    /// The token endpoint with a certificate that the CA did not sign.
    pub fn self_signed_url(&self) -> &str {
        &self.urls.self_signed
    }

    /// The token endpoint with a valid certificate below two intermediates.
    pub fn two_intermediates_url(&self) -> &str {
        &self.urls.two_intermediates
    }

    /// The token endpoint with a valid certificate below six intermediates: the maximum that clients accept.
    pub fn six_intermediates_url(&self) -> &str {
        &self.urls.six_intermediates
    }

    /// The token endpoint without TLS.
    pub fn http_url(&self) -> &str {
        &self.urls.http
    }

    /// An `https` URL whose listener accepts connections and then sends nothing: the TLS handshake hangs.
    pub fn silent_url(&self) -> &str {
        &self.urls.silent
    }

    /// An `https` URL whose port refuses connections.
    pub fn refused_url(&self) -> &str {
        &self.urls.refused
    }

    /// An HTTP proxy that accepts `CONNECT` to `localhost` and `127.0.0.1`.
    pub fn proxy_url(&self) -> &str {
        &self.urls.proxy
    }

    /// The control endpoint.
    pub fn control_url(&self) -> &str {
        &self.urls.control
    }

    /// The CA's certificate as PEM.
    pub fn ca_file(&self) -> &Path {
        self.folder.ca_file()
    }

    /// Appends behaviours (an array, or a single one) to the plan. Panics if the plan is not valid.
    #[track_caller]
    pub fn plan(&self, plan: Value) {
        self.shared.with(|state| state.add_plan(&plan)).unwrap_or_else(|e| panic!("invalid plan: {e}"));
    }

    /// Drops the rest of the plan.
    pub fn clear_plan(&self) {
        self.shared.with(|state| state.plan.clear());
    }

    /// The number of requests for which the plan still has behaviours.
    pub fn planned(&self) -> usize {
        self.shared.with(|state| control::planned(state))
    }

    /// Changes the settings that `settings` names. Panics if they are not valid.
    #[track_caller]
    pub fn set(&self, settings: Value) {
        self.shared.with(|state| state.set(&settings)).unwrap_or_else(|e| panic!("invalid settings: {e}"));
    }

    /// The counts at this moment.
    pub fn counts(&self) -> Counts {
        self.shared.with(|state| state.counts)
    }

    /// Waits until `done` is true for the counts, and returns them. Panics after 10 minutes, times the factor of
    /// [`patience`].
    #[track_caller]
    pub fn wait(&self, done: impl Fn(&Counts) -> bool) -> Counts {
        let mut counts = Counts::default();
        let limit = patience(WAIT_SECONDS);
        let came = self.shared.wait(limit, |state| {
            counts = state.counts;
            done(&counts)
        });
        assert!(came, "the counts were not reached within {limit:?}: {counts:?}");
        counts
    }

    /// Releases all requests that hang.
    pub fn release(&self) {
        self.shared.release();
    }

    /// Sets the counts to zero, drops the plans and restores the settings of the start. Refresh tokens stay valid, and
    /// requests that hang keep hanging.
    pub fn reset(&self) {
        self.shared.with(State::reset);
    }

    /// The last request that a token listener has read, of any path.
    pub fn last_request(&self) -> Option<Seen> {
        self.shared.with(|state| state.last_request.clone())
    }

    /// The last request that the proxy has read.
    pub fn last_connect(&self) -> Option<Seen> {
        self.shared.with(|state| state.last_connect.clone())
    }

    /// The last token that counted as issued.
    pub fn last_token(&self) -> Option<String> {
        self.shared.with(|state| state.last_token.clone())
    }

    /// Waits at most this long for a stop by the control endpoint. Returns whether it came.
    pub fn stopped_within(&self, timeout: Duration) -> bool {
        self.shared.wait(timeout, |state| state.stopping)
    }

    /// All addresses and the credentials, as the program prints them.
    pub fn describe(&self) -> Value {
        let (username, password) =
            self.shared.with(|state| (state.settings.username.clone(), state.settings.password.clone()));
        json!({
            "url": self.url(), "wrong_host_url": self.wrong_host_url(), "expired_url": self.expired_url(),
            "self_signed_url": self.self_signed_url(), "http_url": self.http_url(), "silent_url": self.silent_url(),
            "two_intermediates_url": self.two_intermediates_url(), "six_intermediates_url": self.six_intermediates_url(),
            "refused_url": self.refused_url(), "proxy_url": self.proxy_url(), "control_url": self.control_url(),
            "ca_file": self.ca_file(), "username": username, "password": password, "pid": std::process::id(),
        })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.stop();
        for door in self.doors.drain(..) {
            let _ = door.join();
        }
        self.shared.drained(Duration::from_secs(3));
    }
}

fn open_all(shared: &Arc<Shared>, certs: Certs) -> io::Result<(Urls, Vec<JoinHandle<()>>, socket2::Socket)> {
    let mut doors = Vec::new();
    let mut open = |door| {
        let (address, handle) = serve::open(shared, door)?;
        doors.push(handle);
        Ok::<_, io::Error>(address)
    };
    let token = |scheme, host, address: SocketAddr| format!("{scheme}://{host}:{}/token?default", address.port());
    let secure = |address| token("https", "localhost", address);
    let base = |address: SocketAddr| format!("http://{address}");
    let (refusing, refused) = serve::bind()?;
    let urls = Urls {
        good: secure(open(Door::Tls(certs.good))?),
        wrong_host: secure(open(Door::Tls(certs.wrong_host))?),
        expired: secure(open(Door::Tls(certs.expired))?),
        self_signed: secure(open(Door::Tls(certs.self_signed))?),
        two_intermediates: secure(open(Door::Tls(certs.two_intermediates))?),
        six_intermediates: secure(open(Door::Tls(certs.six_intermediates))?),
        http: token("http", "127.0.0.1", open(Door::Plain)?),
        silent: secure(open(Door::Silent)?),
        refused: secure(refused),
        proxy: base(open(Door::Proxy)?),
        control: base(open(Door::Control)?),
    };
    Ok((urls, doors, refusing))
}

/// A different number for each gate, so that no two gates mint the same token.
fn seed() -> u64 {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let nanos = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
    let process = u64::from(std::process::id());
    nanos ^ process.rotate_left(48) ^ STARTED.fetch_add(1, Ordering::Relaxed).rotate_left(32)
}
