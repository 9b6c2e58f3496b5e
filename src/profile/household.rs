//! Who lives together?
//!
//! Customers whose best surname and best address are the same, as the matcher compares them, are one household. Its name
//! is a hash of the two, so it hangs on nobody else: a profile need not be written anew when a housemate's is, and the
//! relation is a grouping of `profiles` by `household_id`.

use super::{Member, Profile, Value, ValueAddress};
use crate::record::{Field, Identity, RecordKey};

/// What a whole address is made of, besides its house and its town.
const PLACE: [Field; 4] = [Field::House, Field::Street, Field::Postcode, Field::City];

/// The household of a customer; `None` without a surname and a whole address.
pub(super) fn of(profile: &Profile, members: &[Member]) -> Option<String> {
    let identity = |record: RecordKey| -> Option<&Identity> {
        members.iter().find(|member| member.record == record).map(|member| &member.identity)
    };
    let Value { seen: surname, .. } = profile.surname.as_ref()?;
    let ValueAddress { seen: address, quality: None, .. } = profile.addresses.first()? else {
        return None;
    };
    let surname = identity(surname.record)?.value(Field::Surname)?;
    let place = identity(address.record)?;
    let [house, street, postcode, city] = PLACE.map(|field| place.value(field));
    // A street without a number is a street of many; of town and postcode, one is enough, and the postcode says more.
    let town = postcode.or(city)?;
    let parts = [surname, house?, street?, town];
    let key = RecordKey::hash([&b"household"[..]].into_iter().chain(parts.map(str::as_bytes)));
    Some(key.to_string())
}
