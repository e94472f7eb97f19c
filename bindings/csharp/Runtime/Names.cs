// Made by `make names`; do not edit.

namespace Dataloop.DlAuth
{
    /// <summary>The names of options.</summary>
    public static class Key
    {
        /// <summary>the user, or bot, to log in as. Must be text, not empty. Default: none.</summary>
        public const string Username = "username";
        /// <summary>its password; held zeroised, never logged. Must be text, not empty. Default: none.</summary>
        public const string Password = "password";
        /// <summary>read when a handle is made, before its password is sent, and while that is refused at most once a second; a line end at its end does not count. Must be the path of a regular file that holds the password. Default: none.</summary>
        public const string PasswordFile = "password_file";
        /// <summary>a ready token, such as an API key: handed out until its `exp`, never refreshed; excludes the credentials. Must be a JWT with an `exp` that is not past. Default: none.</summary>
        public const string Token = "token";
        /// <summary>which gate of the service; `url` wins over it. Must be `prod`, `rc`, `dev`, `new-dev`, `aws` or `local`. Default: prod.</summary>
        public const string Environment = "environment";
        /// <summary>the gate to log in at; `http` only to a loopback address and with `allow_http=true`. Must be an https URL without credentials: a gate, its API base, or its /token endpoint. Default: by `environment`.</summary>
        public const string Url = "url";
        /// <summary>certificates trusted besides the roots, or a self-signed server certificate itself; read when a handle is made. Must be the path of a file with at least one certificate: PEM, or one certificate as DER. Default: none.</summary>
        public const string CaFile = "ca_file";
        /// <summary>whom to trust; `auto`: the system's roots, else the bundled ones. Must be `auto`, `system`, `bundled` or `ca_file_only`. Default: auto.</summary>
        public const string TlsRoots = "tls_roots";
        /// <summary>the proxy to the gate; percent-encode its user and password; `none`: no proxy, whatever the environment says; `NO_PROXY`, read as curl reads it, lists hosts that `HTTPS_PROXY` is not used for. Must be an http or https URL, or `none`. Default: `HTTPS_PROXY`, `NO_PROXY`.</summary>
        public const string Proxy = "proxy";
        /// <summary>the most that a connection may take, TLS included. Must be a duration from 1ms to 5m, such as 500ms, 30s or 2m. Default: 10s.</summary>
        public const string ConnectTimeout = "connect_timeout";
        /// <summary>the most that one whole refresh may take, DNS and retries included. Must be a duration from 1ms to 10m, such as 500ms, 30s or 2m. Default: 30s.</summary>
        public const string Timeout = "timeout";
        /// <summary>the most that `dl_auth_token` holds its caller while there is no valid token. Must be a duration from 0s to 10m, such as 500ms, 30s or 2m. Default: 30s.</summary>
        public const string Wait = "wait";
        /// <summary>what starts a refresh: a caller that finds it due, or with `background` a timer as well, with no call needed. Must be `on_demand` or `background`. Default: on_demand.</summary>
        public const string Refresh = "refresh";
        /// <summary>the part of a token's life after which a refresh is due. Must be a number from 0.1 to 0.9. Default: 0.8.</summary>
        public const string RefreshAt = "refresh_at";
        /// <summary>use the refresh token before the password. Must be `true` or `false`. Default: true.</summary>
        public const string RefreshGrant = "refresh_grant";
        /// <summary>tries within one refresh, of what may pass by itself. Must be a whole number from 1 to 10. Default: 3.</summary>
        public const string MaxAttempts = "max_attempts";
        /// <summary>where processes share a token; any but `none` is not built yet: `DL_AUTH_E_UNSUPPORTED`. Must be `none`, `file:DIR` or `redis://HOST`. Default: none.</summary>
        public const string Store = "store";
        /// <summary>fail rather than log in unshared; without a `store` it changes nothing. Must be `true` or `false`. Default: false.</summary>
        public const string StoreRequired = "store_required";
        /// <summary>appended to `dl_auth/VERSION` in each request. Must be visible ASCII characters and spaces, at most 200. Default: none.</summary>
        public const string UserAgent = "user_agent";
        /// <summary>take an `http` URL to a loopback address, for tests. Must be `true` or `false`. Default: false.</summary>
        public const string AllowHttp = "allow_http";
    }

    /// <summary>What a call came to.</summary>
    public enum Status
    {
        /// <summary>It worked.</summary>
        Ok = 0,
        /// <summary>A pointer that must not be NULL is, or a struct was not initialised.</summary>
        NullArgument = -1,
        /// <summary>A string is not UTF-8.</summary>
        NotUtf8 = -2,
        /// <summary>Grow the buffer to `*len + 1` bytes and call again.</summary>
        BufferTooSmall = -3,
        /// <summary>The handle was freed, before the call or during it; or dl_auth_new never made it.</summary>
        Closed = -4,
        /// <summary>There is no such option.</summary>
        UnknownKey = -10,
        /// <summary>A value has not the form that its key needs.</summary>
        InvalidValue = -11,
        /// <summary>There is no username or no password, neither from a call nor from the environment.</summary>
        NoCredentials = -12,
        /// <summary>The option is known, but not built into this library.</summary>
        Unsupported = -13,
        /// <summary>The gate refused the credentials: HTTP 401, or 400 or 403 in the gate's own form.</summary>
        Denied = -20,
        /// <summary>The call may not wait (`wait_ms`, or `wait`, is 0) and there is no token that serves; a refresh is under way, or no thread could be made for it.</summary>
        Pending = -30,
        /// <summary>The time that the call may wait, or the limit of the refresh or of its connection (`connect_timeout`), ran out: the message says what took it, such as a firewall that drops packets.</summary>
        Timeout = -31,
        /// <summary>No connection: a name that does not resolve, a refused or broken connection, a proxy that says no.</summary>
        Unreachable = -32,
        /// <summary>HTTP 429: the gate has had too many requests.</summary>
        RateLimited = -33,
        /// <summary>HTTP 5xx, 408, 425, or a 400 or 403 that is not in the gate's own form: the gate, or what is before it, is not well.</summary>
        Gate = -34,
        /// <summary>An answer that no gate gives: not JSON, too large, a redirect, 404, no `id_token`, no JWT, no usable `exp`, or a token that has ended already.</summary>
        BadResponse = -35,
        /// <summary>The token has less life than was asked for, and a new one would live no longer: ask for less.</summary>
        TooShort = -36,
        /// <summary>TLS failed: a certificate that is not trusted, for another host, or expired; or no TLS at that port.</summary>
        Tls = -40,
        /// <summary>The shared store cannot be used, and `store_required` is set.</summary>
        Store = -41,
        /// <summary>What was given to dl_auth_jwt_claims or dl_auth_jwt_expiry is no JWT, or has no usable `exp`.</summary>
        BadJwt = -50,
        /// <summary>A bug in the library: a panic was caught.</summary>
        Internal = -99,
    }
}
