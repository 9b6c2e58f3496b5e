//! Bytes in, a JSON tree out that borrows from them: is it JSON, and is it of a reasonable size?
//!
//! The limits hold while parsing, so a hostile payload costs no more memory than its own length
//! allows.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::error::Category;

use super::Fault;
use crate::record::Reason;

/// How large a message may be; beyond it, it is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, line or row.
    pub payload: usize,
    /// Objects and lists within one another.
    pub depth: usize,
    /// Bytes of one text or member name.
    pub text: usize,
    /// Members of one object, elements of one list.
    pub members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { payload: 1 << 20, depth: 32, text: 64 << 10, members: 4096 }
    }
}

/// A JSON value; of members with one name, the last counts.
#[derive(Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// A text as it stands, a number as its shortest decimal text, nothing otherwise.
    pub(super) fn scalar(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => {
                let text = number.to_string();
                // Columns of whole numbers with a gap in them are often exported as fractions.
                let whole = text.strip_suffix(".0").map(str::to_owned);
                Some(Cow::Owned(whole.unwrap_or(text)))
            }
            _ => None,
        }
    }
}

/// An RFC 6901 JSON pointer, e.g. `/form/email`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pointer {
    text: Box<str>,
    steps: Box<[Box<str>]>,
}

impl Pointer {
    /// Reads a pointer; `None` if it is not one. The whole document (the empty pointer) is of no
    /// use here.
    pub fn parse(text: &str) -> Option<Self> {
        let steps = text.strip_prefix('/')?;
        let unescape = |step: &str| {
            let plain = step.replace("~1", "").replace("~0", "");
            (!plain.contains('~')).then(|| step.replace("~1", "/").replace("~0", "~").into())
        };
        let steps = steps.split('/').map(unescape).collect::<Option<_>>()?;
        Some(Self { text: text.into(), steps })
    }

    /// The pointer as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many names lead to the value.
    pub fn depth(&self) -> usize {
        self.steps.len()
    }

