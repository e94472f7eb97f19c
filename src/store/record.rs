//! What a record contains, and its bytes. These functions use no clock and no store.
//!
//! All times are relative to the moment at which the record was published. The moment itself is on a clock that all
//! users of the store can read: the server's clock, or the suspend-aware clock of one boot of the machine. If a reader
//! cannot read that clock, because the machine was started again since, the wall clock is used instead.
//!
//! The bytes before sealing: each number has 8 bytes, the lowest first. Each text has a number, its length, and then
//! its bytes in UTF-8. The order is that of [`Record::encode`].

use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock::millis;
use crate::error::{Error, Status};
use crate::jwt::Jwt;
use crate::policy::Life;
use crate::secret::Secret;

/// A point in time, as two processes can compare it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Identifies the clock of `ms`: a boot of a machine, or a server.
    pub clock: [u8; 16],
    /// On that clock, in milliseconds.
    pub ms: i64,
    /// On the wall clock of this machine, in Unix milliseconds.
    pub wall_ms: i64,
}

impl Moment {
    /// The moment that is later by this time.
    pub fn after(self, time: Duration) -> Moment {
        let ms = millis(time);
        Moment { ms: self.ms.saturating_add(ms), wall_ms: self.wall_ms.saturating_add(ms), ..self }
    }

    /// The time since an earlier moment; `None`: it is unknown, because the clocks do not agree.
    fn since(self, earlier: Moment) -> Option<Duration> {
        if self.clock == earlier.clock {
            // The clocks of two servers may differ slightly after a fail-over.
            let ms = self.ms.saturating_sub(earlier.ms);
            return (ms >= -5000).then(|| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        }
        u64::try_from(self.wall_ms.saturating_sub(earlier.wall_ms)).ok().map(Duration::from_millis)
    }
}

/// A token that processes share.
#[derive(Clone)]
pub struct SharedToken {
    /// The token.
    pub jwt: Jwt,
    /// When it is due and when it expires, relative to the moment of the record.
    pub life: Life,
}

/// A failure or a refusal, until which no process tries again.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// How many there were in a row.
    pub times: u32,
    /// The time of the pause that is left.
    pub left: Duration,
    /// The error.
    pub error: Error,
}

/// What processes share.
#[derive(Clone, Default)]
pub struct Record {
    /// When the record was published.
    pub at: Moment,
    /// The token.
    pub token: Option<SharedToken>,
    /// What is left of the minimum interval after the last successful refresh.
    pub interval: Duration,
    /// The refresh token, unless a process may have sent it.
    pub refresh_token: Option<Secret>,
    /// The last refresh failed.
    pub failure: Option<Standing>,
    /// The gate refused the credentials.
    pub refusal: Option<Standing>,
}

impl Record {
    /// The record as it is at a later moment: tokens that have expired and pauses that are over are gone.
    pub fn at(mut self, moment: Moment) -> Record {
        // A record from an unknown time says nothing about what is left: neither of a token's life nor of a pause.
        let age = moment.since(self.at).unwrap_or(Duration::MAX);
        self.token = self.token.and_then(|token| Some(SharedToken { life: token.life.later(age)?, ..token }));
        self.interval = self.interval.saturating_sub(age);
        // After a power loss, the file may be an older one, whose refresh token is used up.
        self.refresh_token = self.refresh_token.filter(|_| moment.clock == self.at.clock);
        for standing in [&mut self.failure, &mut self.refusal].into_iter().flatten() {
            standing.left = standing.left.saturating_sub(age);
        }
        self.at = moment;
        self
    }

    /// How long the record is of use.
    pub fn lasts(&self) -> Duration {
        let token = self.token.as_ref().map_or(Duration::ZERO, |token| token.life.left);
        // The number of refusals counts for a day after the pause.
        let refusal = self.refusal.as_ref().map(|refusal| refusal.left.saturating_add(REMEMBERED));
        let failure = self.failure.as_ref().map(|failure| failure.left.saturating_add(RETAINED));
        // A refresh token is of use after the token has expired, or was rejected. Its life is unknown.
        let length = self.token.as_ref().map_or(RETAINED, |token| token.life.length);
        let refresh_token = self.refresh_token.as_ref().map(|_| token.saturating_add(length));
        [refusal, failure, refresh_token].into_iter().flatten().fold(token.max(self.interval), Duration::max)
    }

