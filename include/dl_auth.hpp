// dl_auth for C++17: a handle that frees itself, tokens as std::string, failures as exceptions.
//
//   dl::auth auth;                      // the environment configures it
//   std::string token = auth.token();   // before each request: a copy of the valid token
//
// Each call has two forms. `try_token` and the other functions with try_ throw
// no exception and allocate no memory, except those whose comment says so. They
// write into your memory, return a dl_auth_status_t, and describe a failure in a
// dl::failure if you pass one. `token` and the other functions without try_
// return their result, or throw dl::error. In a build with -fno-exceptions,
// only the first form exists. You can link both kinds of object files together,
// because all layouts are the same.
//
// dl_auth.h is the manual of the library: what each call does, how long it
// blocks, and the condition of each status. Any number of threads can use or
// close a dl::auth at the same time. Moving and destroying it is for one thread
// alone.
#ifndef DL_AUTH_HPP
#define DL_AUTH_HPP

#include "dl_auth.h"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define DL_AUTH_EXCEPTIONS
#include <stdexcept>
#endif

#if __has_include(<dlfcn.h>)
#include <dlfcn.h> // before glibc 2.34, dladdr needs -ldl
#endif

namespace dl {

/** Overwrites a secret. The compiler cannot remove this. */
inline void wipe(char *bytes, std::size_t count) noexcept {
#ifdef __GNUC__
  std::memset(bytes, 0, count);
  __asm__ volatile("" : : "r"(bytes) : "memory"); // the compiler must assume that it is read here
#else
  for (volatile char *at = bytes; count > 0; count--) *at++ = 0;
#endif
}

/**
 * A string that is used during a call, in UTF-8: a `const char *`, a
 * std::string or a std::string_view. Only a std::string_view is copied, because
 * the library needs a NUL at the end. This can throw std::bad_alloc before the
 * call. The copy is wiped. A NUL inside gives DL_AUTH_E_INVALID_VALUE.
 */
class text {
 public:
  text(const char *string) noexcept : string_(string) {}
  text(int) = delete; // 0 would be NULL
  text(const std::string &string) noexcept : string_(string.c_str()), size_(string.size()) {}
  text(std::string &&string) noexcept : copy_(std::move(string)), string_(copy_.c_str()), size_(copy_.size()) {}
  text(std::string_view string) : copy_(string), string_(copy_.c_str()), size_(copy_.size()) {}
  ~text() { wipe(copy_.data(), copy_.size()); }
  text(const text &) = delete;
  text &operator=(const text &) = delete;

  /** NULL if it was made of NULL. */
  const char *c_str() const noexcept { return string_; }
  /** Whether there is a NUL before its end. */
  bool holds_nul() const noexcept { return size_ && std::strlen(string_) != size_; }

 private:
  std::string copy_;
  const char *string_;
  std::size_t size_ = 0; // 0 for a `const char *`, which ends at its NUL
};

/** An option, such as {dl::key::username, "bot@example.com"}. */
struct option {
  text key, value;
};

/**
 * Your memory, into which the library writes: a char array, or {pointer, size}.
 * DL_AUTH_TOKEN_MAX bytes fit each token and its claims, DL_AUTH_BEARER_MAX
 * bytes each bearer. With fewer, a call can fail with
 * DL_AUTH_E_BUFFER_TOO_SMALL.
 */
struct buffer {
  char *data;
  std::size_t size;

  buffer(char *bytes, std::size_t count) noexcept : data(bytes), size(count) {}
  template <std::size_t N>
  buffer(char (&bytes)[N]) noexcept : data(bytes), size(N) {}
};

/**
 * Any std::chrono::duration, in whole milliseconds, rounded up. 0 if it is
 * negative. Without limit if it is 1e18 ms or more.
 */
struct duration {
  std::uint64_t milliseconds = 0;

