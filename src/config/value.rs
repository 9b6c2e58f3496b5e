//! The shapes that a value may be written in: one or a list, a pointer or a constant.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text, number or truth value, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

/// One value, or a list of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Where a value stands: a JSON pointer such as `"/form/email"` (for CSV and Parquet, `"/column"`),
/// the same as a table `{ path = "/store_id", take = 2 }`, or a constant `{ value = "row" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The pointer.
    pub path: Option<String>,
    /// The constant.
    pub value: Option<Scalar>,
    /// How many of its first characters count.
    pub take: Option<usize>,
    /// A second pointer, whose value follows after a comma.
    pub and: Option<String>,
}

/// Where a value stands, or what it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReferenceTable {
    /// A pointer.
    path: Option<String>,
    /// A constant, instead of `path`.
    value: Option<Scalar>,
    /// How many of its first characters count.
    take: Option<usize>,
    /// A second pointer, whose value follows after a comma.
    and: Option<String>,
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.to_owned()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pointer like \"/email\", or a table with `path` or `value`")
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<Reference, E> {
        Ok(Reference { path: Some(path.to_owned()), ..Reference::default() })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Reference, E> {
        Ok(Reference { value: Some(Scalar(value.to_string())), ..Reference::default() })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Reference, E> {
        Ok(Reference { value: Some(Scalar(value.to_string())), ..Reference::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reference, A::Error> {
        let table = ReferenceTable::deserialize(MapAccessDeserializer::new(map))?;
        let ReferenceTable { path, value, take, and } = table;
        Ok(Reference { path, value, take, and })
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

/// Reads one or many without losing what is wrong inside, as an untagged enum would.
struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<OneOrMany<T>, E> {
        T::deserialize(value.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<OneOrMany<T>, E> {
        T::deserialize(value.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<OneOrMany<T>, E> {
        T::deserialize(value.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<OneOrMany<T>, E> {
        T::deserialize(value.into_deserializer()).map(|one| OneOrMany(vec![one]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = seq.next_element()? {
            many.push(one);
        }
        Ok(OneOrMany(many))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl JsonSchema for Reference {
    fn schema_name() -> Cow<'static, str> {
        "Pointer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<ReferenceTable>();
        json_schema!({
            "description": "A pointer such as `\"/form/email\"`, or the same as a table `{ path = \"/form/email\" }`.",
            "anyOf": [{ "type": ["string", "number"] }, table],
        })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrManyOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