    /// The value there; a `null` counts as absent.
    pub(super) fn find<'j, 'a>(&self, root: &'j Json<'a>) -> Option<&'j Json<'a>> {
        let mut at = root;
        for step in &self.steps {
            at = match at {
                Json::Object(members) => {
                    &members.iter().rev().find(|(name, _)| **name == **step)?.1
                }
                Json::List(elements) => elements.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        (*at != Json::Null).then_some(at)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Parses one document.
pub(super) fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Json<'a>, Fault> {
    if bytes.len() > limits.payload {
        return Err(too_large(&format!("more than {} bytes", limits.payload)));
    }
    let exceeded = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let tree = Tree { limits, depth: 0, exceeded: &exceeded }.deserialize(&mut deserializer);
    tree.and_then(|tree| deserializer.end().map(|()| tree)).map_err(|error| {
        match (exceeded.get(), error.classify()) {
            (Some(what), _) => too_large(what),
            (None, Category::Eof) => malformed("not JSON: broken off".to_owned()),
            // The parser's own words name no value, but a position says all that is of use.
            (None, _) => {
                malformed(format!("not JSON: unreadable at byte {}", byte_of(bytes, &error)))
            }
        }
    })
}

/// How many bytes were read before an error: the parser counts them from the start of a line.
fn byte_of(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>() + error.column()
}

fn malformed(detail: String) -> Fault {
    Fault { reason: Reason::Malformed, detail }
}

fn too_large(what: &str) -> Fault {
    Fault { reason: Reason::TooLarge, detail: what.to_owned() }
}

/// Builds the tree while the limits hold.
#[derive(Clone, Copy)]
struct Tree<'l> {
    limits: &'l Limits,
    depth: usize,
    exceeded: &'l Cell<Option<&'static str>>,
}

impl Tree<'_> {
    fn exceed<E: Error>(self, what: &'static str) -> E {
        self.exceeded.set(Some(what));
        E::custom(what)
    }

    fn check<E: Error>(self, text: &str) -> Result<(), E> {
        if text.len() > self.limits.text {
            return Err(self.exceed("a text over the limit of length"));
        }
        Ok(())
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == self.limits.depth {
            return Err(self.exceed("nested deeper than the limit"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        self.check(text)?;
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        self.check(text)?;
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(inner)? {
            if elements.len() == self.limits.members {
                return Err(self.exceed("a list over the limit of elements"));
            }
            elements.push(element);
        }
        Ok(Json::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Name(self))? {
            if members.len() == self.limits.members {
                return Err(self.exceed("an object over the limit of members"));
            }
            members.push((name, map.next_value_seed(inner)?));
        }
        Ok(Json::Object(members))
    }
}

/// Reads a member's name.
struct Name<'l>(Tree<'l>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        self.0.check(name)?;
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        self.0.check(name)?;
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Limits {
        Limits { payload: 60, depth: 3, text: 5, members: 2 }
    }

    #[track_caller]
    fn check_fault(text: &str, reason: Reason, detail: &str) {
        let fault = parse(text.as_bytes(), &small()).expect_err("the document is refused");
        assert_eq!((fault.reason, fault.detail.as_str()), (reason, detail));
    }

    #[test]
    fn limits_hold() {
        let long = format!("[\"{}\"]", "a".repeat(60));
        check_fault(&long, Reason::TooLarge, "more than 60 bytes");
        check_fault("[[[[1]]]]", Reason::TooLarge, "nested deeper than the limit");
        check_fault(r#"{"a":"123456"}"#, Reason::TooLarge, "a text over the limit of length");
        check_fault(r#"{"123456":1}"#, Reason::TooLarge, "a text over the limit of length");
        check_fault("[1,2,3]", Reason::TooLarge, "a list over the limit of elements");
        let members = r#"{"a":1,"b":2,"c":3}"#;
        check_fault(members, Reason::TooLarge, "an object over the limit of members");
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        check_fault(r#"{"a":"#, Reason::Malformed, "not JSON: broken off");
        check_fault("", Reason::Malformed, "not JSON: broken off");
        check_fault("<<x", Reason::Malformed, "not JSON: unreadable at byte 1");
        check_fault("{} {}", Reason::Malformed, "not JSON: unreadable at byte 4");
        check_fault(r#"["\ud800"]"#, Reason::Malformed, "not JSON: unreadable at byte 9");
        check_fault("{\n\n x", Reason::Malformed, "not JSON: unreadable at byte 5");
        let fault = parse(b"[\"\xff\"]", &small()).expect_err("it is not UTF-8");
        assert_eq!(fault.reason, Reason::Malformed);
        let deep = "[".repeat(50);
        check_fault(&deep, Reason::TooLarge, "nested deeper than the limit");
    }

    #[test]
    fn pointers_find() {
        let root = br#"{"a":{"b":[1,{"c/d":"x"}]},"n":null,"e~":2,"e~":3}"#;
        let root = parse(root, &Limits::default()).expect("it is JSON");
        let find = |text: &str| Pointer::parse(text).and_then(|p| p.find(&root)?.scalar());
        assert_eq!(find("/a/b/0").as_deref(), Some("1"));
        assert_eq!(find("/a/b/1/c~1d").as_deref(), Some("x"));
        assert_eq!(find("/e~0").as_deref(), Some("3"), "the last of one name counts");
        assert_eq!(find("/n"), None);
        assert_eq!(find("/a"), None, "an object is no scalar");
        assert_eq!(find("/a/b/2"), None);
        assert_eq!(find("/a/b/x"), None);
    }

    #[test]
    fn pointers_parse() {
        assert!(Pointer::parse("a").is_none());
        assert!(Pointer::parse("").is_none());
        assert!(Pointer::parse("/a~2").is_none());
        assert_eq!(Pointer::parse("/a/b").map(|p| p.depth()), Some(2));
    }

    #[test]
    fn a_whole_number_with_a_fraction_is_whole() {
        let root = parse(br#"[60617.0, 12, 1.5, true]"#, &Limits::default()).expect("JSON");
        let Json::List(elements) = root else { unreachable!("it is a list") };
        let texts: Vec<_> = elements.iter().map(|e| e.scalar().map(Cow::into_owned)).collect();
        let expected = ["60617", "12", "1.5"].map(|t| Some(t.to_owned()));
        assert_eq!(texts[..3], expected);
        assert_eq!(texts[3], None);
    }
}
