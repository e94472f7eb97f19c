//! Gives the shared library its name and its manners.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdl_auth.so.0");
        // A thread of the host may end after dlclose with Rust's thread-local destructors still to run: the code must
        // stay mapped.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
