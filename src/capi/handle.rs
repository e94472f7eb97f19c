//! The slots of the handles. They make the use of a freed handle an error, never undefined behaviour.
//!
//! A handle is an address inside a slot of a table that grows and is never unmapped. A slot has 256 bytes. The handle
//! of its n-th tenant is the slot's address + n, so a freed handle is never equal to a later one. After 256 tenants the
//! slot is not used again. So a handle costs one byte until the process ends, and each slot 256 bytes once. The library
//! never dereferences a handle: it compares it with the table's bounds, and then with the handle of the tenant.

use std::ptr;

use arc_swap::ArcSwapOption;
use once_cell::race::OnceBox;

use super::text::null;
use crate::auth::Auth;
use crate::cache::{Place, Seqlock};
use crate::error::{Error, Status};
use crate::process::{self, PerProcess};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, lock};

/// A handle, which has the token of one user. dl_auth_new creates it, dl_auth_free frees it, and any number of threads
/// can use it. It points to nothing that a program can read. A handle that was freed is detected: DL_AUTH_E_CLOSED.
pub struct dl_auth_t {
    _never_made: [u8; 0],
}

/// How many tenants a slot can have, one after the other: one for each of its bytes.
const TENANTS: usize = 256;

#[repr(C, align(256))]
struct Slot {
    /// First, so that a read uses one cache line of the slot.
    seqlock: Seqlock,
    tenant: ArcSwapOption<Tenant>,
    tenants: AtomicUsize,
}

// The atomics of a model checker are larger. No model makes a handle.
const _: () = assert!(size_of::<Slot>() == TENANTS || cfg!(any(feature = "loom", feature = "shuttle")));

/// A handle and what belongs to it. They are published together, so that a freed handle never gets the next tenant.
struct Tenant {
    handle: usize,
    auth: Auth,
}

/// The first chunk of the table, and in most processes the only one. It is 4 MB of zeroed memory, and only the used
/// pages are resident. A slot in it is found without a load. (A static cannot contain the atomics of a model checker.)
#[cfg(not(feature = "loom"))]
static FIRST: [Slot; CHUNK] = [const { Slot::new() }; CHUNK];
#[cfg(feature = "loom")]
static FIRST: [Slot; 0] = [];
const CHUNK: usize = 1 << 14;

/// Further chunks: the first is as large as `FIRST`, and each next one twice as large. They never move.
static FURTHER: [OnceBox<Box<[Slot]>>; 16] = [const { OnceBox::new() }; 16];

/// How many slots have been used. The slots after them are unused.
static USED: AtomicUsize = AtomicUsize::new(0);

/// The used slots that can have another tenant. The last one is next. A child process makes a new list, because a
/// thread of the parent that does not exist in the child may hold the lock of the old one.
struct Vacant(Vec<&'static Slot>);

static VACANT: PerProcess<Mutex<Vacant>> = PerProcess::new();

impl Default for Vacant {
    fn default() -> Vacant {
        Vacant(slots().take(USED.load(Ordering::Relaxed)).filter(|slot| slot.is_vacant()).collect())
    }
}

impl Slot {
    #[cfg(not(feature = "loom"))]
    const fn new() -> Slot {
        Slot { seqlock: Seqlock::new(), tenant: ArcSwapOption::const_empty(), tenants: AtomicUsize::new(0) }
    }

    #[cfg(feature = "loom")]
    fn new() -> Slot {
        Slot { seqlock: Seqlock::default(), tenant: ArcSwapOption::empty(), tenants: AtomicUsize::new(0) }
    }

    fn is_vacant(&self) -> bool {
        self.tenants.load(Ordering::Relaxed) < TENANTS && self.tenant.load().is_none()
    }
}

/// Makes a handle for the result of `make`, which gets the place of the token.
pub fn open(make: impl FnOnce(Place) -> Result<Auth, Error>) -> Result<*mut dl_auth_t, Error> {
    process::watch_forks(); // before a lock is taken, because a child would find it locked
    let slot = vacant().ok_or_else(|| Error::new(Status::Internal, "there are too many handles"))?;
    let nth = slot.tenants.load(Ordering::Relaxed);
    let handle = ptr::from_ref(slot).cast::<dl_auth_t>().wrapping_byte_add(nth).cast_mut();
    match make(Place { seqlock: &slot.seqlock, handle: handle.addr() }) {
        Ok(auth) => {
            slot.tenants.store(nth + 1, Ordering::Relaxed);
            slot.tenant.store(Some(Arc::new(Tenant { handle: handle.addr(), auth })));
            Ok(handle)
        }
        Err(error) => {
            lock(&VACANT.get()).0.push(slot);
            Err(error)
        }
    }
}

/// The place of a handle's token. `None` if the address is not in the table.
#[inline]
pub fn seqlock(handle: *const dl_auth_t) -> Option<&'static Seqlock> {
    slot_of(handle.addr()).map(|slot| &slot.seqlock)
}