    /// The bytes before sealing.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let text_of = |secret: Option<&str>| secret.map_or(0, str::len);
        let room = 1024
            + text_of(self.token.as_ref().map(|token| token.jwt.text()))
            + text_of(self.refresh_token.as_ref().map(Secret::expose))
            + [&self.failure, &self.refusal].into_iter().flatten().map(|s| s.error.message().len()).sum::<usize>();
        // The capacity is set in advance, so that the text never moves and leaves no copy behind.
        let mut to = Writer(Zeroizing::new(Vec::with_capacity(room)));
        to.bytes(&self.at.clock);
        to.number(self.at.ms);
        to.number(self.at.wall_ms);
        to.option(self.token.as_ref(), |to, token| {
            to.text(token.jwt.text());
            let Life { due_in, left, length, life } = token.life;
            [due_in, left, length, life].into_iter().for_each(|time| to.time(time));
        });
        to.time(self.interval);
        to.option(self.refresh_token.as_ref(), |to, token| to.text(token.expose()));
        for standing in [&self.failure, &self.refusal] {
            to.option(standing.as_ref(), |to, Standing { times, left, error }| {
                to.number(i64::from(*times));
                to.time(*left);
                to.number(error.status() as i64);
                to.number(error.http_status().map_or(0, i64::from));
                to.text(error.message());
            });
        }
        to.0
    }

    /// Reads the bytes of [`Record::encode`]. `None`: they are not such bytes.
    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let mut from = Reader(bytes);
        let at = Moment { clock: from.bytes()?, ms: from.number()?, wall_ms: from.number()? };
        let token = from.option(|from| {
            let jwt = Jwt::decode(Secret::new(from.text()?.to_owned())).ok()?;
            let life = Life { due_in: from.time()?, left: from.time()?, length: from.time()?, life: from.time()? };
            Some(SharedToken { jwt, life })
        })?;
        let interval = from.time()?;
        let refresh_token = from.option(|from| Some(Secret::new(from.text()?.to_owned())))?;
        let mut standing = || {
            let read = from.option(|from| {
                let times = u32::try_from(from.number()?).ok()?;
                let left = from.time()?;
                let status = i32::try_from(from.number()?).ok()?;
                let http = u16::try_from(from.number()?).ok()?;
                let text = from.text()?;
                // A later version may have more statuses. The rest of its record is of use.
                let error = Status::of_number(status).map(|status| Error::new(status, text));
                let error = error.map(|error| if http == 0 { error } else { error.with_http_status(http) });
                Some(error.map(|error| Standing { times, left, error }))
            });
            read.map(Option::flatten)
        };
        let (failure, refusal) = (standing()?, standing()?);
        from.0.is_empty().then_some(Record { at, token, interval, refresh_token, failure, refusal })
    }
}

/// A refusal counts for this long after its pause.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// A failure counts for this long after its pause. A refresh token without a token is kept for this long.
const RETAINED: Duration = Duration::from_secs(3600);

struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    fn time(&mut self, time: Duration) {
        self.number(millis(time));
    }

    fn text(&mut self, text: &str) {
        self.number(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.bytes(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.number(i64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_le_bytes)
    }

    fn time(&mut self) -> Option<Duration> {
        u64::try_from(self.number()?).ok().map(Duration::from_millis)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// A value that may be missing. The outer `None`: the bytes are wrong.
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.number()? {
            0 => Some(None),
            1 => Some(Some(read(self)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDB9.c2ln";

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn moment(clock: u8, s: i64) -> Moment {
        Moment { clock: [clock; 16], ms: s * 1000, wall_ms: (s + 1_000_000) * 1000 }
    }

    pub fn full() -> Record {
        let error = Error::new(Status::Denied, "refused – with text").with_http_status(401);
        Record {
            at: moment(1, 500),
            token: Some(SharedToken {
                jwt: Jwt::decode(Secret::new(TOKEN.to_owned())).unwrap(),
                life: Life { due_in: s(80), left: s(100), length: s(110), life: s(105) },
            }),
            interval: s(10),
            refresh_token: Some(Secret::new("rt-1".to_owned())),
            failure: Some(Standing { times: 3, left: s(20), error: Error::new(Status::Gate, "") }),
            refusal: Some(Standing { times: 2, left: s(300), error }),
        }
    }

    fn shown(record: &Record) -> String {
        let token = record.token.as_ref().map(|token| (token.jwt.text(), token.life));
        let refresh_token = record.refresh_token.as_ref().map(Secret::expose);
        let Record { at, interval, failure, refusal, .. } = record;
        format!("{at:?} {token:?} {interval:?} {refresh_token:?} {failure:?} {refusal:?}")
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for record in [full(), Record::default()] {
            let bytes = record.encode();
            assert_eq!(shown(&Record::decode(&bytes).unwrap()), shown(&record));
            for length in 0..bytes.len() {
                assert!(Record::decode(&bytes[..length]).is_none(), "{length}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(Record::decode(&longer).is_none());
        }
    }

    #[test]
    fn an_unknown_status_costs_only_the_failure() {
        let mut bytes = full().encode();
        let (gate, unknown) = ((Status::Gate as i64).to_le_bytes(), 99_i64.to_le_bytes());
        let times = 3_i64.to_le_bytes();
        let before = bytes.windows(8).rposition(|part| part == times).unwrap(); // then the pause, then the status
        assert_eq!(bytes[before + 16..before + 24], gate);
        bytes[before + 16..before + 24].copy_from_slice(&unknown);
        let read = Record::decode(&bytes).unwrap();
        assert!(read.failure.is_none() && read.refusal == full().refusal && read.token.is_some());
    }

    #[test]
    fn no_bytes_cause_a_panic() {
        let bytes = full().encode();
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] = value;
                if let Some(record) = Record::decode(&damaged) {
                    record.at(moment(1, 600)).lasts();
                }
            }
        }
    }

    #[test]
    fn time_passes_for_each_part_of_a_record() {
        let later = full().at(moment(1, 515));
        let life = later.token.as_ref().unwrap().life;
        assert_eq!((life.due_in, life.left, life.length, life.life), (s(65), s(85), s(110), s(105)));
        assert_eq!((later.interval, later.failure.unwrap().left, later.refusal.unwrap().left), (s(0), s(5), s(285)));
        let later = full().at(moment(1, 600));
        assert!(later.token.is_none(), "it has expired");
        assert_eq!((later.failure.unwrap().times, later.refusal.unwrap().left), (3, s(200)));
    }

    #[test]
    fn another_clock_is_compared_by_the_wall_clock_and_a_wall_clock_that_goes_back_by_nothing() {
        let reboot = Moment { ms: 3, ..moment(2, 510) };
        assert_eq!(full().at(reboot).token.unwrap().life.left, s(90));
        let wrong = Moment { ms: 3, ..moment(2, 499) };
        let record = full().at(wrong);
        assert!(record.token.is_none(), "its age is unknown");
        assert_eq!((record.failure.unwrap().left, record.refusal.unwrap().left), (s(0), s(0)));
        // The same clock never goes back, except for two servers with one name.
        assert_eq!(full().at(moment(1, 499)).token.unwrap().life.left, s(100));
    }

    #[test]
    fn a_record_lasts_as_long_as_its_longest_part() {
        let token = Record { refusal: None, failure: None, ..full() };
        assert_eq!(token.lasts(), s(210));
        assert_eq!(full().lasts(), s(300) + REMEMBERED);
        assert_eq!(Record { refusal: None, ..full() }.lasts(), s(3620));
        assert_eq!(Record { refresh_token: None, ..token.clone() }.lasts(), s(100));
        assert_eq!(Record { token: None, ..token }.lasts(), s(3600), "the token was rejected");
    }
}
