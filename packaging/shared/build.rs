//! Sets the soname and the flags of the shared library.

use std::env::var;

fn main() {
    // The system's linker would put glibc's objects into a library for musl: it links, but does not load.
    let is_musl = |variable| var(variable).is_ok_and(|name: String| name.contains("musl"));
    if is_musl("TARGET") && !is_musl("HOST") && var("RUSTC_LINKER").is_err() {
        println!(
            "cargo::error=this system's linker is not for musl; run: packaging/build.sh x86_64-unknown-linux-musl"
        );
    }
    let system = var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system == "macos" {
        // A program finds the library by its own rpath. The default name is the path of this build.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libdl_auth.dylib");
    }
    if system == "linux" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdl_auth.so.0");
        // A thread of the program can end after dlclose. Then it runs the destructors of Rust's thread-local values, so
        // their code must stay mapped.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