  template <typename Rep, typename Period>
  duration(std::chrono::duration<Rep, Period> time) noexcept {
    const double exact = std::chrono::duration<double, std::milli>(time).count();
    if (exact > 0) milliseconds = exact < 1e18 ? static_cast<std::uint64_t>(std::ceil(exact)) : UINT64_MAX;
  }
};

/**
 * Whole Unix seconds: std::chrono::sys_seconds of C++20. A system_clock that
 * counts nanoseconds cannot represent each `exp`. So compare it with
 * `std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())`.
 */
using sys_seconds = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

/**
 * Why a call failed, in your memory. A successful call does not change it. It
 * never contains a secret.
 */
class failure {
 public:
  failure() noexcept { // not 511 more zeros: with them, a cached read takes a third longer
    raw_.size = sizeof raw_, raw_.status = 0, raw_.http_status = raw_.reserved = 0, raw_.retry_after_ms = 0;
    raw_.message[0] = 0;
  }
  failure(const failure &other) noexcept { *this = other; }
  failure &operator=(const failure &other) noexcept { return std::memmove(&raw_, &other.raw_, sizeof raw_), *this; }

  /** What the call returned: DL_AUTH_E_*. */
  dl_auth_status_t status() const noexcept { return raw_.status; }
  /** The HTTP status of the answer that caused it. 0: there was no answer. */
  std::uint32_t http_status() const noexcept { return raw_.http_status; }
  /** When the next refresh can start. 0: the next call can start it. */
  std::chrono::milliseconds retry_after() const noexcept {
    return std::chrono::milliseconds(static_cast<std::int64_t>(raw_.retry_after_ms));
  }
  /**
   * What happened, with what, and what to do: a line of UTF-8. Not empty after
   * a failure.
   */
  const char *message() const noexcept { return raw_.message; }
  /** The C struct of this failure, to pass to a function of dl_auth.h. */
  dl_auth_error_t &raw() noexcept { return raw_; }

 private:
  dl_auth_error_t raw_;
};

#ifdef DL_AUTH_EXCEPTIONS
/**
 * The exception of each function without try_: a failure, and what() is its
 * message.
 */
class error : public std::runtime_error, public failure {
 public:
  explicit error(const failure &why) : std::runtime_error(why.message()), failure(why) {}
};
#endif

namespace detail {
/** Describes a failure that this header has found. */
inline dl_auth_status_t refuse(failure *why, dl_auth_status_t status, const char *what, const char *is,
                               const char *more = "") noexcept {
  if (!why) return status;
  *why = failure();
  std::snprintf(why->raw().message, sizeof why->raw().message, "%s %s%s", what, is, more);
  return why->raw().status = status;
}

inline dl_auth_status_t refuse_nul(failure *why, const char *what) noexcept {
  return refuse(why, DL_AUTH_E_INVALID_VALUE, what, "contains a NUL: the library would read only the text before it");
}

/**
 * Calls the library. Each failure gets a message, and a string with a NUL
 * inside is an error.
 */
template <typename Call, typename... Text>
dl_auth_status_t call(failure *why, Call c, const Text &...strings) noexcept {
  if ((strings.holds_nul() || ...)) return refuse_nul(why, "a string");
  if (!why) return c(static_cast<dl_auth_error_t *>(nullptr));
  dl_auth_error_t &raw = why->raw();
  raw.size = sizeof raw;
  const dl_auth_status_t status = c(&raw);
  if (status != DL_AUTH_OK && !raw.message[0]) {
    std::snprintf(raw.message, sizeof raw.message, "%s (%d)", dl_auth_status_name(status), status);
  }
  return status;
}

/** Calls a function that writes text. */
template <typename Call, typename... Text>
dl_auth_status_t read(buffer into, std::string_view &out, failure *why, Call c, const Text &...strings) noexcept {
  std::size_t length = 0;
  const auto status = call(why, [&](auto *error) { return c(into.data, into.size, &length, error); }, strings...);
  out = std::string_view(into.data, status == DL_AUTH_OK ? length : 0);
  return status;
}

/**
 * A container, a view, or an array of strings. Not a pointer and not an array
 * of pointers: these are for the C API.
 */
template <typename Range>
using if_range = std::enable_if_t<std::is_class_v<std::remove_extent_t<std::remove_reference_t<Range>>>>;

/** Whether the library has all that dl_auth.h declares. */
inline dl_auth_status_t check_library(failure *why) noexcept {
  const unsigned abi = dl_auth_abi_version(), needed = DL_AUTH_ABI_VERSION;
  if (abi >= needed) return DL_AUTH_OK;
  const char *path = "an unknown path";
#if __has_include(<dlfcn.h>)
  Dl_info object; // of the library's data, because a function's address can be in the program's jump table
  if (dladdr(dl_auth_version(), &object) && object.dli_fname) path = object.dli_fname;
#endif
  char is[200];
  std::snprintf(is, sizeof is, "%s is too old: its ABI is %u, and this program needs %u; it was loaded from ",
                dl_auth_version(), abi, needed);
  return refuse(why, DL_AUTH_E_UNSUPPORTED, "libdl_auth", is, path);
}

#ifdef DL_AUTH_EXCEPTIONS
template <typename Try>
void must(Try attempt) {
  failure why;
  if (attempt(&why) != DL_AUTH_OK) throw error(why);
}

template <typename Try>
std::string_view view(Try attempt) {
  std::string_view out;
  return must([&](failure *why) { return attempt(out, why); }), out;
}

template <typename Try>
std::string string(Try attempt) {
  struct wiped {
    char bytes[DL_AUTH_BEARER_MAX];
    std::string_view used;
    ~wiped() { wipe(bytes, used.size()); }
  } memory;
  must([&](failure *why) { return attempt(memory.bytes, memory.used, why); });
  return std::string(memory.used);
}
#endif
} // namespace detail

/**
 * Options by name, for any number of handles. It is for one thread at a time.
 * After a move from it, it is empty.
 */
class config {
 public:
  config() noexcept : handle_(dl_auth_config_new()) {}
  config(config &&other) noexcept : config() { std::swap(handle_, other.handle_); }
  config &operator=(config &&other) noexcept {
    config taken(std::move(other)); // `other` is empty now
    return std::swap(handle_, taken.handle_), *this;
  }
  ~config() { dl_auth_config_free(handle_); } // wipes what it holds

