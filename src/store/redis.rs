//! A Redis server as a store. The machines of a fleet use it.
//!
//! The `redis` package writes the commands and reads the answers. The connection is the library's own ([`Line`]), so it
//! has the library's root certificates, time limits and cancellation.
//!
//! A record has two keys with the same hash tag, so a cluster keeps them on one server: `dl_auth:{NAME}` is the record,
//! and `dl_auth:{NAME}:lock` is the lock. The value of the lock is random. Each change is a script that does nothing
//! unless the lock has this value: so a process whose lock has run out never replaces a newer record.
//!
//! The time of a record is that of the server (`TIME`). A script that arrives late takes no lock: after a pause, a
//! server also runs the commands of clients that gave up.

use std::io::{self, Read};
use std::time::Duration;

use redis::Value;
use zeroize::Zeroizing;

use super::{Lock, Look, Moment, Store, fault, hex, random};
use crate::address::RedisUrl;
use crate::attempt::Attempt;
use crate::clock::{Boot, Clock, System, millis};
use crate::error::Error;
use crate::http::{Connection, Line, Target};
use crate::secret::{Secret, Secrets, quote};
use crate::sync::{Arc, Mutex, lock};
use crate::trust::Roots;

/// The maximum time of one use of the server. If it does not answer, the handle logs in by itself, so each use takes at
/// most a quarter of the time that is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// The maximum time for the release of a lock.
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);

/// The maximum time of one use.
fn patience(attempt: &Attempt, now: Boot) -> Duration {
    (attempt.deadline.saturating_sub(now) / 4).min(PATIENCE)
}

/// A lock lasts this much longer than the refresh that holds it.
const LOCK_EXTRA: Duration = Duration::from_secs(5);

/// The maximum size of an answer.
const ANSWER_MAX: u64 = 128 << 10;

/// The clock of all records.
const SERVER: [u8; 16] = *b"redis server    ";

const LOOK: &str = "local t=redis.call('TIME') return {t[1],t[2],redis.call('GET',KEYS[1])}";

/// The lock is taken also if this process has it already: the answer to the first command may have been lost.
const TRY_LOCK: &str = "local t=redis.call('TIME') \
    if t[1]*1000+t[2]/1000>tonumber(ARGV[2]) then return 0 end \
    if redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[3]) then return 1 end \
    if redis.call('GET',KEYS[1])==ARGV[1] then return 1 end \
    return 0";

const PUBLISH: &str = "if redis.call('GET',KEYS[2])~=ARGV[1] then return 0 end \
    redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1";

const RELEASE: &str = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end return redis.call('DEL',KEYS[1])";

/// A Redis server.
pub struct Redis {
    url: Arc<RedisUrl>,
    line: Line,
    used: Mutex<Used>,
}

/// What is kept from one use to the next.
#[derive(Default)]
struct Used {
    connection: Option<Connection>,
    /// The server's time, in milliseconds, and when it was read.
    time: Option<(i64, Boot)>,
}

impl Redis {
    /// A store on this server. Nothing is sent yet.
    pub fn new(url: Arc<RedisUrl>, connect_timeout: Duration, roots: Roots) -> Redis {
        let RedisUrl { host, port, tls, shown, .. } = &*url;
        let target = Target { host: host.clone(), port: *port, tls: *tls, shown: shown.clone(), option: "store" };
        Redis { line: Line::new(target, connect_timeout, roots), url, used: Mutex::default() }
    }

    fn fault(&self, why: &str) -> Error {
        fault(format!("the store at {} cannot be used: {why}", self.line.shown()))
    }

    /// Runs a script. If a connection of an earlier use is broken, a new one is made.
    fn run(&self, script: &str, keys: &[&str], arguments: &[&[u8]], attempt: &Attempt) -> Result<Value, Error> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len()).arg(keys);
        for argument in arguments {
            command.arg(*argument);
        }
        let command = command.get_packed_command();
        let now = System.boot();
        let attempt = attempt.until(now.saturating_add(patience(attempt, now)));
        let kept = lock(&self.used).connection.take();
        if let Some(mut connection) = kept {
            match self.ask(&mut connection, &command, &attempt) {
                Ok(value) => return self.keep(connection, value),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.broken(&error)),
                Err(_) => {} // the server may have closed it
            }
        }
        let mut connection = self.connect(&attempt)?;
        let value = self.ask(&mut connection, &command, &attempt).map_err(|error| self.broken(&error))?;
        self.keep(connection, value)
    }

    fn keep(&self, connection: Connection, value: Value) -> Result<Value, Error> {
        let value = self.checked(value)?;
        lock(&self.used).connection = Some(connection);
        Ok(value)
    }

    /// Connects and logs in.
    fn connect(&self, attempt: &Attempt) -> Result<Connection, Error> {
        let mut connection = self.line.open(attempt).map_err(|error| self.fault(error.message()))?;
        let RedisUrl { user, password, database, .. } = &*self.url;
        let mut commands = Vec::new();
        if let Some(password) = password {
            let user = user.as_ref().map(Secret::expose);
            commands.push(command(["AUTH"].into_iter().chain(user).chain([password.expose()])));
        }
        if *database != 0 {
            commands.push(command(["SELECT", &database.to_string()].into_iter()));
        }
        for command in commands {
            let value = self.ask(&mut connection, &command, attempt).map_err(|error| self.broken(&error))?;
            self.checked(value)?;
        }
        Ok(connection)
    }

    fn ask(&self, connection: &mut Connection, command: &[u8], attempt: &Attempt) -> io::Result<Value> {
        connection.exchange(command, attempt, |answer| {
            redis::Parser::new().parse_value(answer.take(ANSWER_MAX)).map_err(|error| {
                if error.is_timeout() {
                    io::ErrorKind::TimedOut.into()
                } else if error.is_io_error() {
                    io::ErrorKind::UnexpectedEof.into()
                } else {
                    io::Error::other("the answer is not that of a Redis server")
                }
            })
        })
    }

    fn broken(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::TimedOut => self.fault("it did not answer in time"),
            io::ErrorKind::UnexpectedEof => self.fault("the connection ended before the answer was complete"),
            _ => self.fault(&error.to_string()),
        }
    }

    /// An answer that is not an error.
    fn checked(&self, value: Value) -> Result<Value, Error> {
        value.extract_error().map_err(|error| {
            let mut secrets = Secrets::default();
            [&self.url.user, &self.url.password].into_iter().flatten().for_each(|secret| secrets.add(secret.expose()));
            let text = [error.code(), error.detail()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            self.fault(&quote(&text, &[&secrets]))
        })
    }

    /// The answer of a script that has changed something, or not.
    fn done(&self, value: &Value) -> Result<bool, Error> {
        match value {
            Value::Int(done) => Ok(*done > 0),
            _ => Err(self.fault("its answer is not the one of the script")),
        }
    }
}

