//! A Redis server as a store. The machines of a fleet use it.
//!
//! The `redis` package writes the commands and reads the answers. The connection is the library's own ([`Line`]), so it
//! has the library's root certificates, time limits and cancellation.
//!
//! A record has two keys with the same hash tag, so a cluster keeps them on one server: `dl_auth:{NAME}` is the record,
//! and `dl_auth:{NAME}:lock` is the lock. The value of the lock is random. Each change is a script that does nothing
//! unless the lock has this value: so a process whose lock has run out never replaces a newer record.
//!
//! A lock lasts for a short time. A thread of its holder renews it until it is released. So the lock of a killed
//! process runs out soon.
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
use crate::process::spawn;
use crate::secret::{Secret, Secrets, quote};
use crate::sync::{Arc, Changes, Mutex, lock};
use crate::trust::Roots;

/// The maximum time of one use of the server. If it does not answer, the handle logs in by itself, so each use takes at
/// most a quarter of the time that is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// The maximum time for the publication of a record.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(2);

/// The maximum time for the release of a lock.
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);

/// The maximum time of one use.
fn patience(attempt: &Attempt, now: Boot) -> Duration {
    (attempt.deadline.saturating_sub(now) / 4).min(PATIENCE)
}

/// The shortest and the longest time after which the lock of a killed process runs out. In between, it is half of the
/// time that is left for the refresh, so the other half is left for a process that waits.
const LEASE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

fn lease(deadline: Boot, now: Boot) -> Duration {
    (deadline.saturating_sub(now) / 2).clamp(LEASE.0, LEASE.1)
}

/// The maximum size of an answer.
const ANSWER_MAX: u64 = 128 << 10;

/// The clock of all records.
const SERVER: [u8; 16] = *b"redis server    ";

/// The answer is a single string, so that an answer never has another one inside. A value of another type, or one that
/// is too long, counts as missing.
const LOOK: &str = "local t=redis.call('TIME') \
    local r=redis.pcall('GETRANGE',KEYS[1],0,98303) \
    if type(r)=='table' then if string.find(r.err,'WRONGTYPE') then r='' else return r end end \
    if #r>98303 then r='' end \
    return t[1]*1000+math.floor(t[2]/1000)..' '..r";

/// The lock is taken also if this process has it already: the answer to the first command may have been lost. No lock
/// lasts longer than a lease, also if the server's clock was set back, or another program has written the key.
const TRY_LOCK: &str = "local t=redis.call('TIME') \
    if t[1]*1000+t[2]/1000>tonumber(ARGV[2]) then return 0 end \
    if redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[3]) then return 1 end \
    if redis.call('GET',KEYS[1])==ARGV[1] then return 1 end \
    local p=redis.call('PTTL',KEYS[1]) local m=tonumber(ARGV[4]) \
    if p<0 or p>m then redis.call('PEXPIRE',KEYS[1],m) end \
    return 0";

const PUBLISH: &str = "if redis.call('GET',KEYS[2])~=ARGV[1] then return 0 end \
    redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1";

const RENEW: &str =
    "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end return redis.call('PEXPIRE',KEYS[1],ARGV[2])";

const RELEASE: &str = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end return redis.call('DEL',KEYS[1])";

const CHECK_LOGIN: &str = "; check the user, the password and the number of the database in `store`";

const CHECK_RIGHTS: &str = "; docs/sharing.md lists the commands that the user in `store` needs";

/// The errors of Redis that need an explanation, and what to do.
const CODES: [(&str, &str); 6] = [
    ("WRONGPASS", CHECK_LOGIN),
    ("NOAUTH", CHECK_LOGIN),
    ("NOPERM", CHECK_RIGHTS),
    ("OOM", "; the server is full: give it more memory, or let it evict keys"),
    ("READONLY", "; name the primary server in `store`"),
    ("ERR", ""),
];

/// A store on a Redis server.
pub struct Redis(Arc<Server>);

struct Server {
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
        let line = Line::new(target, connect_timeout, roots);
        Redis(Arc::new(Server { line, url, used: Mutex::default() }))
    }
}

impl Server {
    fn fault(&self, why: &str) -> Error {
        fault(format!("the store at {} cannot be used: {why}", self.line.shown()))
    }

    /// Runs a script. An error of the server is an error.
    fn run(&self, script: &str, keys: &[&str], arguments: &[&[u8]], attempt: &Attempt) -> Result<Value, Error> {
        self.checked(self.answer(script, keys, arguments, attempt)?)
    }