/// Runs `f` on the tenant of a handle.
pub fn with<R>(handle: *const dl_auth_t, f: impl FnOnce(&Auth) -> Result<R, Error>) -> Result<R, Error> {
    if handle.is_null() {
        return Err(null("auth"));
    }
    let slot = slot_of(handle.addr()).ok_or_else(closed)?;
    match slot.tenant.load().as_deref() {
        Some(tenant) if tenant.handle == handle.addr() => f(&tenant.auth),
        _ => Err(closed()),
    }
}

/// Frees a handle. If it has no tenant, nothing happens.
pub fn close(handle: *const dl_auth_t) {
    let Some(slot) = slot_of(handle.addr()) else { return };
    let tenant = slot.tenant.load();
    let Some(leaving) = tenant.as_ref().filter(|tenant| tenant.handle == handle.addr()) else { return };
    // This comes before the slot is emptied. Otherwise a child that makes its list at this moment would find the empty
    // slot and list it twice.
    let vacant = VACANT.get();
    let taken_out = slot.tenant.compare_and_swap(&*tenant, None);
    if !taken_out.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, leaving)) {
        return; // another thread freed it first
    }
    leaving.auth.close();
    if slot.tenants.load(Ordering::Relaxed) < TENANTS {
        lock(&vacant).0.push(slot);
    }
}

/// The slot that contains an address, which can be any number.
#[inline]
fn slot_of(address: usize) -> Option<&'static Slot> {
    slot_in(&FIRST, address).or_else(|| slot_further_on(address))
}

/// The slot in a further chunk. The last chunk comes first, because it has most of the slots.
#[inline(never)]
fn slot_further_on(address: usize) -> Option<&'static Slot> {
    FURTHER.iter().rev().filter_map(|chunk| chunk.get()).find_map(|chunk| slot_in(chunk, address))
}

#[inline]
fn slot_in(chunk: &'static [Slot], address: usize) -> Option<&'static Slot> {
    // An address below the chunk wraps to an index that no chunk has.
    chunk.get(address.wrapping_sub(chunk.as_ptr().addr()) / size_of::<Slot>())
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    FIRST.iter().chain(FURTHER.iter().map_while(|chunk| chunk.get()).flatten())
}

fn vacant() -> Option<&'static Slot> {
    let vacant = VACANT.get();
    let mut vacant = lock(&vacant);
    vacant.0.pop().or_else(|| {
        let used = USED.load(Ordering::Relaxed);
        let slot = slots().nth(used).or_else(|| {
            grow();
            slots().nth(used)
        })?;
        USED.store(used + 1, Ordering::Relaxed);
        Some(slot)
    })
}

/// Makes another chunk, unless the maximum is reached.
fn grow() {
    if let Some((nth, chunk)) = FURTHER.iter().enumerate().find(|(_, chunk)| chunk.get().is_none()) {
        chunk.get_or_init(|| Box::new((0..CHUNK << nth).map(|_| Slot::new()).collect()));
    }
}