  /** Sets an option. DL_AUTH_E_UNKNOWN_KEY, DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NOT_UTF8. */
  dl_auth_status_t try_set(const text &key, const text &value, failure *why = nullptr) noexcept {
    if (const dl_auth_status_t status = detail::check_library(why)) return status; // an old library has fewer options
    if (value.holds_nul() && key.c_str()) return detail::refuse_nul(why, key.c_str());
    return detail::call(why, [&](auto *e) { return dl_auth_config_set(handle_, key.c_str(), value.c_str(), e); }, key);
  }
  /**
   * Sets the environment that is used instead of that of the process:
   * "NAME=VALUE" strings with NULL at the end, such as `environ`. They are
   * copied. DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NULL_ARGUMENT.
   */
  dl_auth_status_t try_set_environ(const char *const *variables, failure *why = nullptr) noexcept {
    if (const dl_auth_status_t status = detail::check_library(why)) return status;
    return detail::call(why, [&](auto *error) { return dl_auth_config_set_environ(handle_, variables, error); });
  }
  /**
   * Sets the environment from a list, such as
   * {"DL_AUTH_USERNAME=bot@example.com"}. An empty list means no variables. It
   * allocates memory, which can throw std::bad_alloc.
   */
  dl_auth_status_t try_set_environ(std::initializer_list<text> variables, failure *why = nullptr) {
    return hand_over(variables, why);
  }
  /**
   * Sets the environment from a range of strings, such as a
   * std::vector<std::string>. It allocates memory, which can throw
   * std::bad_alloc.
   */
  template <typename Range, typename = detail::if_range<Range>>
  dl_auth_status_t try_set_environ(Range &&variables, failure *why = nullptr) {
    std::list<text> texts;
    for (auto &&each : variables) texts.emplace_back(std::forward<decltype(each)>(each));
    return hand_over(texts, why);
  }
#ifdef DL_AUTH_EXCEPTIONS
  /** Returns this configuration, so that calls can be chained. */
  config &set(const text &key, const text &value) {
    return detail::must([&](failure *why) { return try_set(key, value, why); }), *this;
  }
  config &set_environ(const char *const *variables) {
    return detail::must([&](failure *why) { return try_set_environ(variables, why); }), *this;
  }
  config &set_environ(std::initializer_list<text> variables) {
    return detail::must([&](failure *why) { return try_set_environ(variables, why); }), *this;
  }
  template <typename Range, typename = detail::if_range<Range>>
  config &set_environ(Range &&variables) {
    return detail::must([&](failure *why) { return try_set_environ(variables, why); }), *this;
  }
#endif

