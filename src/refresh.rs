//! One refresh: what is given to the gate, in which order, and how often.
//!
//! The refresh token goes first, where there is one; where the gate refuses it, the password follows within the same
//! refresh. A refresh token that may have been spent is never sent twice: after any outcome but a token, or a
//! connection that never stood, it is forgotten. What may pass by itself is tried again, inside the refresh's limit. A
//! password is sent only with the leave of the process ([`Refusals`]).

use std::time::Duration;

use crate::clock::{Boot, Clock};
use crate::error::{Error, Status};
use crate::gate::{self, Grant, Tokens};
use crate::http::Transport;
use crate::policy::{self, Lifetime, RequestTimes, Source};
use crate::refusals::{Fingerprint, Refusals, Try, Turn};
use crate::secret::{Secret, Secrets};
use crate::settings::{self, Credentials, Settings};
use crate::sync::Arc;

/// What a refresh works with, owned by whoever runs it.
pub struct Session {
    credentials: Arc<Credentials>,
    /// Those before the password file was read again, until a refresh begins: its answers may repeat them.
    before: Option<Arc<Credentials>>,
    refresh_token: Option<Secret>,
}

impl Session {
    /// A session that begins with the password.
    pub fn new(credentials: Arc<Credentials>) -> Session {
        Session { credentials, before: None, refresh_token: None }
    }

    /// What it logs in with.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Reads the password file again. Whether there is another password in it.
    pub fn reread(&mut self) -> bool {
        let read = self.credentials.password_file.as_deref().and_then(|path| settings::read_password(path).ok());
        let Some(password) = read.filter(|password| *password != self.credentials.password) else { return false };
        let changed = Arc::new(Credentials { password, ..Credentials::clone(&self.credentials) });
        self.before = Some(std::mem::replace(&mut self.credentials, changed));
        self.refresh_token = None;
        true
    }
}

/// What of the settings a refresh goes by.
#[derive(Clone)]
pub struct Rules {
    /// The most that a refresh may take.
    pub timeout: Duration,
    gate: String,
    refresh_at: f64,
    refresh_grant: bool,
    max_attempts: u32,
    /// The login of the proxy, which an error must not repeat.
    proxy_login: Option<Secret>,
}

impl Rules {
    /// Those of a handle.
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

/// The way to the gate and the time it takes.
pub struct Exchange {
    /// What a refresh goes by.
    pub rules: Rules,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What carries a request.
    pub transport: Box<dyn Transport>,
    /// What the process was refused.
    pub refusals: &'static Refusals,
}

/// What a refresh brings home.
pub struct Fetch {
    /// The answer.
    pub tokens: Tokens,
    /// How long its token lives.
    pub lifetime: Lifetime,
    /// What it was given for.
    pub grant: Grant,
    /// The gate's clock minus this machine's; 0 where only this machine's told the time.
    pub clock_skew_ms: i64,
}

impl Exchange {
    /// The same for a child process.
    pub fn for_child(&self) -> Exchange {
        let Exchange { rules, clock, transport, refusals } = self;
        Exchange { rules: rules.clone(), clock: clock.clone(), transport: transport.for_child(), refusals }
    }

    /// What stands for these credentials at this gate.
    pub fn fingerprint(&self, credentials: &Credentials) -> Fingerprint {
        self.refusals.fingerprint(&self.rules.gate, credentials)
    }

