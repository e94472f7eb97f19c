//! One refresh: which requests are sent to the gate, in which order, and how often.
//!
//! The first request uses the refresh token, if the handle has one. If the gate refuses it, a login follows in the same
//! refresh. A refresh token that the gate may have used up is never sent twice: the handle keeps it only if the answer
//! has a token, or if the gate cannot have received the request. A failure that may be temporary is retried until the
//! deadline of the refresh. A password is sent only with the permission of the process ([`Refusals`]).

use std::time::Duration;

use crate::attempt::Attempt;
use crate::clock::{Clock, millis};
use crate::credentials::{self, Credentials};
use crate::error::{Error, Status};
use crate::gate::{self, Grant, Tokens};
use crate::http::Transport;
use crate::jwt::Jwt;
use crate::policy::{self, Lifetime, RequestTimes, Source};
use crate::refusals::{Fingerprint, Refusals, Try, Turn};
use crate::secret::{Secret, Secrets};
use crate::settings::Settings;
use crate::sync::Arc;

mod shared;
pub use shared::{Held, Outcome, Share};

/// The credentials and the refresh token of a handle. The thread that runs a refresh owns them.
pub struct Session {
    credentials: Arc<Credentials>,
    /// The credentials before the password file was read again. They are kept until a refresh begins, because its
    /// answers may repeat them.
    before: Option<Arc<Credentials>>,
    refresh_token: Option<Secret>,
}

impl Session {
    /// A session that begins with the password.
    pub fn new(credentials: Arc<Credentials>) -> Session {
        Session { credentials, before: None, refresh_token: None }
    }

    /// The credentials that it logs in with.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Reads the password file again. Returns whether the password has changed.
    pub fn reread(&mut self) -> bool {
        let read = self.credentials.password_file.as_deref().and_then(|path| credentials::read_password(path).ok());
        let Some(password) = read.filter(|password| *password != self.credentials.password) else { return false };
        let changed = Arc::new(Credentials { password, ..Credentials::clone(&self.credentials) });
        self.before = Some(std::mem::replace(&mut self.credentials, changed));
        self.refresh_token = None;
        true
    }
}

/// The settings that a refresh uses.
#[derive(Clone)]
pub struct Rules {
    /// The maximum time of a refresh.
    pub timeout: Duration,
    gate: String,
    refresh_at: f64,
    refresh_grant: bool,
    max_attempts: u32,
    /// The user and password of the proxy, which an error must not repeat.
    proxy_login: Option<Secret>,
}

impl Rules {
    /// The rules of a handle with these settings.
    pub fn new(settings: &Settings) -> Rules {
        Rules {
            timeout: settings.timeout,
            gate: settings.endpoint.clone(),
            refresh_at: settings.refresh_at,
            refresh_grant: settings.refresh_grant,
            max_attempts: settings.max_attempts,
            proxy_login: settings.proxy.as_ref().and_then(|proxy| proxy.authorization.clone()),
        }
    }
}

/// What a refresh needs to exchange credentials for a token.
pub struct Exchange {
    /// The settings.
    pub rules: Rules,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What sends a request.
    pub transport: Box<dyn Transport>,
    /// The credentials that the gate refused to this process.
    pub refusals: &'static Refusals,
    /// The store that the handle shares with other processes.
    pub share: Option<Share>,
}

/// The result of a successful refresh.
pub struct Fetch {
    /// The token.
    pub jwt: Jwt,
    /// Its lifetime.
    pub lifetime: Lifetime,
    /// Its source.
    pub by: FetchedBy,
    /// The gate's clock minus this machine's clock; 0 if the gate's time is unknown. `None`: the gate was not asked.
    pub clock_skew_ms: Option<i64>,
    /// The minimum interval to the next refresh.
    pub min_interval: Duration,
}

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchedBy {
    /// A login.
    Login,
    /// A refresh token.
    Refresh,
    /// The store: another process has fetched it.
    Store,
}

