//! Sets the soname and the flags of the shared library.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdl_auth.so.0");
        // A thread of the program can end after dlclose. Then it runs the destructors of Rust's thread-local values, so
        // their code must stay mapped.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