  /** For a call of dl_auth.h. This object still owns it. */
  const dl_auth_config_t *get() const noexcept { return handle_; }

 private:
  template <typename Texts>
  dl_auth_status_t hand_over(const Texts &variables, failure *why) {
    std::vector<const char *> pointers;
    for (const text &each : variables) {
      char which[40];
      std::snprintf(which, sizeof which, "`variables[%zu]`", pointers.size());
      if (!each.c_str()) return detail::refuse(why, DL_AUTH_E_NULL_ARGUMENT, which, "is NULL");
      if (each.holds_nul()) return detail::refuse_nul(why, which);
      pointers.push_back(each.c_str());
    }
    pointers.push_back(nullptr);
    return try_set_environ(pointers.data(), why);
  }

  dl_auth_config_t *handle_;
};

/**
 * A handle, which has the token of one user. The destructor frees it. If there
 * is no handle, because opening failed or the object was moved from, each call
 * returns DL_AUTH_E_CLOSED, as after close().
 */
class auth {
 public:
  /**
   * Creates a handle from the environment, a configuration or options. Does not
   * use the network. Test the result with `if`.
   */
  static auth open(failure *why = nullptr) noexcept { return open_with(nullptr, why); }
  static auth open(const config &options, failure *why = nullptr) noexcept { return open_with(options.get(), why); }
  static auth open(std::initializer_list<option> options, failure *why = nullptr) noexcept {
    config all;
    for (const option &each : options) {
      if (all.try_set(each.key, each.value, why) != DL_AUTH_OK) return auth(nullptr);
    }
    return open(all, why);
  }

