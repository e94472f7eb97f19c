//! Reads the named fields of a JSON object, and parses no other field.
//!
//! A field that is not needed may hold a value that a strict parser refuses: a lone surrogate, a number that does not
//! fit into an f64, or bytes that are not UTF-8. `serde_json` skips an ignored value without reading its content, and
//! without recursion. So each field takes two passes: the first finds its last occurrence, the second parses that
//! occurrence.

use std::fmt;
use std::marker::PhantomData;

use serde_core::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::secret::Secret;

/// The text of a JSON object.
#[derive(Clone, Copy)]
pub struct Object<'a>(&'a [u8]);

/// Whether the text is JSON of any type. The content of strings and numbers is not checked.
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

impl<'a> Object<'a> {
    /// Reads the text; `None`: it is not a JSON object.
    pub fn new(text: &'a [u8]) -> Option<Object<'a>> {
        let object = Object(text);
        object.walk::<IgnoredAny>("", 0).is_ok().then_some(object)
    }

    /// A field's value; `None` if it is missing or null. If the name occurs more than once, the last one counts.
    pub fn get<T: Deserialize<'a>>(self, name: &str) -> Result<Option<T>, serde_json::Error> {
        let (last, _) = self.walk::<IgnoredAny>(name, 0)?;
        let (_, value) = self.walk::<Option<T>>(name, last)?;
        Ok(value.flatten())
    }

    /// A field's text. It is copied once, into a string of the exact size.
    pub fn text(self, name: &str) -> Result<Option<Secret>, serde_json::Error> {
        Ok(self.get::<String>(name)?.map(Secret::new))
    }

    /// How often the name occurs, and the value of its n-th occurrence, counted from 1.
    fn walk<T: Deserialize<'a>>(self, name: &str, nth: usize) -> Result<(usize, Option<T>), serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(self.0);
        let found = reader.deserialize_map(Walk { name, nth, value: PhantomData })?;
        reader.end()?;
        Ok(found)
    }
}

struct Walk<'n, T> {
    name: &'n str,
    nth: usize,
    value: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Walk<'_, T> {
    type Value = (usize, Option<T>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut met, mut value) = (0, None);
        while let Some(is_named) = fields.next_key_seed(IsNamed(self.name))? {
            met += usize::from(is_named);
            if is_named && met == self.nth {
                value = Some(fields.next_value()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok((met, value))
    }
}

/// Compares a key. The key is read as bytes, because text must be valid Unicode.
struct IsNamed<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for IsNamed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for IsNamed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &[u8]) -> Option<String> {
        let found = Object::new(json).expect("a JSON object").text("a").ok()?;
        found.map(|text| text.expose().to_owned())
    }

    #[test]
    fn a_field_is_read_even_if_the_others_are_unreadable() {
        let deep = format!("{}{}", r#"{"x":["#.repeat(5000), "]}".repeat(5000));
        for other in [
            r#""x":"\ud800""#,
            r#""x":"\udc00\ud800""#,
            r#""x":{"y":["\ud83d"]}"#,
            r#""\ud800":1"#,
            r#""x":{"\ud800":{"\udfff":"\ud800"}}"#,
            r#""x":1e99999"#,
            r#""x":[-1e-99999, 123456789012345678901234567890]"#,
            r#""x":1,"x":2"#,
            r#""aa":1,"":2,"A":3"#,
            r#""x":{"a":"inner"}"#,
            &format!(r#""x":{deep}"#),
            &format!(r#""x":"{}""#, "y".repeat(60_000)),
        ] {
            for json in [format!(r#"{{"a":"b",{other}}}"#), format!("\r\n {{ {other} , \"a\" : \"b\" }}\t")] {
                assert_eq!(text(json.as_bytes()).as_deref(), Some("b"), "{}", &json[..json.len().min(80)]);
            }
        }
        assert_eq!(text(b"{\"a\":\"b\",\"x\":\"\xff\xfe\",\"\xff\":{\"\xc3\":[\"\xc3\"]}}").as_deref(), Some("b"));
    }

    #[test]
    fn the_last_of_the_same_name_counts_and_the_others_need_not_be_readable() {
        for (json, wanted) in [
            (r#"{"a":"b","a":"c"}"#, Some("c")),
            (r#"{"a":"\ud800","a":"c"}"#, Some("c")),
            (r#"{"a":7,"a":1e99999,"a":[],"a":"c"}"#, Some("c")),
            (r#"{"a":"b","\u0061":"c"}"#, Some("c")),
            (r#"{"a":"b","a":null}"#, None),
            (r#"{"a":"b","a":"\ud800"}"#, None),
            (r#"{"a":"b","a":7}"#, None),
            (r#"{"b":"c"}"#, None),
            (r#"{}"#, None),
        ] {
            assert_eq!(text(json.as_bytes()).as_deref(), wanted, "{json}");
        }
    }

    #[test]
    fn an_unreadable_field_is_an_error_and_a_missing_one_is_not() {
        let object = Object::new(b"{\"a\":\"\\ud800\",\"b\":\"\xff\",\"c\":1e99999,\"d\":7,\"e\":null}").unwrap();
        for name in ["a", "b", "c"] {
            assert!(object.text(name).is_err_and(|error| error.is_syntax() || name == "c"), "{name}");
            assert!(object.get::<serde_json::Number>(name).is_err(), "{name}");
        }
        assert!(object.text("d").is_err_and(|error| error.is_data()));
        assert_eq!(object.get::<serde_json::Number>("d").unwrap(), Some(7.into()));
        assert_eq!((object.text("e").unwrap(), object.text("f").unwrap()), (None, None));
    }

    #[test]
    fn text_that_is_not_json_is_not_an_object() {
        for json in ["", " ", "{", "}", "{}x", "{} {}", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":NaN}", "{\"a\":1,}"] {
            assert!(Object::new(json.as_bytes()).is_none() && !is_json(json.as_bytes()), "{json}");
        }
        for json in ["[]", "7", "null", "\"{}\"", "[{}]", "\"\\ud800\""] {
            assert!(Object::new(json.as_bytes()).is_none() && is_json(json.as_bytes()), "{json}");
        }
    }
}
