use std::slice::from_ref;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::profile::{Activity, Profile, Seen, profile};
use crate::record::{Details, EventKey, IdentityId, Normalised};

/// What one event says, besides who it is of.
#[derive(Clone, Debug, Default)]
struct Said {
    event: u8,
    at: Micros,
    consent: Option<(&'static str, Option<&'static str>, ConsentState)>,
    suppression: Option<(ContactChannel, SuppressionState)>,
}

const GRANTED: ConsentState = ConsentState::Granted;
const WITHDRAWN: ConsentState = ConsentState::Withdrawn;

fn consent(
    at: Micros,
    purpose: &'static str,
    channel: Option<&'static str>,
    state: ConsentState,
) -> Said {
    Said { at, consent: Some((purpose, channel, state)), ..Said::default() }
}

fn suppression(at: Micros, channel: ContactChannel, state: SuppressionState) -> Said {
    Said { at, suppression: Some((channel, state)), ..Said::default() }
}

/// A record with a mailbox, a number and an address, and what its events said.
fn member(n: u8, email: &str, said: &[Said]) -> Member {
    let mut identity = Identity::default();
    identity.set(Field::Email, email);
    identity.set(Field::Phone, "7700900777");
    identity.set(Field::Street, "high");
    let presented = Presented {
        email: Some(email.into()),
        phone: Some("+447700900777".into()),
        address: Some(Address {
            line: Some("1 High Street".into()),
            city: Some("York".into()),
            ..Address::default()
        }),
        ..Presented::default()
    };
    let (record, source): (_, Arc<str>) = (RecordKey([n; 16]), "web".into());
    let mut facts = Facts::default();
    for Said { event, at, consent, suppression } in said {
        let event = EventKey::hash([&[n, *event][..]]);
        let seen = Seen::once(*at, event, Arc::clone(&source), record);
        let details = Details {
            consent: consent.map(|(purpose, channel, state)| Consent {
                purpose: purpose.into(),
                channel: channel.map(Into::into),
                state,
                basis: None,
                policy_version: None,
                source: n.to_string(),
            }),
            suppression: suppression.map(|(channel, state)| Suppression {
                channels: vec![channel],
                state,
                reason: "bounce".into(),
            }),
            ..Details::default()
        };
        let activity = Activity { channel: "web".into(), kind: "visit".into() };
        let normalised = Normalised { presented: presented.clone(), ..Normalised::default() };
        facts.merge(Facts::of_event(activity, &details, normalised, seen));
    }
    Member { record, source, record_id: None, identity, facts }
}

fn states(members: &[Member]) -> Vec<(String, Option<String>, ConsentState, Micros)> {
    let rows = agreed(members).into_iter();
    rows.map(|row| (row.purpose, row.channel, row.state, row.at)).collect()
}

fn made(members: &[Member]) -> Profile {
    profile(IdentityId([0; 10]), 1, members, &Settings::default())
}

fn reach(members: &[Member]) -> Contact {
    made(members).contact
}

#[track_caller]
fn check_email(said: &[Said], expected: Reach) {
    assert_eq!(reach(&[member(1, "a@x.org", said)]).email, expected);
}

#[test]
fn of_one_record_the_latest_counts_and_at_one_time_the_stricter() {
    let said = |states: &[(Micros, ConsentState)]| {
        let said: Vec<Said> =
            states.iter().map(|(at, state)| consent(*at, "mail", None, *state)).collect();
        states_of(&member(1, "a@x.org", &said))
    };
    fn states_of(member: &Member) -> (ConsentState, Micros) {
        let rows = states(std::slice::from_ref(member));
        (rows[0].2, rows[0].3)
    }
    assert_eq!(said(&[(1, WITHDRAWN), (2, GRANTED)]), (GRANTED, 2));
    assert_eq!(said(&[(2, GRANTED), (1, WITHDRAWN)]), (GRANTED, 2));
    assert_eq!(said(&[(2, GRANTED), (2, WITHDRAWN)]), (WITHDRAWN, 2));
    assert_eq!(said(&[(2, WITHDRAWN), (2, GRANTED)]), (WITHDRAWN, 2));
}

#[test]
fn of_several_records_the_strictest_counts() {
    let no = member(1, "a@x.org", &[consent(1, "mail", None, WITHDRAWN)]);
    let yes = member(2, "a@x.org", &[consent(9, "mail", None, GRANTED)]);
    let expected = vec![("mail".to_owned(), None, WITHDRAWN, 1)];
    assert_eq!(states(&[no.clone(), yes.clone()]), expected);
    assert_eq!(states(&[yes.clone(), no]), expected);
    // It is undone where it was made.
    let again = [consent(1, "mail", None, WITHDRAWN), consent(5, "mail", None, GRANTED)];
    let again = member(1, "a@x.org", &again);
    assert_eq!(states(&[again, yes]), [("mail".to_owned(), None, GRANTED, 9)]);
}

#[test]
fn what_is_said_of_all_channels_counts_for_each() {
    let all = consent(5, "mail", None, WITHDRAWN);
    let before = consent(1, "mail", Some("email"), GRANTED);
    let after = consent(7, "mail", Some("email"), GRANTED);
    let email = |said: &[Said]| {
        let rows = states(&[member(1, "a@x.org", said)]);
        rows.into_iter().find(|row| row.1.as_deref() == Some("email")).map(|row| row.2)
    };
    assert_eq!(email(&[all.clone(), before]), Some(WITHDRAWN));
    assert_eq!(email(&[all, after]), Some(GRANTED));
}