    /// Runs a script, and returns what the server answers. If a connection of an earlier use is broken, a new one is
    /// made.
    fn answer(&self, script: &str, keys: &[&str], arguments: &[&[u8]], attempt: &Attempt) -> Result<Value, Error> {
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
                Ok(value) => return Ok(self.keep(connection, value)),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.broken(&error)),
                Err(_) => {} // the server may have closed it
            }
        }
        let mut connection = self.connect(&attempt)?;
        let value = self.ask(&mut connection, &command, &attempt).map_err(|error| self.broken(&error))?;
        Ok(self.keep(connection, value))
    }

    fn keep(&self, connection: Connection, value: Value) -> Value {
        lock(&self.used).connection = Some(connection);
        value
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
        let foreign =
            || io::Error::other("the answer is not that of a Redis server; check the host and the port in `store`");
        connection.exchange(command, attempt, |answer| {
            let mut first = [0];
            answer.read_exact(&mut first)?;
            // The parser calls itself for an answer inside another one. No answer of the scripts is of such a kind.
            if !b"+-:$".contains(&first[0]) {
                return Err(foreign());
            }
            let whole = first.chain(answer).take(ANSWER_MAX);
            redis::Parser::new().parse_value(whole).map_err(|error| match () {
                () if error.is_timeout() => io::ErrorKind::TimedOut.into(),
                () if error.is_io_error() => io::ErrorKind::UnexpectedEof.into(),
                () => foreign(),
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
            // Words of Redis, which a password may contain. Any other code may repeat a part of the password.
            let code = error.code().unwrap_or("ERR");
            let known = CODES.iter().find(|(known, _)| *known == code);
            let text = if known.is_some() {
                error.detail().unwrap_or_default().to_owned()
            } else {
                [error.code(), error.detail()].into_iter().flatten().collect::<Vec<_>>().join(" ")
            };
            let (code, advice) = known.copied().unwrap_or_default();
            let advice = match advice {
                "" if text.contains("AUTH") => CHECK_LOGIN,
                "" if text.contains("can't run this command") => CHECK_RIGHTS,
                advice => advice,
            };
            self.fault(format!("{code} {}{advice}", quote(&text, &[&secrets])).trim_start())
        })
    }

    /// The answer of a script that has changed something, or not.
    fn done(&self, value: &Value) -> Result<bool, Error> {
        match value {
            Value::Int(done) => Ok(*done > 0),
            _ => Err(self.unexpected()),
        }
    }

    fn unexpected(&self) -> Error {
        self.fault("its answer is not the one of the script")
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
        let Value::BulkString(answer) = self.0.run(LOOK, &[&key(name)], &[], attempt)? else {
            return Err(self.0.unexpected());
        };
        let end = answer.iter().position(|byte| *byte == b' ').and_then(|at| answer.split_at_checked(at));
        let (digits, sealed) = end.ok_or_else(|| self.0.unexpected())?;
        let ms = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let ms = ms.ok_or_else(|| self.0.unexpected())?;
        lock(&self.0.used).time = Some((ms, System.boot()));
        let sealed = sealed.get(1..).filter(|sealed| !sealed.is_empty()).map(<[u8]>::to_vec);
        Ok(Look { sealed, at: Moment { clock: SERVER, ms, wall_ms: System.wall_ms() } })
    }

    fn try_lock(&self, name: &str, attempt: &Attempt) -> Result<Option<Box<dyn Lock + '_>>, Error> {
        let value = hex(&random::<16>()?);
        let now = System.boot();
        // The server's time after which this process no longer waits for the answer.
        let Some((server_ms, read)) = lock(&self.0.used).time else {
            return Err(self.0.fault("its time is unknown"));
        };
        let latest = server_ms.saturating_add(millis(now.saturating_sub(read).saturating_add(patience(attempt, now))));
        let [latest, lease, longest] = [latest, millis(lease(attempt.deadline, now)), millis(LEASE.1)].map(decimal);
        let arguments = [value.as_bytes(), &latest, &lease, &longest];
        let answer = self.0.run(TRY_LOCK, &[&lock_key(name)], &arguments, attempt)?;
        if !self.0.done(&answer)? {
            return Ok(None);
        }
        let (server, renewal, answers) = (self.0.clone(), Arc::default(), true);
        let locked = Locked { server, name: name.to_owned(), value, renewal, answers };
        locked.renew_until_released(attempt.deadline);
        Ok(Some(Box::new(locked)))
    }

    fn rest(&self) {
        lock(&self.0.used).connection = None;
    }

    fn for_child(&self) -> Box<dyn Store> {
        let Server { url, line, .. } = &*self.0;
        Box::new(Redis(Arc::new(Server { url: url.clone(), line: line.for_child(), used: Mutex::default() })))
    }
}

struct Locked {
    server: Arc<Server>,
    name: String,
    value: String,
    renewal: Arc<Renewal>,
    /// The server has answered to the last command.
    answers: bool,
}

#[derive(Default)]
struct Renewal {
    released: Changes,
    /// Why the last renewal failed.
    failed: Mutex<Option<Error>>,
}

