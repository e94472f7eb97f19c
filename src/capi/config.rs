//! The configuration as the host holds it.

use std::ffi::c_char;
use std::ptr;

use super::error::{dl_auth_error_t, dl_auth_status_t};
use super::guard::{guard, guard_or};
use super::text::{null, read, read_array};
use crate::config::{self, Config};
use crate::error::{Error, Status};
use crate::options::OPTIONS;

/// Options by name. Made by dl_auth_config_new, used by one thread at a time, given to any number of dl_auth_new, and
/// freed by dl_auth_config_free, at once if you like: dl_auth_new keeps a copy.
pub struct dl_auth_config_t(pub(super) Config);

/// An empty configuration: what is not set comes from the environment (DL_AUTH_ and the key in capitals), else from the
/// defaults. Never NULL unless there is a bug in the library. Free it with dl_auth_config_free.
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_config_new() -> *mut dl_auth_config_t {
    guard_or(ptr::null_mut(), || Ok(Box::into_raw(Box::new(dl_auth_config_t(Config::new())))))
}

/// Sets an option: `key` is one of those that dl_auth_config_key tells, `value` is text in the form that the README's
/// table gives. Both are copied. A value set again replaces the first; one that is refused changes nothing.
///
/// A value that can be judged alone is judged here. What must be judged together or needs a file (`url`, `token`,
/// `ca_file`, `password_file`) is judged by dl_auth_new.
///
/// DL_AUTH_E_UNKNOWN_KEY, DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
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

/// Sets the environment of this configuration. `variables` is an array of "NAME=VALUE" strings that ends with NULL, such
/// as a copy of `environ`. Handles that are made with this configuration use it instead of the process's environment, for
/// all that dl_auth_new reads there: DL_AUTH_*, HTTPS_PROXY and NO_PROXY (also in lower case), SSL_CERT_FILE and
/// SSL_CERT_DIR. dl_auth_new then does not read the process's environment, so another thread may change that at the same
/// time. An array that holds only NULL means: no variables. The array is copied, and replaces that of an earlier call. The
/// first of two entries with the same name counts, as with getenv.
///
/// In a program that has more rights than the user that started it, do not give it the environment of the process: that
/// is under the user's control.
///
/// If an entry has no `=`, the call fails with DL_AUTH_E_INVALID_VALUE and changes nothing. If a variable that is used is
/// not UTF-8, dl_auth_new fails. (On Unix, this does not apply to SSL_CERT_FILE and SSL_CERT_DIR.)
///
/// DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NULL_ARGUMENT.
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

/// Frees a configuration, wiping what it holds. NULL does nothing. Handles made with it live on.
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

/// The name of the index-th option, counted from 0; NULL past the last. The string is static: do not free it.
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_config_key(index: usize) -> *const c_char {
    OPTIONS.get(index).map_or(ptr::null(), |option| option.c_name.as_ptr())
}
