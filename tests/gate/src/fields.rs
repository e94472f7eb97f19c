//! A strict reader of JSON objects: the code reads every field by name, and a field that was not read is an error. A
//! test with a misspelt behaviour must fail when it plans it; otherwise it could pass because nothing went wrong.

use serde_json::{Map, Value};

/// The fields of one object that have not been read yet.
pub(crate) struct Fields {
    what: String,
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// `what` names the object in messages.
    pub fn of(what: impl Into<String>, value: &Value) -> Result<Self, String> {
        let what = what.into();
        match value {
            Value::Object(map) => Ok(Self { what, left: map.clone(), known: Vec::new() }),
            other => Err(format!("{what} must be a JSON object, not {other}")),
        }
    }

    /// Any JSON, including `null`; `None` only if the field is absent.
    pub fn any(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.remove(name)
    }

    fn get<T>(
        &mut self,
        name: &'static str,
        shape: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        match self.any(name) {
            None => Ok(None),
            Some(value) => match read(&value) {
                Some(read) => Ok(Some(read)),
                None => Err(format!("{}: `{name}` must be {shape}, not {value}", self.what)),
            },
        }
    }

    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        self.get(name, "true or false", Value::as_bool)
    }

    pub fn int(&mut self, name: &'static str) -> Result<Option<i64>, String> {
        self.get(name, "a whole number", Value::as_i64)
    }

    pub fn size(&mut self, name: &'static str, least: usize, most: usize) -> Result<Option<usize>, String> {
        let shape = format!("a whole number from {least} to {most}");
        self.get(name, &shape, |v| usize::try_from(v.as_u64()?).ok().filter(|n| (least..=most).contains(n)))
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        self.get(name, "a string", |v| v.as_str().map(str::to_owned))
    }

    pub fn object(&mut self, name: &'static str) -> Result<Option<Map<String, Value>>, String> {
        self.get(name, "an object", |v| v.as_object().cloned())
    }

    pub fn one_of(&mut self, name: &'static str, words: &[&'static str]) -> Result<Option<&'static str>, String> {
        let shape = format!("one of {words:?}");
        self.get(name, &shape, |v| words.iter().find(|w| v.as_str() == Some(w)).copied())
    }

    pub fn words(&mut self, name: &'static str, words: &[&'static str]) -> Result<Option<Vec<String>>, String> {
        let shape = format!("a list of words from {words:?}");
        self.get(name, &shape, |v| {
            let known = |v: &Value| v.as_str().filter(|w| words.contains(w)).map(str::to_owned);
            v.as_array()?.iter().map(known).collect()
        })
    }

    /// Header names with string or number values. No value can contain a line break.
    pub fn headers(&mut self, name: &'static str) -> Result<Vec<(String, String)>, String> {
        let what = self.what.clone();
        let read = |(name, value): (String, Value)| {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                other => return Err(format!("{what}: header `{name}` must be a string or a number, not {other}")),
            };
            let clean = |s: &str| !s.contains(['\r', '\n']);
            if name.is_empty() || name.contains([':', ' ']) || !clean(&name) || !clean(&text) {
                return Err(format!("{what}: `{name}` is not a header name, or its value has a line break"));
            }
            Ok((name, text))
        };
        self.object(name)?.unwrap_or_default().into_iter().map(read).collect()
    }

    /// Must be called after all fields have been read.
    pub fn finish(self) -> Result<(), String> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{} has no field `{name}`; it has {}", self.what, self.known.join(", "))),
        }
    }
}