fn closed() -> Error {
    Error::new(Status::Closed, "this handle was freed, or never made by dl_auth_new")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// There is one table in the process: these tests count its slots and use the addresses around them.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn auth(place: Place) -> Result<Auth, Error> {
        let mut config = Config::new();
        for (key, value) in [("username", "u"), ("password", "p"), ("tls_roots", "bundled"), ("proxy", "none")] {
            config.set(key, value).unwrap();
        }
        Auth::placed(&config, Some(place))
    }

    fn is_open(handle: *const dl_auth_t) -> bool {
        match with(handle, |_| Ok(())) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.status(), Status::Closed);
                false
            }
        }
    }

    #[test]
    fn no_two_handles_are_ever_equal_and_a_freed_one_stays_freed() {
        let _alone = lock(&ONE_AT_A_TIME);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..3 * TENANTS {
            let handle = open(auth).unwrap();
            assert!(seen.insert(handle.addr()));
            assert!(is_open(handle));
            close(handle);
            assert!(!is_open(handle));
            close(handle);
        }
        assert!(seen.iter().all(|address| !is_open(ptr::without_provenance(*address))));
    }

    #[test]
    fn a_handle_is_found_in_the_first_chunks() {
        let _alone = lock(&ONE_AT_A_TIME);
        let handles: Vec<_> = (0..2 * CHUNK + 1).map(|_| open(auth).unwrap()).collect();
        assert!(FURTHER.iter().take(2).all(|chunk| chunk.get().is_some()));
        let mut seen = std::collections::HashSet::new();
        for handle in &handles {
            let its_own = seqlock(*handle).is_some_and(|seqlock| seqlock.is_of(handle.addr()));
            assert!(is_open(*handle) && its_own && seen.insert(handle.addr()));
        }
        handles.iter().for_each(|handle| close(*handle));
        assert!(!handles.iter().any(|handle| is_open(*handle)));
    }

    #[test]
    fn an_address_outside_the_table_is_closed() {
        let _alone = lock(&ONE_AT_A_TIME);
        let handle = open(auth).unwrap();
        let local = 0u8;
        for made_up in [ptr::from_ref(&local).cast(), ptr::without_provenance(1), ptr::without_provenance(usize::MAX)] {
            assert!(!is_open(made_up));
            close(made_up);
        }
        for offset in 1..4096 {
            assert!(!is_open(handle.wrapping_byte_add(offset)), "an address next to the handle");
        }
        assert!(is_open(handle));
        close(handle);
    }

    #[test]
    fn a_handle_is_read_while_another_thread_holds_the_table_s_lock() {
        let _alone = lock(&ONE_AT_A_TIME);
        let handle = open(auth).unwrap();
        let vacant = VACANT.get();
        let held = lock(&vacant);
        let (told, tells) = std::sync::mpsc::channel();
        let address = handle.addr();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let handle = ptr::without_provenance(address);
                told.send((is_open(handle), seqlock(handle).is_some_and(|seqlock| seqlock.is_of(address))))
            });
            // If the read took the lock, it would hang. The limit of one minute ends the test.
            assert_eq!(tells.recv_timeout(std::time::Duration::from_secs(60)), Ok((true, true)));
            drop(held);
        });
        close(handle);
    }

    #[test]
    fn if_many_threads_free_one_handle_only_one_free_has_an_effect() {
        let _alone = lock(&ONE_AT_A_TIME);
        for _ in 0..50 {
            let handle = open(auth).unwrap().addr();
            let freed = lock(&VACANT.get()).0.len();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| close(ptr::without_provenance(handle)));
                }
            });
            assert!(lock(&VACANT.get()).0.len() <= freed + 1, "the slot is in the list once, or is no longer used");
        }
    }
}