    /// One refresh, until `limit`, retries included. It is given up where it is no longer `wanted`. `held` is the token
    /// that the handle has.
    pub fn refresh(
        &self,
        session: &mut Session,
        held: Option<&str>,
        limit: Boot,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Fetch, Error> {
        // All that the refresh has sent and got so far: a later answer may repeat it.
        let mut secrets = Secrets::default();
        held.into_iter().for_each(|token| secrets.add(token));
        self.rules.proxy_login.iter().for_each(|login| secrets.add_basic(login));
        let before = session.before.take();
        for Credentials { username, password, .. } in before.iter().chain([&session.credentials]).map(|known| &**known)
        {
            secrets.add_login(username, password);
        }
        let mut attempt = 1;
        loop {
            let last = attempt >= self.rules.max_attempts;
            let error = match self.attempt(session, &mut secrets, limit, last, wanted) {
                Ok(fetch) => return Ok(fetch),
                Err(error) => error,
            };
            let pause = policy::back_off(attempt, fastrand::f64());
            let in_time = self.clock.boot().saturating_add(pause) < limit;
            let again = !last && policy::is_transient(&error) && in_time;
            if !again || !self.pause(pause, wanted) {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Lets time pass, in slices, so that the thread of a freed handle ends soon. Says whether the refresh goes on.
    fn pause(&self, time: Duration, wanted: &dyn Fn() -> bool) -> bool {
        let end = self.clock.boot().saturating_add(time);
        while wanted() {
            let left = end.saturating_sub(self.clock.boot());
            if left.is_zero() {
                return true;
            }
            self.clock.sleep(left.min(Duration::from_millis(100)));
        }
        false
    }

    /// The refresh token where there is one, else, or where the gate refuses it, the password.
    fn attempt(
        &self,
        session: &mut Session,
        secrets: &mut Secrets,
        limit: Boot,
        last: bool,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Fetch, Error> {
        let within = |last| policy::attempt_limit(limit.saturating_sub(self.clock.boot()), last);
        if let Some(refresh_token) = session.refresh_token.take() {
            secrets.add(refresh_token.expose());
            match self.fetch(gate::refresh(&refresh_token), secrets, within(false), wanted) {
                Ok(mut fetch) => {
                    // A gate that gives no new one goes on taking the old one.
                    session.refresh_token = fetch.tokens.refresh_token.take().or(Some(refresh_token));
                    return Ok(fetch);
                }
                // It never left, so it is as good as before.
                Err((error, false)) => {
                    session.refresh_token = Some(refresh_token);
                    return Err(error);
                }
                Err((error, true)) if error.status() != Status::Denied => return Err(error),
                Err((_, true)) => {}
            }
        }
        session.reread(); // a password is sent as it is now, not as it was when the handle was made
        session.before = None; // it is among the secrets
        secrets.add_login(&session.credentials.username, &session.credentials.password);
        let leave = self.leave_to_log_in(session, limit, wanted)?;
        let request = gate::login(&session.credentials);
        let mut fetch = self.fetch(request, secrets, within(last), wanted).map_err(|(error, _)| {
            let refused = error.status() == Status::Denied;
            if refused { leave.refused(error, self.clock.boot()) } else { error }
        })?;
        leave.proven(self.clock.boot());
        session.refresh_token = fetch.tokens.refresh_token.take().filter(|_| self.rules.refresh_grant);
        Ok(fetch)
    }

    /// The leave to send the password: at once, or when the handle that tries it has heard, or not at all.
    fn leave_to_log_in(
        &self,
        session: &Session,
        limit: Boot,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Try<'static>, Error> {
        let fingerprint = self.fingerprint(&session.credentials);
        loop {
            let now = self.clock.boot();
            // A machine that slept may be past the limit: then it is another refresh's turn.
            if now >= limit || !wanted() {
                let message = "the time of the refresh was over before it could send the password; another handle \
                               may be trying the same one";
                return Err(Error::new(Status::Timeout, message));
            }
            match self.refusals.ask(fingerprint, now, limit) {
                Turn::Go(leave) => return Ok(leave),
                Turn::Refused(error) => return Err(error),
                Turn::Wait => self.clock.sleep(Duration::from_millis(10)),
            }
        }
    }

    /// One request and its answer. With a failure: whether the gate may have got the request.
    fn fetch(
        &self,
        mut request: gate::Request,
        secrets: &mut Secrets,
        limit: Duration,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Fetch, (Error, bool)> {
        let (started, wall_started) = (self.clock.boot(), self.clock.wall_ms());
        request.secrets.clone_from(secrets);
        let response = self.transport.send(&request, limit, wanted).map_err(|failure| (failure.error, failure.sent))?;
        let ended = self.clock.now();
        let wall_ms = wall_started.midpoint(ended.wall_ms);

        let tokens = gate::read(&response, secrets, wall_ms).map_err(|error| (error, true))?;
        let issued_at = tokens.jwt.issued_at();
        // The wall clock when the request began. Where it was set meanwhile, the later one counts.
        let took_ms = i64::try_from(ended.boot.saturating_sub(started).as_millis()).unwrap_or(i64::MAX);
        let wall_at_start = wall_started.max(ended.wall_ms.saturating_sub(took_ms));
        let gate = policy::gate_time(response.date_ms, issued_at, tokens.expiry, wall_at_start);
        let times = RequestTimes { started, ended, gate_ms: gate.latest_ms };
        let lifetime = Lifetime::new(times, tokens.expiry, issued_at, self.rules.refresh_at).ok_or_else(|| {
            secrets.add(tokens.jwt.text());
            tokens.refresh_token.iter().for_each(|token| secrets.add(token.expose()));
            let left = tokens.expiry.saturating_sub(gate.likely_ms.div_euclid(1000));
            let message = match gate.source {
                _ if left > 0 => format!("the gate's token had {left} s to live, and its answer took too long for that"),
                Source::Date | Source::IssuedAt => {
                    format!("the gate answered with a token that had ended {} s ago by the gate's own clock", -left)
                }
                Source::Machine => format!(
                    "the gate answered with a token that had ended {} s ago by this machine's clock, and with no `Date` \
                     that fits the token; is this clock right?",
                    -left
                ),
            };
            (Error::new(Status::BadResponse, message).with_http_status(response.status), true)
        })?;
        let clock_skew_ms = if gate.source == Source::Machine { 0 } else { gate.likely_ms.saturating_sub(wall_ms) };
        let lifetime = lifetime.with_jitter(fastrand::f64());
        Ok(Fetch { tokens, lifetime, grant: request.grant, clock_skew_ms })
    }
}
