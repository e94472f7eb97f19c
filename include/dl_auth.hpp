// names: begin, made by `make names`
/** The names of options: what they do stands in the library's README. */
namespace key {
/** the user, or bot, to log in as. Must be text, not empty. Default: none. */
inline constexpr const char *username = "username";
/** its password; held zeroised, never logged. Must be text, not empty. Default: none. */
inline constexpr const char *password = "password";
/** read when a handle is made, before its password is sent, and while that is refused at most once a second; a line end at its end does not count. Must be the path of a file that holds the password. Default: none. */
inline constexpr const char *password_file = "password_file";
/** a ready token, such as an API key: handed out until its `exp`, never refreshed; excludes the credentials. Must be a JWT with an `exp` that is not past. Default: none. */
inline constexpr const char *token = "token";
/** which gate of the service; `url` wins over it. Must be `prod`, `rc`, `dev`, `new-dev`, `aws` or `local`. Default: prod. */
inline constexpr const char *environment = "environment";
/** the gate to log in at; `http` only to a loopback address and with `allow_http=true`. Must be an https URL without credentials: a gate, its API base, or its /token endpoint. Default: by `environment`. */
inline constexpr const char *url = "url";
/** certificates trusted besides the roots; read when a handle is made. Must be the path of a PEM file with at least one certificate. Default: none. */
inline constexpr const char *ca_file = "ca_file";
/** whom to trust; `auto`: the system's roots, else the bundled ones. Must be `auto`, `system`, `bundled` or `ca_file_only`. Default: auto. */
inline constexpr const char *tls_roots = "tls_roots";
/** the proxy to the gate; `none`: none, whatever the environment says; `NO_PROXY` excepts names, and what is below them. Must be an http or https URL, or `none`. Default: `HTTPS_PROXY`, `NO_PROXY`. */
inline constexpr const char *proxy = "proxy";
/** the most that a connection may take, TLS included. Must be a duration from 1ms to 5m, such as 500ms, 30s or 2m. Default: 10s. */
inline constexpr const char *connect_timeout = "connect_timeout";
/** the most that one whole refresh may take, DNS and retries included. Must be a duration from 1ms to 10m, such as 500ms, 30s or 2m. Default: 30s. */
inline constexpr const char *timeout = "timeout";
/** the most that `dl_auth_token` holds its caller while there is no valid token. Must be a duration from 0s to 10m, such as 500ms, 30s or 2m. Default: 30s. */
inline constexpr const char *wait = "wait";
/** what starts a refresh: a caller that finds it due, or with `background` a timer as well, with no call needed. Must be `on_demand` or `background`. Default: on_demand. */
inline constexpr const char *refresh = "refresh";
/** the part of a token's life after which a refresh is due. Must be a number from 0.1 to 0.9. Default: 0.8. */
inline constexpr const char *refresh_at = "refresh_at";
/** use the refresh token before the password. Must be `true` or `false`. Default: true. */
inline constexpr const char *refresh_grant = "refresh_grant";
/** tries within one refresh, of what may pass by itself. Must be a whole number from 1 to 10. Default: 3. */
inline constexpr const char *max_attempts = "max_attempts";
/** where processes share a token; any but `none` is not built yet: `DL_AUTH_E_UNSUPPORTED`. Must be `none`, `file:DIR` or `redis://HOST`. Default: none. */
inline constexpr const char *store = "store";
/** fail rather than log in unshared; without a `store` it changes nothing. Must be `true` or `false`. Default: false. */
inline constexpr const char *store_required = "store_required";
/** appended to `dl_auth/VERSION` in each request. Must be visible ASCII characters and spaces, at most 200. Default: none. */
inline constexpr const char *user_agent = "user_agent";
/** take an `http` URL to a loopback address, for tests. Must be `true` or `false`. Default: false. */
inline constexpr const char *allow_http = "allow_http";
} // namespace key
// names: end, made by `make names`
