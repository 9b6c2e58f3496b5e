//! A JSON object whose fields stay in the order in which they were set.
//!
//! `serde_json`'s own map is sorted or not depending on a feature that any crate of the build may
//! switch on; the stream's bytes must not depend on that.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Json {
    Null,
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    Object(Fields),
    List(Vec<Json>),
}

impl Json {
    /// An amount of money or a grade, from hundredths.
    pub(super) fn hundredths(hundredths: i64) -> Self {
        Self::Real(hundredths as f64 / 100.0)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Fields> for Json {
    fn from(fields: Fields) -> Self {
        Self::Object(fields)
    }
}

/// An object under construction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(Vec<(&'static str, Json)>);

impl Fields {
    /// Sets a field: in its old place if there is one, else at the end.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets a field if there is a value.
    pub(super) fn set_some(&mut self, name: &'static str, value: Option<impl Into<Json>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Sets all fields of `other`.
    pub(super) fn extend(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.set(name, value);
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| *other == name).and_then(|(_, value)| match value {
            Json::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    /// Keeps the fields whose names `keep` accepts.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The object in one line.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and objects of them are JSON")
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_where_they_were_set() {
        let mut inner = Fields::default();
        inner.set("b", Json::hundredths(1_990));
        inner.set("a", Json::Null);
        let mut fields = Fields::default();
        fields.set("z", 1);
        fields.set("form", inner);
        fields.set_some("absent", None::<&str>);
        fields.set_some("flag", Some(true));
        fields.set("z", "ü");
        assert_eq!(fields.line(), r#"{"z":"ü","form":{"b":19.9,"a":null},"flag":true}"#);
    }
}
