//! Connects to the first address that answers: Happy Eyeballs, RFC 8305.
//!
//! [`race`] decides the order of attempts and the waits between them. It uses neither sockets nor clocks.
//! `mio` does the I/O: non-blocking connects and one wait for all of them.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::attempt::Attempt;
use crate::clock::{Clock, System};
use crate::process::above_stdio;

/// The time after which the next attempt starts while earlier attempts are still pending (RFC 8305, section 8). It is
/// shorter if the deadline would otherwise come before all addresses are tried.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The minimum of this time.
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(100);

/// The maximum number of addresses that are tried. It limits the number of sockets.
const ADDRESSES_MAX: usize = 64;

/// The longest wait before [`Race::left`] is called again, which checks whether the attempt is cancelled.
const SLICE: Duration = Duration::from_millis(100);

/// Why no address answered.
#[derive(Debug)]
pub struct Unconnected {
    /// How many addresses were tried.
    pub tried: usize,
    /// The errors of the attempts that failed.
    pub failures: Vec<io::Error>,
    /// Whether the deadline passed while attempts were pending, or the attempt was cancelled.
    pub late: bool,
}

impl fmt::Display for Unconnected {
    /// For example `12 addresses tried: no reply from 8, Connection refused (os error 111) from 4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unconnected { tried, failures, .. } = self;
        let mut reasons: Vec<(String, usize)> = Vec::new();
        let silent = tried.saturating_sub(failures.len());
        reasons.extend((silent > 0).then(|| ("no reply".to_owned(), silent)));
        for text in failures.iter().map(io::Error::to_string) {
            match reasons.iter_mut().find(|(reason, _)| *reason == text) {
                Some((_, count)) => *count += 1,
                None => reasons.push((text, 1)),
            }
        }
        write!(f, "{tried} {} tried", if *tried == 1 { "address" } else { "addresses" })?;
        for (index, (reason, count)) in reasons.iter().enumerate() {
            write!(f, "{}{reason}", if index == 0 { ": " } else { ", " })?;
            if *tried > 1 {
                write!(f, " from {count}")?;
            }
        }
        Ok(())
    }
}

/// Connects to one of these addresses. Returns an error at the deadline of `attempt`, or soon after `attempt` is
/// cancelled.
pub fn dial(addresses: &[SocketAddr], attempt: &Attempt) -> Result<TcpStream, Unconnected> {
    let addresses = in_order(addresses);
    let failed = |error| Unconnected { tried: 0, failures: vec![error], late: false };
    let poll = above_stdio(Poll::new).map_err(failed)?;
    let mut sockets = Sockets { poll, events: Events::with_capacity(ADDRESSES_MAX), pending: Vec::new(), attempt };
    let stream = TcpStream::from(race(&mut sockets, &addresses)?);
    let ready = stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true));
    ready.map_err(|error| Unconnected { tried: addresses.len(), failures: vec![error], late: false })?;
    Ok(stream)
}

