//! Another Rust archive in the same program. It also has a Rust runtime.

#[unsafe(no_mangle)]
pub extern "C" fn other_catches_a_panic() -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| std::thread::spawn(|| panic!("other")).join().unwrap());
    i32::from(caught.is_err())
}