impl Exchange {
    /// The same settings for a child process, with another transport.
    pub fn for_child(&self) -> Exchange {
        let Exchange { rules, clock, transport, refusals, share } = self;
        Exchange {
            rules: rules.clone(),
            clock: clock.clone(),
            transport: transport.for_child(),
            refusals,
            share: share.as_ref().map(Share::for_child),
        }
    }

    /// The key of these credentials at this gate in [`Refusals`].
    pub fn fingerprint(&self, credentials: &Credentials) -> Fingerprint {
        self.refusals.fingerprint(&self.rules.gate, credentials)
    }

    /// One refresh, retries included. Stops at the deadline of `attempt`, and soon after `attempt` is cancelled. `held`
    /// is the token that the handle has.
    pub fn refresh(&self, session: &mut Session, held: Option<&str>, attempt: &Attempt) -> Result<Fetch, Error> {
        // All secrets that the refresh has sent and received so far: a later answer may repeat them.
        let mut secrets = Secrets::default();
        held.into_iter().for_each(|token| secrets.add(token));
        self.rules.proxy_login.iter().for_each(|login| secrets.add_basic(login));
        let before = session.before.take();
        for Credentials { username, password, .. } in before.iter().chain([&session.credentials]).map(|known| &**known)
        {
            secrets.add_login(username, password);
        }
        let mut tries = 1;
        loop {
            let last = tries >= self.rules.max_attempts;
            let error = match self.try_once(session, &mut secrets, attempt, last) {
                Ok(fetch) => return Ok(fetch),
                Err(error) => error,
            };
            let pause = policy::back_off(tries, fastrand::f64());
            let in_time = self.clock.boot().saturating_add(pause) < attempt.deadline;
            let again = !last && policy::is_transient(&error) && in_time;
            if !again || !self.pause(pause, attempt) {
                return Err(error);
            }
            tries += 1;
        }
    }

    /// Sleeps in slices of 100 ms, so that the thread of a freed handle ends soon. Returns whether the refresh
    /// continues.
    fn pause(&self, time: Duration, attempt: &Attempt) -> bool {
        let end = self.clock.boot().saturating_add(time);
        while !attempt.is_cancelled() {
            let left = end.saturating_sub(self.clock.boot());
            if left.is_zero() {
                return true;
            }
            self.clock.sleep(left.min(Duration::from_millis(100)));
        }
        false
    }

    /// Sends the refresh token, if there is one. If there is no refresh token, or the gate refuses it, sends the
    /// password.
    fn try_once(
        &self,
        session: &mut Session,
        secrets: &mut Secrets,
        attempt: &Attempt,
        last: bool,
    ) -> Result<Fetch, Error> {
        let part = |last| {
            let now = self.clock.boot();
            let limit = policy::attempt_limit(attempt.deadline.saturating_sub(now), last);
            attempt.until(now.saturating_add(limit))
        };
        if let Some(refresh_token) = session.refresh_token.take() {
            secrets.add(refresh_token.expose());
            match self.fetch(gate::refresh(&refresh_token), secrets, &part(false)) {
                Ok((fetch, new)) => {
                    // If the answer has no new refresh token, the old one stays valid.
                    session.refresh_token = new.or(Some(refresh_token));
                    return Ok(fetch);
                }
                // The gate cannot have received it, so it can be used again.
                Err((error, false)) => {
                    session.refresh_token = Some(refresh_token);
                    return Err(error);
                }
                Err((error, true)) if error.status() != Status::Denied => return Err(error),
                Err((_, true)) => {}
            }
        }
        session.reread(); // the password in the file may have changed since the last refresh
        session.before = None; // `secrets` already contains it
        secrets.add_login(&session.credentials.username, &session.credentials.password);
        let permission = self.permission_to_log_in(session, attempt)?;
        let request = gate::login(&session.credentials);
        let (fetch, refresh_token) = self.fetch(request, secrets, &part(last)).map_err(|(error, _)| {
            let refused = error.status() == Status::Denied;
            if refused { permission.refused(error, self.clock.boot()) } else { error }
        })?;
        permission.proven(self.clock.boot());
        session.refresh_token = refresh_token.filter(|_| self.rules.refresh_grant);
        Ok(fetch)
    }

