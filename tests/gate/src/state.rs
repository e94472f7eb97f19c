//! The state that the threads of one gate share: one lock, and two conditions to wait on.

use crate::behave::{Behaviour, Kind, Planned};
use crate::counts::{Counts, Seen};
use crate::settings::Settings;
use crate::wire::Wire;
use crate::{fields::Fields, token};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The interval at which a held request checks that its client is still connected.
const PEER_CHECK_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(crate) struct State {
    pub settings: Settings,
    /// The settings that `reset` restores.
    pub first_settings: Settings,
    pub plan: VecDeque<Planned>,
    pub proxy_plan: VecDeque<Planned>,
    pub counts: Counts,
    pub last_request: Option<Seen>,
    pub last_connect: Option<Seen>,
    pub last_token: Option<String>,
    /// Every refresh token ever issued, and whether it is still valid.
    pub refresh_tokens: HashMap<String, bool>,
    pub minted: u64,
    pub seed: u64,
    /// Increases at each release. A held request waits until it changes.
    pub releases: u64,
    pub stopping: bool,
    /// The addresses of the listeners, to wake them up.
    pub doors: Vec<SocketAddr>,
    open: HashMap<u64, Weak<TcpStream>>,
    opened: u64,
}

/// The next behaviour. If it hangs, also the number of releases at its start (it already counts as hanging).
pub(crate) struct Taken {
    pub behaviour: Behaviour,
    pub since: u64,
}

impl State {
    /// Takes the first entry for this kind of request. Without a kind, the request is a `CONNECT` and the plan is the
    /// proxy's.
    pub fn take(&mut self, kind: Option<Kind>) -> Taken {
        let plan = if kind.is_some() { &mut self.plan } else { &mut self.proxy_plan };
        let found = plan.iter().position(|planned| planned.on.is_none() || planned.on == kind);
        let behaviour = match found.and_then(|at| Some((at, plan.get_mut(at)?))) {
            None => Behaviour::normal(),
            Some((_, planned)) if planned.times > 1 => {
                planned.times -= 1;
                planned.behaviour.clone()
            }
            Some((at, _)) => plan.remove(at).map_or_else(Behaviour::normal, |planned| planned.behaviour),
        };
        self.counts.hanging += u64::from(matches!(behaviour, Behaviour::Hang { .. }));
        Taken { behaviour, since: self.releases }
    }

    /// The gate's clock, as its `Date` header shows it.
    pub fn date(&self) -> i64 {
        unix_now().saturating_add(self.settings.date_offset)
    }

    /// Appends all entries to the plan, or none.
    pub fn add_plan(&mut self, plan: &Value) -> Result<(), String> {
        let planned = Planned::read_all(plan)?;
        for entry in &planned {
            let behaviour = match &entry.behaviour {
                Behaviour::Hang { then } => then,
                other => other,
            };
            if let Behaviour::Ok(overrides) = behaviour {
                token::mint(&self.settings, overrides, self.seed, u64::MAX, unix_now())?;
            }
        }
        self.plan.extend(planned);
        Ok(())
    }

    /// Changes all given settings, or none. `proxy_plan` replaces the proxy's plan.
    pub fn set(&mut self, settings: &Value) -> Result<(), String> {
        let mut fields = Fields::of("settings", settings)?;
        let proxy_plan = match fields.any("proxy_plan") {
            None => None,
            Some(plan) => Some(Planned::read_all(&plan)?),
        };
        proxy_plan.iter().flatten().try_for_each(Planned::fits_proxy)?;
        let changed = self.settings.change(&mut fields)?;
        fields.finish()?;
        token::mint(&changed, &Default::default(), self.seed, u64::MAX, unix_now())?;
        self.settings = changed;
        if let Some(plan) = proxy_plan {
            self.proxy_plan = plan.into();
        }
        Ok(())
    }

    /// Sets the counts to zero, drops the plans and restores the settings of the start. Refresh tokens and held
    /// requests stay.
    pub fn reset(&mut self) {
        self.counts = Counts { hanging: self.counts.hanging, ..Counts::default() };
        self.settings = self.first_settings.clone();
        self.plan.clear();
        self.proxy_plan.clear();
        (self.last_request, self.last_connect, self.last_token) = (None, None, None);
    }
}

pub(crate) fn unix_now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Counts have changed, a connection has ended, or the gate stops.
    changed: Condvar,
    /// Held requests may go on, or the gate stops.
    released: Condvar,
}

impl Shared {
    pub fn new(settings: Settings, seed: u64) -> Self {
        let state = State { first_settings: settings.clone(), settings, seed, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// Runs `f` under the lock and wakes the threads that wait for counts. If a thread panicked here, the state is
    /// still usable.
    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let result = f(&mut self.lock());
        self.changed.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, the time-out or the stop. Returns whether `done` became true.
    pub fn wait(&self, timeout: Duration, mut done: impl FnMut(&State) -> bool) -> bool {
        let end = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if done(&state) {
                return true;
            }
            if state.stopping || left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for `time`. Returns false if the gate stops meanwhile.
    pub fn pause(&self, time: Duration) -> bool {
        let paused = self.released.wait_timeout_while(self.lock(), time, |state| !state.stopping);
        !paused.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    pub fn release(&self) {
        self.with(|state| state.releases += 1);
        self.released.notify_all();
    }

    /// Holds a request that [`State::take`] has marked as hanging, until a release. Returns false if the client
    /// disconnected or the gate stops.
    pub fn hold(&self, wire: &mut Wire, since: u64) -> bool {
        let mut state = self.lock();
        let released = loop {
            if state.stopping || state.releases != since {
                break !state.stopping;
            }
            state = self.released.wait_timeout(state, PEER_CHECK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
            if !state.stopping && state.releases == since {
                drop(state);
                let gone = wire.peer_is_gone();
                state = self.lock();
                if gone {
                    break false;
                }
            }
        };
        state.counts.hanging -= 1;
        self.changed.notify_all();
        released
    }

    pub fn stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Ends all threads: it sets a flag for those that wait, shuts the sockets down for those that read or write, and
    /// connects to wake those that accept.
    pub fn stop(&self) {
        let (sockets, doors) = self.with(|state| {
            let doors = if state.stopping { Vec::new() } else { state.doors.clone() };
            state.stopping = true;
            (state.open.values().filter_map(Weak::upgrade).collect::<Vec<_>>(), doors)
        });
        self.released.notify_all();
        for socket in sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for door in doors {
            let _ = TcpStream::connect_timeout(&door, crate::patience(60));
        }
    }

    /// Waits until all connections have ended.
    pub fn drained(&self, timeout: Duration) {
        let state = self.lock();
        drop(self.changed.wait_timeout_while(state, timeout, |state| !state.open.is_empty()));
    }

    /// Adds a connection to the list that `stop` shuts down. `None` if the gate is already stopping.
    pub fn register(self: &Arc<Self>, tcp: &Arc<TcpStream>) -> Option<Registered> {
        self.with(|state| {
            if state.stopping {
                return None;
            }
            state.opened += 1;
            state.open.insert(state.opened, Arc::downgrade(tcp));
            Some(Registered { shared: Arc::clone(self), id: state.opened })
        })
    }
}

/// A connection on the list. Dropping it removes it from the list, also during a panic.
pub(crate) struct Registered {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.with(|state| state.open.remove(&self.id));
    }
}
