//! Shares one login between processes: the [`Store`] trait, and the order of events.
//!
//! A store holds one sealed record for each gate and credentials. A refresh does this:
//!
//! 1. **Read** the record. If it has a newer token, a failure whose pause is not over, or a refusal, that is the
//!    result.
//! 2. **Lock** the record. While another process holds the lock, the record is read repeatedly: the other process
//!    publishes its result there. So a process that waits for the lock leaves without it.
//! 3. **Read again**, because the record may have changed before the lock was taken.
//! 4. **Publish that the refresh token is used**, if there is one. It is removed from the record before it is sent, so
//!    a refresh token that the gate may have used up is never sent by another process, even if this one is killed.
//! 5. **Refresh**: the requests of a handle without a store.
//! 6. **Publish** the token, the failure or the refusal.
//! 7. **Release** the lock.
//!
//! A store never takes a token away. If it cannot be used, the handle logs in by itself and counts the failure, unless
//! `store_required` is set. A cached read does not use the store.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::attempt::Attempt;
use crate::error::{Error, Status};
use crate::settings::Settings;

mod file;
#[cfg(test)]
pub mod memory;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod seal;
pub use record::{Moment, Record, SharedToken, Standing};
pub use seal::{Opened, Seal};

/// A place for records that several processes use. A call may block, but not longer than until the deadline of the
/// attempt. An error has the status `Store`.
pub trait Store: Send + Sync {
    /// Reads the record with this name.
    fn read(&self, name: &str, attempt: &Attempt) -> Result<Look, Error>;

    /// Takes the lock of the record, if no other process has it. The lock lasts until it is dropped. If its process is
    /// killed, it lasts at most for half of the time that the attempt had left, and at most 15 s. Does not wait for
    /// another process.
    fn try_lock(&self, name: &str, attempt: &Attempt) -> Result<Option<Box<dyn Lock + '_>>, Error>;

    /// The store is not used for some time: closes a connection.
    fn rest(&self) {}

    /// A store for a child process, with the same settings. It shares neither a lock nor a connection with this one.
    fn for_child(&self) -> Box<dyn Store>;
}

/// The lock of one record. It is released when it is dropped. It may be lost, if the process or the store pauses.
pub trait Lock {
    /// Replaces the record, if this process still has the lock. The store may delete the record after `lasts`.
    fn publish(&mut self, sealed: &[u8], lasts: Duration, attempt: &Attempt) -> Result<(), Error>;
}

/// Which store a handle uses.
#[derive(Clone)]
pub enum Place {
    /// A directory.
    File(std::path::PathBuf),
    /// A Redis server.
    #[cfg(feature = "redis")]
    Redis(crate::sync::Arc<crate::address::RedisUrl>),
    /// A Redis server, which this library was built without.
    #[cfg(not(feature = "redis"))]
    NotBuilt,
}

/// Opens a store. Nothing is read or sent yet.
#[cfg_attr(not(feature = "redis"), allow(unused_variables))]
pub fn open(place: &Place, settings: &Settings) -> Result<Box<dyn Store>, Error> {
    match place {
        Place::File(directory) => Ok(Box::new(file::Directory::new(directory.clone()))),
        #[cfg(feature = "redis")]
        Place::Redis(url) => {
            Ok(Box::new(redis::Redis::new(url.clone(), settings.connect_timeout, settings.roots.clone())))
        }
        #[cfg(not(feature = "redis"))]
        Place::NotBuilt => Err(Error::new(
            Status::Unsupported,
            "this library was built without Redis (the cargo feature `redis`): `store` can be `none` or `file:DIR`",
        )),
    }
}

/// A record as it is in the store.
pub struct Look {
    /// The sealed record; `None`: there is no record.
    pub sealed: Option<Vec<u8>>,
    /// When it was read.
    pub at: Moment,
}

/// The error of a store that cannot be used.
pub fn fault(message: impl Into<String>) -> Error {
    Error::new(Status::Store, message)
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| fault("the system has no random numbers"))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