  /** Takes ownership of a handle of dl_auth_new. NULL: no handle. */
  explicit auth(dl_auth_t *handle) noexcept : handle_(handle) {}
  auth(auth &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  auth &operator=(auth &&other) noexcept {
    dl_auth_free(std::exchange(handle_, std::exchange(other.handle_, nullptr)));
    return *this;
  }
  ~auth() { dl_auth_free(handle_); }

  /** Whether there is a handle, which can be closed. */
  explicit operator bool() const noexcept { return handle_; }
  /** For a call of dl_auth.h. This object still owns it. */
  dl_auth_t *get() const noexcept { return handle_; }
  /**
   * Frees the handle for all threads. Calls that wait return
   * DL_AUTH_E_CLOSED. A second close does nothing.
   */
  void close() noexcept { dl_auth_free(handle_); }

  /**
   * Copies a valid token and a NUL into your memory, see dl_auth_token. `out`
   * is the token in your memory, without the NUL.
   */
  dl_auth_status_t try_token(buffer into, std::string_view &out, failure *why = nullptr) const noexcept {
    return detail::read(into, out, why, [this](auto... to) { return dl_auth_token(handle(), to...); });
  }
  /** Copies "Bearer <token>", the value of the HTTP header Authorization. */
  dl_auth_status_t try_bearer(buffer into, std::string_view &out, failure *why = nullptr) const noexcept {
    return detail::read(into, out, why, [this](auto... to) { return dl_auth_bearer(handle(), to...); });
  }
  /** Copies the payload of the token, a JSON object. It is not checked. */
  dl_auth_status_t try_claims(buffer into, std::string_view &out, failure *why = nullptr) const noexcept {
    return detail::read(into, out, why, [this](auto... to) { return dl_auth_claims(handle(), to...); });
  }
  /**
   * Copies a token that is valid for at least `min_valid`, and blocks for up to
   * `wait`. With 0 and 0 it never blocks: for a frame loop.
   */
  dl_auth_status_t try_token_within(duration min_valid, duration wait, buffer into, std::string_view &out,
                                    failure *why = nullptr) const noexcept {
    return detail::read(into, out, why, [&](auto... to) {
      return dl_auth_token_within(handle(), min_valid.milliseconds, wait.milliseconds, to...);
    });
  }
  /** Describes the state of the handle. Does not block. */
  dl_auth_status_t try_info(dl_auth_info_t &out, failure *why = nullptr) const noexcept {
    out = dl_auth_info_t{};
    out.size = sizeof out;
    return detail::call(why, [&](auto *error) { return dl_auth_info(handle(), &out, error); });
  }
  /**
   * Marks a token as expired, because the platform rejected it with 401. If it
   * is the cached token, the next call starts a refresh.
   */
  dl_auth_status_t try_invalidate(const text &token, failure *why = nullptr) const noexcept {
    return detail::call(why, [&](auto *error) { return dl_auth_invalidate(handle(), token.c_str(), error); }, token);
  }
  /** Replaces the credentials. `username` NULL: the username is unchanged. */
  dl_auth_status_t try_set_credentials(const text &username, const text &password,
                                       failure *why = nullptr) const noexcept {
    const auto c = [&](auto *e) { return dl_auth_set_credentials(handle(), username.c_str(), password.c_str(), e); };
    return detail::call(why, c, username, password);
  }
  /**
   * Each token of a handle has another number. Returns 0 if a refresh is due. Your copy of the token is
   * valid while the number is the same.
   */
  std::uint64_t generation() const noexcept { return dl_auth_generation(handle()); }

#ifdef DL_AUTH_EXCEPTIONS
  auth() : auth(must_open()) {}
  explicit auth(const config &options) : auth(must_open(options)) {}
  auth(std::initializer_list<option> options) : auth(must_open(options)) {}

  /**
   * The string is yours. Its destructor does not wipe it. To wipe the token,
   * pass a buffer instead and wipe that.
   */
  std::string token() const { return detail::string([this](auto &&...a) { return try_token(a...); }); }
  std::string bearer() const { return detail::string([this](auto &&...a) { return try_bearer(a...); }); }
  std::string claims() const { return detail::string([this](auto &&...a) { return try_claims(a...); }); }
  std::string token_within(duration min_valid, duration wait) const {
    return detail::string([&](auto &&...a) { return try_token_within(min_valid, wait, a...); });
  }
  std::string_view token(buffer to) const { return detail::view([&](auto &&...a) { return try_token(to, a...); }); }
  std::string_view bearer(buffer to) const { return detail::view([&](auto &&...a) { return try_bearer(to, a...); }); }
  std::string_view claims(buffer to) const { return detail::view([&](auto &&...a) { return try_claims(to, a...); }); }
  std::string_view token_within(duration min_valid, duration wait, buffer to) const {
    return detail::view([&](auto &&...a) { return try_token_within(min_valid, wait, to, a...); });
  }
  dl_auth_info_t info() const {
    dl_auth_info_t out;
    return detail::must([&](failure *why) { return try_info(out, why); }), out;
  }
  void invalidate(const text &token) const {
    detail::must([&](failure *why) { return try_invalidate(token, why); });
  }
  void set_credentials(const text &username, const text &password) const {
    detail::must([&](failure *why) { return try_set_credentials(username, password, why); });
  }

 private:
  template <typename... Options>
  static auth must_open(const Options &...options) {
    failure why;
    auth made = open(options..., &why);
    if (!made) throw error(why);
    return made;
  }
#endif

 private:
  static auth open_with(const dl_auth_config_t *options, failure *why) noexcept {
    auth made(nullptr);
    if (detail::check_library(why) == DL_AUTH_OK) {
      detail::call(why, [&](auto *error) { return dl_auth_new(options, &made.handle_, error); });
    }
    return made;
  }

  /**
   * The handle. Without a handle, an address that is not one: the library
   * detects it.
   */
  const dl_auth_t *handle() const noexcept { return handle_ ? handle_ : reinterpret_cast<const dl_auth_t *>(this); }

  dl_auth_t *handle_;
};

/**
 * Copies the payload of any JWT, a JSON object. It is not checked.
 * DL_AUTH_E_BAD_JWT, DL_AUTH_E_BUFFER_TOO_SMALL.
 */
inline dl_auth_status_t try_jwt_claims(const text &jwt, buffer into, std::string_view &out,
                                       failure *why = nullptr) noexcept {
  return detail::read(into, out, why, [&](auto... to) { return dl_auth_jwt_claims(jwt.c_str(), to...); }, jwt);
}
/** Reads the time at which a JWT expires: its claim `exp`. DL_AUTH_E_BAD_JWT. */
inline dl_auth_status_t try_jwt_expiry(const text &jwt, sys_seconds &out, failure *why = nullptr) noexcept {
  std::int64_t unix_seconds = 0;
  const auto c = [&](auto *error) { return dl_auth_jwt_expiry(jwt.c_str(), &unix_seconds, error); };
  const dl_auth_status_t status = detail::call(why, c, jwt);
  out = sys_seconds(std::chrono::seconds(unix_seconds));
  return status;
}
#ifdef DL_AUTH_EXCEPTIONS
inline std::string jwt_claims(const text &jwt) {
  std::string claims(jwt.c_str() ? std::strlen(jwt.c_str()) : 0, '\0'); // more than its payload needs
  const buffer into(claims.data(), claims.size());
  claims.resize(detail::view([&](auto &&...a) { return try_jwt_claims(jwt, into, a...); }).size());
  return claims;
}
inline sys_seconds jwt_expiry(const text &jwt) {
  sys_seconds out;
  return detail::must([&](failure *why) { return try_jwt_expiry(jwt, out, why); }), out;
}
#endif

/** Returns the version of the library, such as "1.2.3". It is static. */
inline const char *version() noexcept { return dl_auth_version(); }

// names: begin, made by `make generate`
/** The names of options. The chapter "Options" of dl_auth.h describes them. */
namespace key {
/**
 * The user or the bot to log in as. Must be text, not empty. Default: none.
 */
inline constexpr const char *username = "username";
/**
 * The password of `username`. The library wipes its copies of it and never logs
 * it. Must be text, not empty. Default: none.
 */
inline constexpr const char *password = "password";
/**
 * A file with the password. It is read when a handle is made and each time
 * before its password is sent. While the gate refuses the password, it is read
 * at most once per second. A line end at the end of the file is not part of the
 * password. Must be the path of a regular file that holds the password.
 * Default: none.
 */
inline constexpr const char *password_file = "password_file";
/**
 * A ready token, such as an API key. It is returned until its `exp` and is
 * never refreshed. It cannot be set together with the credentials. Must be a
 * JWT with an `exp` in the future. Default: none.
 */
inline constexpr const char *token = "token";
/**
 * The environment of the service: it selects the gate. `url` has priority over
 * it. `prod`: https://gate.dataloop.ai; `rc`: https://rc-gate.dataloop.ai;
 * `dev`: https://dev-gate.dataloop.ai; `new-dev`:
 * https://custom1-gate.dataloop.ai; `aws`: https://poc-gate.dataloop.ai;
 * `local`: https://localhost:8443. Must be `prod`, `rc`, `dev`, `new-dev`,
 * `aws` or `local`. Default: `prod`.
 */
inline constexpr const char *environment = "environment";
/**
 * The gate to log in at. An `http` URL is accepted only with a loopback address
 * and with `allow_http=true`. Must be an https URL without credentials: of a
 * gate, with no path, `/api/v1` or `/token`. Default: by `environment`.
 */
inline constexpr const char *url = "url";
/**
 * Certificates to trust in addition to the roots, or a self-signed server
 * certificate itself. The file is read when a handle is made. Must be the path
 * of a file with at least one certificate: PEM, or one certificate as DER.
 * Default: none.
 */
inline constexpr const char *ca_file = "ca_file";
/**
 * The root certificates to trust. `auto`: the system's roots; the bundled roots
 * if the system has none, and on Windows also if it lacks the issuer; `system`:
 * only the system's roots; `bundled`: only the roots in this library;
 * `ca_file_only`: only the certificates in `ca_file`. Must be `auto`, `system`,
 * `bundled` or `ca_file_only`. Default: `auto`.
 */
inline constexpr const char *tls_roots = "tls_roots";
/**
 * The proxy to the gate. Percent-encode special characters of user and
 * password. `none`: no proxy, even if the environment sets one. `NO_PROXY` is a
 * list of hosts, read as curl reads it: the library bypasses the proxy of
 * `HTTPS_PROXY` for these hosts and their subdomains. Must be an http or https
 * URL, or `none`. Default: `HTTPS_PROXY`, `NO_PROXY`.
 */
inline constexpr const char *proxy = "proxy";
/**
 * The maximum time for one connection, TLS included and DNS not included. Must
 * be a duration from 1ms to 5m, such as 500ms, 30s or 2m. Default: `10s`.
 */
inline constexpr const char *connect_timeout = "connect_timeout";
/**
 * The maximum time for one whole refresh, DNS and retries included. Must be a
 * duration from 1ms to 10m, such as 500ms, 30s or 2m. Default: `30s`.
 */
inline constexpr const char *timeout = "timeout";
/**
 * The maximum time that `dl_auth_token` blocks while there is no valid token.
 * Must be a duration from 0s to 10m, such as 500ms, 30s or 2m. Default: `30s`.
 */
inline constexpr const char *wait = "wait";
/**
 * What starts a refresh. `on_demand`: a call that finds that a refresh is due;
 * `background`: such a call, and also a timer, which needs no call. Must be
 * `on_demand` or `background`. Default: `on_demand`.
 */
inline constexpr const char *refresh = "refresh";
/**
 * The part of a token's life after which a refresh is due. Must be a number
 * from 0.1 to 0.9. Default: `0.8`.
 */
inline constexpr const char *refresh_at = "refresh_at";
/**
 * Whether to use the refresh token before the password. Must be `true` or
 * `false`. Default: `true`.
 */
inline constexpr const char *refresh_grant = "refresh_grant";
/**
 * The maximum number of attempts in one refresh. Only failures that may be
 * temporary are retried. Must be a whole number from 1 to 10. Default: `3`.
 */
inline constexpr const char *max_attempts = "max_attempts";
/**
 * Where processes share a token, a failure and a refusal. `file:DIR`: a
 * directory (an absolute path) that the processes of one user on one machine
 * use. `redis://`, or `rediss://` with TLS: a Redis server that the machines of
 * a fleet use. What is shared is encrypted with the credentials. A library that
 * was built without Redis refuses such a URL with `DL_AUTH_E_UNSUPPORTED`. Must
 * be `none`, `file:DIR` or `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`
 * (with TLS: `rediss://`). Default: `none`.
 */
inline constexpr const char *store = "store";
/**
 * Whether a refresh fails with `DL_AUTH_E_STORE` if the store cannot be used,
 * instead of a login that is not shared. It has no effect without a `store`.
 * Must be `true` or `false`. Default: `false`.
 */
inline constexpr const char *store_required = "store_required";
/**
 * Text that is appended to `dl_auth/VERSION` in each request. Must be visible
 * ASCII characters and spaces, at most 200. Default: none.
 */
inline constexpr const char *user_agent = "user_agent";
/**
 * Whether to accept an `http` URL with a loopback address. This is for tests.
 * Must be `true` or `false`. Default: `false`.
 */
inline constexpr const char *allow_http = "allow_http";
} // namespace key
// names: end

} // namespace dl

#endif // DL_AUTH_HPP
