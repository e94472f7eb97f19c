//! Criterion's benchmarks of the read path, for changes to it: `make bench-reads` reports the differences to the last
//! run.
//!
//! The benchmarks read a ready token: no gate, no network. The library is linked as a crate, and called through
//! pointers that the compiler cannot optimise, as a host calls it. docs/benchmarks.md has the comparison with other
//! implementations.

use std::error::Error;
use std::ffi::{CString, c_char, c_void};
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use criterion::Criterion;
use dl_auth::{Auth, Config};

/// Valid until the year 2100. The signature, which the library does not check, fills the token up.
const HEAD: &str = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.";
const TOKEN_BYTES: usize = 900;
/// Equal to `DL_AUTH_BEARER_MAX`.
const BUFFER: usize = 8199;

type Read = unsafe extern "C" fn(*const c_void, *mut c_char, usize, *mut usize, *mut c_void) -> i32;
type ReadWithin = unsafe extern "C" fn(*const c_void, u64, u64, *mut c_char, usize, *mut usize, *mut c_void) -> i32;

// The functions of include/dl_auth.h. The structs are opaque here, and `error` is always NULL.
unsafe extern "C" {
    fn dl_auth_config_new() -> *mut c_void;
    fn dl_auth_config_set(config: *mut c_void, key: *const c_char, value: *const c_char, error: *mut c_void) -> i32;
    fn dl_auth_config_free(config: *mut c_void);
    fn dl_auth_new(config: *const c_void, auth: *mut *mut c_void, error: *mut c_void) -> i32;
    fn dl_auth_token(auth: *const c_void, buf: *mut c_char, cap: usize, len: *mut usize, error: *mut c_void) -> i32;
    fn dl_auth_bearer(auth: *const c_void, buf: *mut c_char, cap: usize, len: *mut usize, error: *mut c_void) -> i32;
    fn dl_auth_token_within(
        auth: *const c_void,
        min_valid_ms: u64,
        wait_ms: u64,
        buf: *mut c_char,
        cap: usize,
        len: *mut usize,
        error: *mut c_void,
    ) -> i32;
    fn dl_auth_generation(auth: *const c_void) -> u64;
    fn dl_auth_free(auth: *mut c_void);
}

/// A handle with the ready token.
fn open(token: &str) -> Result<*mut c_void, Box<dyn Error>> {
    let (token, mut auth) = (CString::new(token)?, null_mut());
    // SAFETY: the strings and `auth` are live, and the configuration is used between its creation and its end.
    let status = unsafe {
        let config = dl_auth_config_new();
        let set = dl_auth_config_set(config, c"token".as_ptr(), token.as_ptr(), null_mut());
        let status = if set == 0 { dl_auth_new(config, &mut auth, null_mut()) } else { set };
        dl_auth_config_free(config);
        status
    };
    if status == 0 { Ok(auth) } else { Err(format!("cannot make a handle: status {status}").into()) }
}

/// The data that the floor reads.
struct Held {
    expires: libc::time_t,
    token: String,
}

/// The floor, as in peers/read.c: the minimum work of a library that is called, reads a clock, and copies.
#[inline(never)]
fn floor(held: &AtomicPtr<Held>, buf: &mut [u8]) -> i32 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it points to data that is live until the end of `main`.
    let held = unsafe { &*held.load(Ordering::Acquire) };
    // SAFETY: `now` is live, and has the type that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    let (token, room) = (held.token.as_bytes(), buf.get_mut(..held.token.len() + 1));
    match room.and_then(<[u8]>::split_last_mut) {
        Some((end, room)) if now.tv_sec < held.expires => {
            room.copy_from_slice(token);
            *end = 0;
            0
        }
        _ => 1,
    }
}

/// Checks once that a read returns `wanted`, and measures the read.
fn bench(criterion: &mut Criterion, name: &str, wanted: &str, mut read: impl FnMut(&mut [u8]) -> i32) {
    let mut buf = [0; BUFFER];
    assert_eq!(read(&mut buf), 0, "{name}");
    assert!(buf.starts_with(wanted.as_bytes()), "{name} returns another token");
    criterion.bench_function(name, |bencher| bencher.iter(|| read(black_box(&mut buf))));
}

/// Does the same as `bench` for a function that is called through a pointer.
fn bench_c(criterion: &mut Criterion, name: &str, wanted: &str, auth: *const c_void, read: Read) {
    let read = black_box(read);
    bench(criterion, name, wanted, |buf| {
        // SAFETY: the handle is live, `buf` has the given length, and the outputs may be NULL.
        unsafe { read(auth, buf.as_mut_ptr().cast(), buf.len(), null_mut(), null_mut()) }
    });
}

fn main() -> Result<(), Box<dyn Error>> {
    let criterion = &mut Criterion::default().configure_from_args();
    let token = format!("{HEAD}{}", "A".repeat(TOKEN_BYTES - HEAD.len()));
    let (text, bearer) = (format!("{token}\0"), format!("Bearer {token}\0"));

    let mut held = Held { expires: libc::time_t::MAX, token: token.clone() };
    let held = AtomicPtr::new(&raw mut held);
    bench(criterion, "the floor", &text, |buf| floor(black_box(&held), buf));

    let auth = open(&token)?;
    bench_c(criterion, "dl_auth_token", &text, auth, dl_auth_token);
    bench_c(criterion, "dl_auth_bearer", &bearer, auth, dl_auth_bearer);
    let within: ReadWithin = black_box(dl_auth_token_within);
    bench(criterion, "dl_auth_token_within(0, 0)", &text, |buf| {
        // SAFETY: as in `bench_c`.
        unsafe { within(auth, 0, 0, buf.as_mut_ptr().cast(), buf.len(), null_mut(), null_mut()) }
    });
    let generation: unsafe extern "C" fn(*const c_void) -> u64 = black_box(dl_auth_generation);
    // SAFETY: the handle is live, here and below.
    assert_eq!(unsafe { generation(auth) }, 1, "a ready token is the first generation and is not replaced");
    // SAFETY: as above.
    criterion.bench_function("dl_auth_generation", |bencher| bencher.iter(|| unsafe { generation(black_box(auth)) }));
    // SAFETY: the handle is not used any longer.
    unsafe { dl_auth_free(auth) };

    let mut config = Config::new();
    config.set("token", &token)?;
    let auth = Auth::new(&config)?;
    bench(criterion, "Auth::token, and a copy", &token, |buf| {
        let copied = auth.token(|token| {
            let text = token.jwt().text().as_bytes();
            buf.get_mut(..text.len()).map(|room| room.copy_from_slice(text))
        });
        if matches!(copied, Ok(Some(()))) { 0 } else { 1 }
    });
    criterion.final_summary();
    Ok(())
}
