//! The configuration of a caller.

use std::ffi::c_char;
use std::ptr;

use super::error::{dl_auth_error_t, dl_auth_status_t};
use super::guard::{guard, guard_or};
use super::text::{null, read, read_array};
use crate::config::{self, Config};
use crate::error::{Error, Status};
use crate::options::OPTIONS;

/// Options by name. dl_auth_config_new creates it, and dl_auth_config_free frees it. Any number of dl_auth_new calls
/// can use it. Each of them makes a copy, so you can free it immediately after them. It is for one thread at a time.
pub struct dl_auth_config_t(pub(super) Config);

/// Creates an empty configuration.
///
/// An option that is not set comes from the environment: from the variable DL_AUTH_ and the key in capitals, such as
/// DL_AUTH_USERNAME. Otherwise it has its default.
///
/// ```c
/// dl_auth_t *log_in(const char *username, const char *password,
///                   dl_auth_error_t *error) {
///   dl_auth_config_t *config = dl_auth_config_new();
///   dl_auth_t *auth = NULL;
///   if (dl_auth_config_set(config, "username", username, error) ||
///       dl_auth_config_set(config, "password", password, error) ||
///       dl_auth_new(config, &auth, error)) {
///     // `error` has the reason.
///   }
///   dl_auth_config_free(config);
///   return auth;
/// }
/// ```
///
/// @return The configuration. NULL only if there is a bug in the library.
///
/// Ownership: you must free the configuration with dl_auth_config_free.
///
/// Threads: thread-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_config_new() -> *mut dl_auth_config_t {
    guard_or(ptr::null_mut(), || Ok(Box::into_raw(Box::new(dl_auth_config_t(Config::new())))))
}

/// Sets an option.
///
/// The call checks what can be checked for one value. dl_auth_new checks what needs a file or other options: `url`,
/// `token`, `ca_file`, `password_file`, and the options that exclude each other. A second value replaces the first one.
/// A call that fails changes nothing.
///
/// @param config The configuration.
/// @param key The name of an option: one of those that dl_auth_config_key returns.
/// @param value The value as text. The table of options says what is valid.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: the option is set.
/// - DL_AUTH_E_UNKNOWN_KEY: there is no option `key`. The message names the nearest one.
/// - DL_AUTH_E_INVALID_VALUE: `value` is not valid for this option. The message says what is valid.
/// - DL_AUTH_E_NULL_ARGUMENT: `config`, `key` or `value` is NULL.
/// - DL_AUTH_E_NOT_UTF8: `key` or `value` is not UTF-8.
///
/// Ownership: both strings are copied.
///
/// Threads: one thread at a time for each configuration.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_config_set(
    config: *mut dl_auth_config_t,
    key: *const c_char,
    value: *const c_char,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what `guard`, `read` and the reference need: live strings and structs, a
    // configuration that dl_auth_config_new made, and no other thread that uses it now.
    unsafe {
        guard(error, || {
            let config = config.as_mut().ok_or_else(|| null("config"))?;
            let key = read("key", key)?;
            let whose = config::find(key).map_or_else(|_| String::new(), |key| format!("` of `{}", key.name));
            config.0.set(key, read(&format!("value{whose}"), value)?)
        })
    }
}

/// Sets the environment of a configuration.
///
/// Handles that are created with this configuration use it instead of the environment of the process, for all variables
/// that dl_auth_new reads: DL_AUTH_*, HTTPS_PROXY and NO_PROXY (also in lower case), SSL_CERT_FILE and SSL_CERT_DIR.
/// dl_auth_new then does not read the environment of the process, so another thread can change that at the same time. A
/// second call replaces the environment of the first one. A call that fails changes nothing. The first of two entries
/// with the same name counts, as with getenv.
///
/// If a variable that is used is not UTF-8, dl_auth_new returns DL_AUTH_E_INVALID_VALUE; on Unix, SSL_CERT_FILE and
/// SSL_CERT_DIR do not need to be UTF-8. On Windows, this call returns that status.
///
/// In a program that has more rights than the user that started it, do not pass the environment of the process: that
/// user controls it.
///
/// @param config The configuration.
/// @param variables An array of "NAME=VALUE" strings that ends with NULL, such as a copy of `environ`. An array that
/// holds only NULL means: no variables.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: the environment is set.
/// - DL_AUTH_E_INVALID_VALUE: an entry has no `=`. On Windows also: a variable that the library reads is not UTF-8.
/// - DL_AUTH_E_NULL_ARGUMENT: `config` or `variables` is NULL.
///
/// Ownership: the array and its strings are copied.
///
/// Threads: one thread at a time for each configuration.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_config_set_environ(
    config: *mut dl_auth_config_t,
    variables: *const *const c_char,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what `guard`, `read_array` and the reference need: live strings and structs, a
    // configuration that dl_auth_config_new made, and no other thread that uses it now.
    unsafe {
        guard(error, || {
            let config = config.as_mut().ok_or_else(|| null("config"))?;
            if variables.is_null() {
                let message = "`variables` is NULL; for no variables, give an array that holds only NULL";
                return Err(Error::new(Status::NullArgument, message));
            }
            config.0.set_environ(read_array(variables))
        })
    }
}

/// Wipes and frees a configuration.
///
/// @param config The configuration. NULL does nothing.
///
/// Ownership: the configuration is no longer yours. You must not use it or free it again. Handles that were created
/// with it stay usable.
///
/// Threads: one thread at a time for each configuration.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_config_free(config: *mut dl_auth_config_t) {
    guard_or((), || {
        if !config.is_null() {
            // SAFETY: not NULL, so it came from `Box::into_raw` in dl_auth_config_new, and the header allows one free.
            drop(unsafe { Box::from_raw(config) });
        }
        Ok(())
    });
}

/// Returns the name of an option. With it, a program can list all options.
///
/// @param index The number of the option, counted from 0.
///
/// @return The name. NULL if `index` is past the last option.
///
/// Ownership: the string is static: you must not free it.
///
/// Threads: thread-safe and async-signal-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_config_key(index: usize) -> *const c_char {
    OPTIONS.get(index).map_or(ptr::null(), |option| option.c_name.as_ptr())
}