impl Locked {
    /// Starts the thread that renews the lock. If the system has no thread left, the lock may run out too early: then
    /// the result is not shared.
    fn renew_until_released(&self, deadline: Boot) {
        let (server, lock_key, value) = (self.server.clone(), lock_key(&self.name), self.value.clone());
        let renewal = self.renewal.clone();
        let renew = move || {
            loop {
                renewal.released.wait(0, lease(deadline, System.boot()) / 3);
                if renewal.released.count() > 0 {
                    return;
                }
                let now = System.boot();
                let lease = lease(deadline, now);
                // A failure of one renewal leaves time for another one.
                let attempt = Attempt::new(now.saturating_add(lease), Arc::default());
                let renewed = server.run(RENEW, &[&lock_key], &[value.as_bytes(), &decimal(millis(lease))], &attempt);
                *lock(&renewal.failed) = renewed.err();
                if renewal.released.count() > 0 {
                    lock(&server.used).connection = None; // the handle may have closed the others already
                }
            }
        };
        spawn(renew).ok();
    }
}

impl Lock for Locked {
    fn publish(&mut self, sealed: &[u8], lasts: Duration, attempt: &Attempt) -> Result<(), Error> {
        let keys = [&*key(&self.name), &*lock_key(&self.name)];
        let lasts = decimal(millis(lasts).max(1));
        // The caller waits for this, and may have a token already.
        let now = System.boot();
        let attempt = attempt.until(attempt.deadline.min(now.saturating_add(4 * PUBLISH_PATIENCE)));
        let answer = self.server.answer(PUBLISH, &keys, &[self.value.as_bytes(), sealed, &lasts], &attempt);
        self.answers = answer.is_ok();
        if self.server.done(&self.server.checked(answer?)?)? {
            return Ok(());
        }
        let why = "the lock has run out before the record was written";
        let failed =
            lock(&self.renewal.failed).as_ref().map(|failed| format!("{why}; its renewal: {}", failed.message()));
        Err(self.server.fault(&failed.unwrap_or_else(|| why.to_owned())))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.renewal.released.announce();
        if !self.answers {
            return; // the lock runs out
        }
        // Also after the deadline of the refresh, and if it was cancelled: other processes wait for this lock. If this
        // fails, the lock runs out.
        let attempt = Attempt::new(System.boot().saturating_add(4 * RELEASE_PATIENCE), Arc::default());
        self.server.run(RELEASE, &[&lock_key(&self.name)], &[self.value.as_bytes()], &attempt).ok();
    }
}

#[cfg(all(test, not(any(feature = "shuttle", feature = "loom"))))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    use crate::trust::Base;

    /// What `read` says about a server that sends this answer to each command, and then closes the connection.
    fn read(answer: Vec<u8>) -> Result<Look, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = RedisUrl::parse(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut connection, _) = listener.accept().unwrap();
                let mut command = [0; 4096];
                assert!(connection.read(&mut command).unwrap() > 0);
                connection.write_all(&answer).ok(); // the client may have closed the connection
            });
            let roots = Roots { base: Base::Nothing, ca: Vec::new() };
            let attempt = Attempt::new(System.boot() + Duration::from_secs(240), Arc::default());
            Redis::new(Arc::new(url), Duration::from_secs(60), roots).read("name", &attempt)
        })
    }

    #[test]
    fn an_answer_of_any_kind_is_a_record_or_an_error() {
        let record = |answer: &str| {
            let look = read(answer.into()).unwrap();
            (look.at.ms, look.sealed)
        };
        assert_eq!(record("$6\r\n12 a b\r\n"), (12, Some(b"a b".to_vec())));
        assert_eq!(record("$3\r\n12 \r\n"), (12, None));
        let long = [b"$200000\r\n".as_slice(), &[b'1'; 200_000], b"\r\n"].concat();
        for (answer, why) in [
            (b"*1\r\n".repeat(1000), "not that of a Redis server"),
            (b"%1\r\n".repeat(1000), "not that of a Redis server"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "not that of a Redis server"),
            (b"$x\r\n".to_vec(), "not that of a Redis server"),
            (b"$5\r\n12345\r\n".to_vec(), "not the one of the script"),
            (b"$5\r\n1x ab\r\n".to_vec(), "not the one of the script"),
            (b"$-1\r\n".to_vec(), "not the one of the script"),
            (b":1\r\n".to_vec(), "not the one of the script"),
            (b"-NOPERM no \x1b[31m permission\r\n".to_vec(), "NOPERM no"),
            (b"$99999999999\r\n".to_vec(), "the connection ended"),
            (b"$5\r\n12".to_vec(), "the connection ended"),
            (long, "the connection ended"),
            (Vec::new(), "the connection ended"),
        ] {
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
            let Err(error) = read(answer) else { panic!("{shown}: no error") };
            assert!(error.message().contains(why) && !error.message().contains('\x1b'), "{shown}: {error:?}");
        }
    }
}