/// The order in which the addresses are tried: the order of the resolver, but IPv6 and IPv4 alternate (RFC 8305,
/// section 4).
fn in_order(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first_family = |address: &SocketAddr| addresses.first().map(SocketAddr::is_ipv6) == Some(address.is_ipv6());
    let (first, second): (Vec<&SocketAddr>, Vec<&SocketAddr>) = addresses.iter().partition(|a| is_first_family(a));
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            break;
        }
        for address in pair.into_iter().flatten() {
            // A hosts file may contain an address twice.
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// The network and the clock, as [`race`] uses them.
trait Race {
    /// A connection.
    type Socket;

    /// Starts an attempt. An error means that this attempt failed.
    fn start(&mut self, address: SocketAddr) -> io::Result<()>;

    /// Blocks until at least one attempt ends, for at most this long. Returns the results of the attempts that ended.
    fn wait(&mut self, at_most: Duration) -> Vec<io::Result<Self::Socket>>;

    /// The time that is left; `None` if there is no time left, or the attempt is cancelled.
    fn left(&self) -> Option<Duration>;
}

/// Starts the next attempt as soon as the previous one has failed, or has been pending for the delay. Returns the first
/// connection.
fn race<R: Race>(race: &mut R, addresses: &[SocketAddr]) -> Result<R::Socket, Unconnected> {
    let mut rest = addresses.iter();
    let slots = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
    let delay = (race.left().unwrap_or_default() / slots).clamp(ATTEMPT_DELAY_MIN, ATTEMPT_DELAY);
    let mut next_start = None; // the time left at which the next attempt starts; `None`: immediately
    let (mut tried, mut failures) = (0, Vec::new());
    loop {
        let Some(left) = race.left() else { return Err(Unconnected { tried, failures, late: true }) };
        if tried > failures.len() {
            let until = if rest.len() == 0 { Duration::ZERO } else { next_start.unwrap_or(left) };
            // This call also comes before an attempt that starts immediately: on a busy machine, an earlier attempt may
            // already have ended.
            for ended in race.wait(left.saturating_sub(until)) {
                match ended {
                    Ok(socket) => return Ok(socket),
                    Err(error) => {
                        failures.push(error);
                        next_start = None;
                    }
                }
            }
        }
        if next_start.is_none_or(|start| left <= start) {
            if let Some(address) = rest.next() {
                tried += 1;
                match race.start(*address) {
                    Ok(()) => next_start = Some(left.saturating_sub(delay)),
                    Err(error) => failures.push(error),
                }
            } else if tried == failures.len() {
                return Err(Unconnected { tried, failures, late: false });
            }
        }
    }
}

/// The real network.
struct Sockets<'a> {
    poll: Poll,
    events: Events,
    /// The attempts. The index of an attempt is its token.
    pending: Vec<Option<mio::net::TcpStream>>,
    attempt: &'a Attempt,
}

impl Race for Sockets<'_> {
    type Socket = mio::net::TcpStream;

    fn start(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut socket = above_stdio(|| mio::net::TcpStream::connect(address))?;
        self.poll.registry().register(&mut socket, Token(self.pending.len()), Interest::WRITABLE)?;
        self.pending.push(Some(socket));
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Vec<io::Result<Self::Socket>> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(at_most.min(SLICE))) {
            // A signal ends no attempt. Any other error ends all of them.
            let interrupted = error.kind() == io::ErrorKind::Interrupted;
            let ended = if interrupted { 0 } else { self.pending.drain(..).flatten().count() };
            return (0..ended).map(|_| Err(io::Error::from(error.kind()))).collect();
        }
        let Sockets { poll, events, pending, .. } = self;
        let mut ended = Vec::new();
        for event in events.iter() {
            let Some(socket) = pending.get_mut(event.token().0) else { continue };
            match socket.as_ref().map(outcome) {
                Some(Some(Ok(()))) => ended.extend(socket.take().map(|mut socket| {
                    poll.registry().deregister(&mut socket).ok();
                    Ok(socket)
                })),
                Some(Some(Err(error))) => {
                    *socket = None;
                    ended.push(Err(error));
                }
                Some(None) | None => {}
            }
        }
        ended
    }

    fn left(&self) -> Option<Duration> {
        let left = self.attempt.deadline.saturating_sub(System.boot());
        (!left.is_zero() && !self.attempt.is_cancelled()).then_some(left)
    }
}

