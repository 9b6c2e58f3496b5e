//! Messages, out of the consumer's queue into memory of our own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers, Timestamp};

use super::context::name;
use crate::record::{Envelope, Header, Micros, Origin, Reason};
use crate::source::{Fault, Message};

/// Copies messages of one source.
pub(super) struct Copier {
    source: Arc<str>,
    /// `topic/partition` of each partition, so that messages share the text.
    names: BTreeMap<String, BTreeMap<i32, Arc<str>>>,
}

impl Copier {
    pub(super) fn new(source: &Arc<str>) -> Self {
        Self { source: Arc::clone(source), names: BTreeMap::new() }
    }

    /// A message, and when its producer or its broker says that it was written.
    pub(super) fn copy(&mut self, message: &BorrowedMessage<'_>) -> (Message, Option<Micros>) {
        let (topic, partition) = (message.topic(), message.partition());
        if !self.names.contains_key(topic) {
            self.names.insert(topic.to_owned(), BTreeMap::new());
        }
        let names = self.names.get_mut(topic).expect("the topic was put there");
        let at = names.entry(partition).or_insert_with(|| name(topic, partition));
        let origin = Origin {
            source: Arc::clone(&self.source),
            partition: Arc::clone(at),
            offset: u64::try_from(message.offset()).expect("a delivered message has an offset"),
        };
        // A tombstone says that a key is gone from a compacted topic; it names no event.
        let fault = message.payload().is_none().then(|| Fault {
            reason: Reason::MissingField,
            detail: "expected a payload".to_owned(),
        });
        let payload = message.payload().map(Bytes::copy_from_slice).unwrap_or_default();
        let written_at = match message.timestamp() {
            Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) if millis >= 0 => {
                Some(millis.saturating_mul(1000))
            }
            _ => None,
        };
        (Message { origin, payload, fault, envelope: envelope(message) }, written_at)
    }
}

fn envelope(message: &BorrowedMessage<'_>) -> Option<Box<Envelope>> {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let header = |header: rdkafka::message::Header<'_, &[u8]>| Header {
        name: header.key.to_owned(),
        value: header.value.map(<[u8]>::to_owned),
    };
    let envelope = Envelope {
        key: message.key().map(<[u8]>::to_owned),
        headers: headers.map(header).collect(),
    };
    (envelope != Envelope::default()).then(|| Box::new(envelope))
}
