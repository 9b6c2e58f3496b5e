//! How are events, records and identities named? By hashes of what they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Declares a fixed-length key that is written as lower-case hexadecimal.
macro_rules! hex_key {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                if text.len() != 2 * $bytes || !text.is_ascii() {
                    return Err(());
                }
                let mut bytes = [0; $bytes];
                for (i, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| ())?;
                }
                Ok(Self(bytes))
            }
        }

        impl $name {
            /// Hashes `parts` under a domain of its own; each part is length-prefixed, so none runs
            /// into the next.
            pub fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
                let mut hasher = blake3::Hasher::new_derive_key(concat!("onefold ", stringify!($name)));
                for part in parts {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part);
                }
                let mut bytes = [0; $bytes];
                bytes.copy_from_slice(&hasher.finalize().as_bytes()[..$bytes]);
                Self(bytes)
            }
        }
    };
}

hex_key!(
    /// Names a record node: a hash of its content, or of (source, row key) for a keyed record.
    RecordKey,
    16
);
hex_key!(
    /// Names an event: a hash of (channel, event id). Two deliveries of one event have one key.
    EventKey,
    16
);
hex_key!(
    /// The durable name of an identity. Minted from content, never reused.
    IdentityId,
    10
);

impl EventKey {
    /// The key of the event that a channel calls so.
    pub fn of(channel: &str, event_id: &str) -> Self {
        Self::hash([channel.as_bytes(), event_id.as_bytes()])
    }
}

impl RecordKey {
    /// The key of a row of a keyed source.
    pub fn of_row(source: &str, record_id: &str) -> Self {
        Self::hash([&b"row"[..], source.as_bytes(), record_id.as_bytes()])
    }
}
