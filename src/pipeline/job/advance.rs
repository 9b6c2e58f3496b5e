//! How far were messages read, and which of them before?
//!
//! A source that was away starts again behind what is published, so it may hand out again what is
//! committed already.

use std::sync::Arc;

use crate::source::{Message, Positions};

/// The positions behind messages, and for each message whether it was read before. A position never goes back.
pub(super) fn advance(behind: &Positions, messages: &[Message]) -> (Positions, Vec<bool>) {
    let mut positions = Positions::new();
    let again = messages
        .iter()
        .map(|message| {
            let origin = &message.origin;
            let key = (Arc::clone(&origin.source), Arc::clone(&origin.partition));
            let before = behind.get(&key).copied().unwrap_or_default();
            let next = positions.entry(key).or_insert(before);
            let again = origin.offset < *next;
            *next = (*next).max(origin.offset + 1);
            again
        })
        .collect();
    (positions, again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Origin;

    #[test]
    fn what_is_read_again_moves_no_position_back() {
        let at = |offset| Message {
            origin: Origin { source: "web".into(), partition: "web/0".into(), offset },
            payload: bytes::Bytes::new(),
            fault: None,
            envelope: None,
        };
        let key: (Arc<str>, Arc<str>) = ("web".into(), "web/0".into());
        let behind = Positions::from([(key.clone(), 5)]);
        let (positions, again) = advance(&behind, &[at(3), at(4), at(5), at(5), at(6)]);
        assert_eq!(again, [true, true, false, true, false]);
        assert_eq!(positions, Positions::from([(key.clone(), 7)]));
        assert_eq!(advance(&behind, &[at(0)]).0, behind);
    }
}