/// The result of an attempt that has an event; `None` if the attempt has not ended.
fn outcome(socket: &mio::net::TcpStream) -> Option<io::Result<()>> {
    match socket.take_error() {
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
        Ok(None) => {}
    }
    match socket.peer_addr() {
        Ok(_) => Some(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
        Err(error) => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Cancellation;
    use std::net::TcpListener;

    const END: u64 = 10_000;

    /// A network with a fake clock, in milliseconds. Each address answers after a fixed time, or never.
    struct Fake {
        now: u64,
        /// The time for which the thread does not run after the start of an attempt.
        stall: u64,
        plan: Vec<(SocketAddr, Option<u64>, bool)>,
        pending: Vec<(SocketAddr, Option<u64>, bool)>,
        started: Vec<(u64, SocketAddr)>,
    }

    impl Race for Fake {
        type Socket = SocketAddr;

        fn start(&mut self, address: SocketAddr) -> io::Result<()> {
            self.started.push((self.now, address));
            let (_, after, works) = *self.plan.iter().find(|(other, ..)| *other == address).unwrap();
            if after == Some(0) && !works {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            self.pending.push((address, after.map(|after| self.now + after), works));
            self.now += self.stall;
            Ok(())
        }

        fn wait(&mut self, at_most: Duration) -> Vec<io::Result<SocketAddr>> {
            let until = self.now + u64::try_from(at_most.as_micros().div_ceil(1000)).unwrap();
            self.now = self.pending.iter().filter_map(|(_, at, _)| *at).fold(until, u64::min).max(self.now);
            let ended = |at: &Option<u64>| at.is_some_and(|at| at <= self.now);
            let (done, rest) = self.pending.iter().copied().partition(|(_, at, _)| ended(at));
            self.pending = rest;
            let done: Vec<(SocketAddr, Option<u64>, bool)> = done;
            let refused = || Err(io::ErrorKind::ConnectionRefused.into());
            done.into_iter().map(|(address, _, works)| if works { Ok(address) } else { refused() }).collect()
        }

        fn left(&self) -> Option<Duration> {
            END.checked_sub(self.now).filter(|left| *left > 0).map(Duration::from_millis)
        }
    }

    fn v4(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 443))
    }

    fn v6(number: u16) -> SocketAddr {
        SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, number], 443))
    }

    type Attempts = Vec<(u64, SocketAddr)>;

    fn run(plan: &[(SocketAddr, Option<u64>, bool)]) -> (Result<SocketAddr, Unconnected>, Attempts) {
        run_stalled(plan, 0)
    }

    fn run_stalled(
        plan: &[(SocketAddr, Option<u64>, bool)],
        stall: u64,
    ) -> (Result<SocketAddr, Unconnected>, Attempts) {
        let addresses: Vec<SocketAddr> = plan.iter().map(|(address, ..)| *address).collect();
        let mut fake = Fake { now: 0, stall, plan: plan.to_vec(), pending: Vec::new(), started: Vec::new() };
        let result = race(&mut fake, &in_order(&addresses));
        (result, fake.started)
    }

    #[test]
    fn families_alternate_in_the_order_of_the_resolver_and_no_address_is_tried_twice() {
        let mixed = [v6(1), v6(2), v4(1), v6(3), v6(1), v4(2), v4(1)];
        assert_eq!(in_order(&mixed), [v6(1), v4(1), v6(2), v4(2), v6(3)]);
        assert_eq!(in_order(&[v4(1), v4(2), v6(1)]), [v4(1), v6(1), v4(2)]);
        assert_eq!(in_order(&[v4(2), v4(1)]), [v4(2), v4(1)]);
        assert_eq!(in_order(&[]), []);
        let many: Vec<SocketAddr> = (0..500).map(v6).chain([v4(1)]).collect();
        let ordered = in_order(&many);
        assert_eq!((ordered.len(), ordered[1]), (ADDRESSES_MAX, v4(1)));
    }

    #[test]
    fn an_address_that_answers_immediately_is_the_only_one_tried() {
        let (result, started) = run(&[(v6(1), Some(10), true), (v4(1), Some(1), true)]);
        assert_eq!((result.unwrap(), started), (v6(1), vec![(0, v6(1))]));
    }

    #[test]
    fn a_connection_that_was_made_while_the_thread_did_not_run_is_used_before_another_attempt_starts() {
        let (result, started) = run_stalled(&[(v6(1), Some(10), true), (v4(1), Some(1), true)], 400);
        assert_eq!((result.unwrap(), started), (v6(1), vec![(0, v6(1))]));
    }

    #[test]
    fn a_silent_address_delays_the_next_one_by_250_ms() {
        let (result, started) = run(&[(v6(1), None, true), (v4(1), Some(20), true)]);
        assert_eq!((result.unwrap(), started), (v4(1), vec![(0, v6(1)), (250, v4(1))]));
    }

    #[test]
    fn seven_silent_addresses_delay_a_connection_by_less_than_two_seconds() {
        let silent = (1..=8).map(|number| (v6(number), None, true));
        let others = (1..=4).map(|number| (v4(number), (number == 4).then_some(20), true));
        let (result, started) = run(&silent.chain(others).collect::<Vec<_>>());
        let order = [v6(1), v4(1), v6(2), v4(2), v6(3), v4(3), v6(4), v4(4)];
        let wanted: Attempts = order.into_iter().enumerate().map(|(n, address)| (250 * n as u64, address)).collect();
        assert_eq!((result.unwrap(), started), (v4(4), wanted));
    }

    #[test]
    fn attempts_start_faster_if_there_would_be_no_time_for_all_addresses() {
        let many: Vec<_> = (0..ADDRESSES_MAX as u16).map(|n| (v6(n), (n == 63).then_some(20), true)).collect();
        let (result, started) = run(&many);
        assert_eq!((result.unwrap(), started.len(), started[1].0), (v6(63), 64, END / 65 + 1));
    }

    #[test]
    fn after_any_failure_the_next_attempt_starts_immediately() {
        let plan =
            [(v6(1), Some(0), false), (v4(1), Some(30), false), (v6(2), Some(40), false), (v4(2), Some(5), true)];
        let (result, started) = run(&plan);
        assert_eq!((result.unwrap(), started), (v4(2), vec![(0, v6(1)), (0, v4(1)), (30, v6(2)), (70, v4(2))]));
    }

    #[test]
    fn a_slow_address_is_used_if_the_later_ones_are_slower() {
        let (result, started) = run(&[(v6(1), Some(600), true), (v4(1), None, true), (v6(2), Some(700), true)]);
        assert_eq!((result.unwrap(), started.len()), (v6(1), 3));
    }

    #[test]
    fn the_message_has_the_number_and_the_reasons_of_the_failures() {
        let (result, _) = run(&[(v6(1), Some(0), false), (v4(1), Some(9), false), (v4(2), Some(9), false)]);
        let failed = result.unwrap_err();
        assert!(!failed.late);
        assert_eq!(failed.to_string(), "3 addresses tried: permission denied from 1, connection refused from 2");
        let (result, started) = run(&[(v6(1), None, true), (v4(1), Some(9), false)]);
        let late = result.unwrap_err();
        assert_eq!((late.late, started.len()), (true, 2));
        assert_eq!(late.to_string(), "2 addresses tried: no reply from 1, connection refused from 1");
        let (result, _) = run(&[(v4(1), None, true)]);
        assert_eq!(result.unwrap_err().to_string(), "1 address tried: no reply");
        let (result, _) = run(&[]);
        assert_eq!(result.unwrap_err().to_string(), "0 addresses tried");
    }

    #[test]
    fn real_sockets_connect_past_an_address_that_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let cancellation = std::sync::Arc::<Cancellation>::default();
        let attempt = Attempt::new(System.boot() + Duration::from_secs(600), cancellation.clone());
        let stream = dial(&[closed, address], &attempt).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(stream.nodelay().unwrap());
        let failed = dial(&[closed], &attempt).unwrap_err();
        assert_eq!(
            (failed.tried, failed.late, failed.failures[0].kind()),
            (1, false, io::ErrorKind::ConnectionRefused)
        );
        cancellation.cancel();
        assert!(dial(&[address], &attempt).unwrap_err().late, "a cancelled attempt does not connect");
    }
}