    /// The permission to send the password. Blocks while another handle tries the same password. Returns an error if
    /// the gate has refused it.
    fn permission_to_log_in(&self, session: &Session, attempt: &Attempt) -> Result<Try<'static>, Error> {
        let fingerprint = self.fingerprint(&session.credentials);
        loop {
            let now = self.clock.boot();
            // After a suspend, the deadline may have passed. Then the next refresh tries.
            if now >= attempt.deadline || attempt.is_cancelled() {
                let message = "the refresh reached its time limit before it could send the password; another handle \
                               may be trying the same password";
                return Err(Error::new(Status::Timeout, message));
            }
            match self.refusals.ask(fingerprint, now, attempt.deadline) {
                Turn::Go(permission) => return Ok(permission),
                Turn::Refused(error) => return Err(error),
                Turn::Wait => self.clock.sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Sends one request and reads its answer: a token, and the refresh token that came with it. A failure also says
    /// whether the gate may have received the request.
    fn fetch(
        &self,
        mut request: gate::Request,
        secrets: &mut Secrets,
        attempt: &Attempt,
    ) -> Result<(Fetch, Option<Secret>), (Error, bool)> {
        let (started, wall_started) = (self.clock.boot(), self.clock.wall_ms());
        request.secrets.clone_from(secrets);
        let response = self.transport.send(&request, attempt).map_err(|failure| (failure.error, failure.sent))?;
        let ended = self.clock.now();
        let wall_ms = wall_started.saturating_add(ended.wall_ms.saturating_sub(wall_started) / 2);

        let tokens = gate::read(&response, secrets, wall_ms).map_err(|error| (error, true))?;
        let issued_at = tokens.jwt.issued_at();
        // The wall clock when the request began. If the clock was set since then, the later time counts.
        let took_ms = millis(ended.boot.saturating_sub(started));
        let wall_at_start = wall_started.max(ended.wall_ms.saturating_sub(took_ms));
        let gate = policy::gate_time(response.date_ms, issued_at, tokens.expiry, wall_at_start);
        let times = RequestTimes { started, ended, gate_ms: gate.latest_ms };
        let lifetime = Lifetime::new(times, tokens.expiry, issued_at, self.rules.refresh_at).ok_or_else(|| {
            secrets.add(tokens.jwt.text());
            tokens.refresh_token.iter().for_each(|token| secrets.add(token.expose()));
            let left = tokens.expiry.saturating_sub(gate.likely_ms.div_euclid(1000));
            let message = match gate.source {
                _ if left > 0 => format!("the gate's token was valid for only {left} s more, and its answer took too long for that"),
                Source::Date | Source::IssuedAt => {
                    format!("the gate answered with a token that had expired {} s ago by the gate's own clock", -left)
                }
                Source::Machine => format!(
                    "the gate answered with a token that had expired {} s ago by this machine's clock, and with no `Date` \
                     that fits the token; is this clock right?",
                    -left
                ),
            };
            (Error::new(Status::BadResponse, message).with_http_status(response.status), true)
        })?;
        let clock_skew_ms = if gate.source == Source::Machine { 0 } else { gate.likely_ms.saturating_sub(wall_ms) };
        let lifetime = lifetime.with_jitter(fastrand::f64());
        let by = match request.grant {
            Grant::Login => FetchedBy::Login,
            Grant::Refresh => FetchedBy::Refresh,
        };
        let (clock_skew_ms, min_interval) = (Some(clock_skew_ms), lifetime.min_interval());
        let Tokens { jwt, refresh_token, .. } = tokens;
        Ok((Fetch { jwt, lifetime, by, clock_skew_ms, min_interval }, refresh_token))
    }
}