/// A command that may contain a password. The `redis` package would not wipe its copy.
fn command<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Zeroizing<Vec<u8>> {
    let room = 32 + words.clone().map(|word| word.len() + 32).sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    bytes.extend_from_slice(format!("*{}\r\n", words.clone().count()).as_bytes());
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn key(name: &str) -> String {
    format!("dl_auth:{{{name}}}")
}

fn lock_key(name: &str) -> String {
    format!("dl_auth:{{{name}}}:lock")
}

fn decimal(ms: impl ToString) -> Vec<u8> {
    ms.to_string().into_bytes()
}

impl Store for Redis {
    fn read(&self, name: &str, attempt: &Attempt) -> Result<Look, Error> {
        let answer = self.run(LOOK, &[&key(name)], &[], attempt)?;
        let number = |value: &Value| match value {
            Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse::<i64>().ok(),
            _ => None,
        };
        let Value::Array(parts) = &answer else { return Err(self.fault("its answer is not the one of the script")) };
        let (Some(seconds), Some(micros)) = (parts.first().and_then(number), parts.get(1).and_then(number)) else {
            return Err(self.fault("its answer is not the one of the script"));
        };
        let ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        lock(&self.used).time = Some((ms, System.boot()));
        let sealed = match parts.get(2) {
            Some(Value::BulkString(sealed)) => Some(sealed.clone()),
            _ => None,
        };
        Ok(Look { sealed, at: Moment { clock: SERVER, ms, wall_ms: System.wall_ms() } })
    }

    fn try_lock(&self, name: &str, attempt: &Attempt) -> Result<Option<Box<dyn Lock + '_>>, Error> {
        let value = hex(&random::<16>()?);
        let now = System.boot();
        let lasts = attempt.deadline.saturating_sub(now).saturating_add(LOCK_EXTRA);
        // The server's time after which this process no longer waits for the answer.
        let Some((server_ms, read)) = lock(&self.used).time else {
            return Err(self.fault("its time is unknown"));
        };
        let latest = server_ms.saturating_add(millis(now.saturating_sub(read).saturating_add(patience(attempt, now))));
        let arguments = [value.as_bytes(), &decimal(latest), &decimal(millis(lasts))];
        let answer = self.run(TRY_LOCK, &[&lock_key(name)], &arguments, attempt)?;
        Ok(self.done(&answer)?.then(|| Box::new(Locked { store: self, name: name.to_owned(), value }) as Box<dyn Lock>))
    }

    fn rest(&self) {
        lock(&self.used).connection = None;
    }

    fn for_child(&self) -> Box<dyn Store> {
        Box::new(Redis { url: self.url.clone(), line: self.line.for_child(), used: Mutex::default() })
    }
}

struct Locked<'a> {
    store: &'a Redis,
    name: String,
    value: String,
}

impl Lock for Locked<'_> {
    fn publish(&mut self, sealed: &[u8], lasts: Duration, attempt: &Attempt) -> Result<(), Error> {
        let keys = [&*key(&self.name), &*lock_key(&self.name)];
        let lasts = decimal(millis(lasts).max(1));
        let answer = self.store.run(PUBLISH, &keys, &[self.value.as_bytes(), sealed, &lasts], attempt)?;
        match self.store.done(&answer)? {
            true => Ok(()),
            false => Err(self.store.fault("the lock has run out before the record was written")),
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Also after the deadline of the refresh, and if it was cancelled: other processes wait for this lock. If this
        // fails, the lock runs out.
        let attempt = Attempt::new(System.boot().saturating_add(4 * RELEASE_PATIENCE), Arc::default());
        self.store.run(RELEASE, &[&lock_key(&self.name)], &[self.value.as_bytes()], &attempt).ok();
    }
}