#[test]
fn marketing_by_a_channel_has_several_names() {
    check_email(&[consent(1, "marketing", None, GRANTED)], Reach::Yes);
    check_email(&[consent(1, "marketing", Some("email"), GRANTED)], Reach::Yes);
    check_email(&[consent(1, "marketing_email", None, GRANTED)], Reach::Yes);
    check_email(&[consent(1, "marketing_sms", None, GRANTED)], Reach::NoConsent);
    check_email(&[consent(1, "marketing", Some("sms"), GRANTED)], Reach::NoConsent);
    let both =
        [consent(1, "marketing", None, GRANTED), consent(2, "marketing_email", None, WITHDRAWN)];
    check_email(&both, Reach::Withdrawn);
}

#[test]
fn an_address_that_bounced_is_not_used() {
    let yes = consent(1, "marketing", None, GRANTED);
    let bounce = suppression(5, ContactChannel::Email, SuppressionState::Suppressed);
    let lifted = suppression(9, ContactChannel::Email, SuppressionState::Lifted);
    check_email(&[yes.clone(), bounce.clone()], Reach::Suppressed);
    check_email(&[yes.clone(), bounce.clone(), lifted.clone()], Reach::Yes);

    // Of another record of the same mailbox neither; another mailbox may be.
    let members = [member(1, "a@x.org", from_ref(&yes)), member(2, "a@x.org", from_ref(&bounce))];
    assert_eq!(reach(&members).email, Reach::Suppressed);
    let members = [member(1, "b@x.org", from_ref(&yes)), member(2, "a@x.org", from_ref(&bounce))];
    let found = reach(&members);
    assert_eq!((found.email, found.mailbox.as_deref()), (Reach::Yes, Some("b@x.org")));
    // Other ways stay open.
    assert_eq!((found.sms, found.post), (Reach::Yes, Reach::Yes));
    assert_eq!(found.number.as_deref(), Some("+447700900777"));

    let (rows, free) = suppressed(&[member(1, "a@x.org", from_ref(&bounce))]);
    assert_eq!((rows.len(), free.len()), (1, 0));
    assert_eq!((rows[0].fact.at, rows[0].fact.address.as_deref()), (5, Some("a@x.org")));
    let (rows, free) = suppressed(&[member(1, "a@x.org", &[bounce, lifted])]);
    assert_eq!((rows.len(), free.len()), (0, 1));
}

#[test]
fn throw_away_mailboxes_and_nothing_at_all() {
    let yes = [consent(1, "marketing", None, GRANTED)];
    let members = [member(1, "a@mailinator.com", &yes)];
    assert_eq!(reach(&members).email, Reach::Invalid);
    let found = reach(&[]);
    assert_eq!(found, Contact::default());
    assert!(!found.is_any());
}

#[test]
fn derived_values_want_consent_where_that_is_asked() {
    let made = |said: &[Said], required: bool| {
        let settings = Settings { require_profiling_consent: required, ..Settings::default() };
        profile(IdentityId([0; 10]), 1, &[member(1, "a@x.org", said)], &settings)
    };
    let yes = [consent(1, "profiling", None, GRANTED)];
    let no = [consent(1, "profiling", None, GRANTED), consent(2, "profiling", None, WITHDRAWN)];
    assert_eq!(made(&yes, true).activity.len(), 1);
    assert!(made(&yes, true).agrees_to_profiling);
    assert_eq!(made(&no, true).activity.len(), 0);
    assert_eq!(made(&[Said::default()], true).activity.len(), 0, "silence is no consent");
    assert_eq!(made(&[Said::default()], false).activity.len(), 1);
    assert_eq!(made(&no, true).events, 2);
}

fn statement() -> impl Strategy<Value = Said> {
    let channel = prop_oneof![Just(None), Just(Some("email")), Just(Some("sms"))];
    let purpose = prop_oneof![Just("marketing"), Just("marketing_email"), Just("profiling")];
    let suppressed = prop::option::of((0usize..4, any::<bool>()));
    (0i64..4, purpose, channel, any::<bool>(), suppressed).prop_map(
        |(at, purpose, channel, strict, suppressed)| Said {
            event: 0,
            at,
            consent: Some((purpose, channel, if strict { WITHDRAWN } else { GRANTED })),
            suppression: suppressed.map(|(channel, lifts)| {
                let state =
                    if lifts { SuppressionState::Lifted } else { SuppressionState::Suppressed };
                (ContactChannel::ALL[channel], state)
            }),
        },
    )
}

proptest! {
    /// Neither the order of events nor that of records matters, and a withdrawal never opens a way.
    #[test]
    fn what_counts_hangs_on_the_set_alone(
        said in prop::collection::vec((0u8..3, statement()), 0..10),
        seed in any::<u64>(),
    ) {
        let members = |said: &[(u8, Said)], order: &[u8]| -> Vec<Member> {
            let of = |n: &u8| {
                let mine: Vec<Said> =
                    said.iter().filter(|(who, _)| who == n).map(|(_, said)| said.clone()).collect();
                member(*n, ["a@x.org", "b@x.org", "a@x.org"][usize::from(*n)], &mine)
            };
            order.iter().map(of).collect()
        };
        let mut said = said;
        for (event, (_, said)) in said.iter_mut().enumerate() {
            said.event = u8::try_from(event).unwrap();
        }
        let mut shuffled = said.clone();
        shuffled.rotate_left(usize::try_from(seed % 11).unwrap() % said.len().max(1));
        shuffled.reverse();
        let straight = made(&members(&said, &[0, 1, 2]));
        prop_assert_eq!(&straight, &made(&members(&shuffled, &[2, 0, 1])));
        let mut later = said.clone();
        later.push((1, consent(9, "marketing", None, WITHDRAWN)));
        prop_assert!(!made(&members(&later, &[0, 1, 2])).contact.is_any());
    }
}
