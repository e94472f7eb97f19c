//! What the gate has counted. One list of names generates the struct, its JSON and the names that `/wait` accepts.

use serde_json::{Map, Value, json};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// How often each thing has happened since the start or the last reset.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counts {
            /// The names of all counts.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The count of this name, if there is one.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name { $(stringify!($name) => Some(self.$name),)* _ => None }
            }
        }
    };
}

counts! {
    /// TCP connections accepted by a token listener (including the silent one, without the proxy and the control
    /// endpoint).
    connections,
    /// TLS handshakes that were completed.
    handshakes,
    /// Complete `POST /token` requests, well-formed or not.
    requests,
    /// Well-formed `user_credentials` requests.
    logins,
    /// Well-formed `refresh_token` requests.
    refreshes,
    /// Tokens that the gate minted and sent completely. A token that a behaviour replaced or cut short is not counted.
    issued,
    /// Logins refused because the user name or password was wrong (not those refused by a `status` behaviour).
    refused,
    /// Refreshes refused because the refresh token was unknown or used up.
    refused_refreshes,
    /// Refreshes with a refresh token that rotation had already used up.
    reused_refresh_tokens,
    /// Tunnels that the proxy opened.
    proxied,
    /// Requests that are held back at this moment. A reset does not change this count.
    hanging,
    /// Requests for `/elsewhere`, by any method: redirects that were followed.
    redirected_hits,
    /// Requests that broke the protocol: path, method, content type, body.
    bad_requests,
}

impl Counts {
    /// All counts as a JSON object.
    pub fn to_json(&self) -> Value {
        Self::NAMES.iter().map(|&name| (name.to_owned(), self.get(name).into())).collect::<Map<_, _>>().into()
    }
}

/// A request as it arrived. Its body contains the password: this is only for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `POST`, ...
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 become U+FFFD.
    pub body: String,
}

impl Seen {
    /// The value of the first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// `{"method", "target", "headers": {name: value}, "body"}`; a repeated header's values are joined by `, `.
    pub fn to_json(&self) -> Value {
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            let joined = match headers.get(name).and_then(Value::as_str) {
                Some(before) => format!("{before}, {value}"),
                None => value.clone(),
            };
            headers.insert(name.clone(), joined.into());
        }
        json!({"method": self.method, "target": self.target, "headers": headers, "body": self.body})
    }
}
