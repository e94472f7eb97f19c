//! Which files are read, and how.

use super::*;
use std::path::PathBuf;

fn scratch(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("dl_auth-file-{}-{name}", std::process::id()));
    std::fs::remove_dir_all(&directory).ok();
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn a_file_up_to_the_limit_is_read_into_one_buffer_of_its_size() {
    let directory = scratch("limit");
    let file = directory.join("file");
    for length in [0, 1, 24, 4096, 10_000] {
        std::fs::write(&file, vec![b'x'; length]).unwrap();
        let bytes = read(&file, length as u64).unwrap();
        assert_eq!((bytes.len(), bytes.capacity()), (length, length + 1));
        assert!(length == 0 || matches!(read(&file, length as u64 - 1), Err(Fault::TooLarge)));
    }
    std::fs::remove_dir_all(directory).unwrap();
}

/// The length of a file in `/proc` is 0, like that of an empty file that grows after it was opened.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_holds_more_than_its_length_says_is_read_up_to_the_limit() {
    let wanted = std::fs::read("/proc/cpuinfo").unwrap();
    assert!(read("/proc/cpuinfo".as_ref(), 1 << 20).is_ok_and(|bytes| bytes.len() * 2 > wanted.len()));
    assert!(matches!(read("/proc/cpuinfo".as_ref(), 10), Err(Fault::TooLarge)));
    let file = scratch("grows").join("file");
    for (grown, max, whole) in [(9000, 1 << 20, true), (9000, 8999, false)] {
        std::fs::write(&file, "x").unwrap();
        let opened = Regular::open(&file).unwrap();
        std::fs::write(&file, vec![b'x'; grown]).unwrap();
        assert_eq!(opened.read(max).ok().map(|bytes| bytes.len()), whole.then_some(grown));
    }
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[cfg(unix)]
pub fn fifo(path: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name is a NUL-terminated string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
}

#[cfg(unix)]
#[test]
fn anything_except_a_regular_file_is_refused_without_waiting() {
    let directory = scratch("kinds");
    fifo(&directory.join("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(directory.join("socket")).unwrap();
    std::os::unix::fs::symlink("fifo", directory.join("link")).unwrap();
    for name in ["fifo", "socket", "link", ".", "/dev/null", "/dev/zero"] {
        assert!(matches!(read(&directory.join(name), 10), Err(Fault::NotRegular)), "{name}");
    }
    assert!(matches!(read(&directory.join("nothing"), 10), Err(Fault::Unknown(_))));
    assert!(matches!(read(&directory.join("socket/name"), 10), Err(Fault::Unknown(_))));
    std::fs::remove_dir_all(directory).unwrap();
}

/// The result of making a handle with this option. No environment is read.
#[cfg(target_os = "linux")]
fn made(key: &str, path: &Path) -> Result<crate::Auth, crate::Error> {
    let mut config = crate::Config::new();
    config.set_environ([]).unwrap();
    let password = if key == "password_file" { &[][..] } else { &[("password", "canary")] };
    for (key, value) in [("username", "canary"), ("proxy", "none"), ("tls_roots", "bundled")].iter().chain(password) {
        config.set(key, value).unwrap();
    }
    config.set(key, path.to_str().unwrap()).unwrap();
    crate::Auth::new(&config)
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_refused_immediately_by_an_option_that_names_a_file() {
    let pipe = scratch("option").join("fifo");
    fifo(&pipe);
    for key in ["password_file", "ca_file"] {
        let error = made(key, &pipe).err().unwrap();
        assert!(error.message().contains("not a regular file") && error.message().contains(key), "{error}");
    }
    std::fs::remove_dir_all(pipe.parent().unwrap()).unwrap();
}

/// One name is alternately the name of a file and of a pipe. A call that waits for the pipe hangs. The test has a
/// maximum number of handles.
#[cfg(target_os = "linux")]
#[test]
fn no_call_waits_for_a_pipe_that_replaces_a_file() {
    use std::os::unix::ffi::OsStrExt;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    let directory = scratch("swap");
    let names = ["file", "fifo"].map(|name| directory.join(name));
    std::fs::write(&names[0], "canary").unwrap();
    fifo(&names[1]);
    let paths = names.each_ref().map(|name| std::ffi::CString::new(name.as_os_str().as_bytes()).unwrap());
    let over = Arc::new(AtomicBool::new(false));
    let (told, tells) = mpsc::channel();
    let (ends, name) = (over.clone(), names[0].clone());
    let swaps = std::thread::spawn(move || {
        let [one, other] = paths.each_ref().map(|path| path.as_ptr());
        while !ends.load(Ordering::Relaxed) {
            // SAFETY: both names are NUL-terminated strings.
            let swapped = unsafe { libc::renameat2(libc::AT_FDCWD, one, libc::AT_FDCWD, other, libc::RENAME_EXCHANGE) };
            assert_eq!(swapped, 0, "{}", io::Error::last_os_error());
        }
    });
    std::thread::spawn(move || {
        let mut kinds = [0, 0];
        // Continues until both types were found so often that a check of the name before the open would have failed.
        while kinds[0] < 1000 || kinds[1] < 1000 {
            let refused = made("password_file", &name).err();
            let pipe = |error: crate::Error| assert!(error.message().contains("not a regular file"), "{error}");
            kinds[usize::from(refused.map(pipe).is_some())] += 1;
        }
        told.send(()).unwrap();
    });
    // The limit only detects a hang: a call that waits for the pipe never returns.
    tells.recv_timeout(dl_auth_gate::patience(600)).unwrap();
    over.store(true, Ordering::Relaxed);
    swaps.join().unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

/// Uses a child process, because the descriptors 0 to 2 belong to the whole process.
#[cfg(target_os = "linux")]
#[test]
fn the_descriptor_is_above_2_and_closed_on_exec_even_if_0_to_2_are_closed() {
    use std::os::fd::AsRawFd;
    let file = scratch("descriptor").join("file");
    std::fs::write(&file, "canary").unwrap();
    crate::process::watch_forks(); // so that the child does not take a lock of another test
    // SAFETY: the child opens a file and ends with `_exit`. It takes only locks of its epoch of the process, and those
    // of the allocator, which stay usable after fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: closes descriptors of the child, and reads the flags of an open descriptor.
        unsafe {
            for descriptor in 0..3 {
                libc::close(descriptor);
            }
            let open = Regular::open(&file).map_or(-1, |regular| {
                let descriptor = regular.file.as_raw_fd();
                if libc::fcntl(descriptor, libc::F_GETFD) & libc::FD_CLOEXEC == 0 { -2 } else { descriptor }
            });
            let free = (0..3).all(|descriptor| libc::fcntl(descriptor, libc::F_GETFD) == -1);
            libc::_exit(if open > 2 && free { 0 } else { 1 });
        }
    }
    let mut status = 0;
    // SAFETY: waits for the child. `status` is a live local variable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}
