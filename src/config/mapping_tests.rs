//! What the mappings of pipeline files, the shipped ones above all, make of real messages.

use bytes::Bytes;

use crate::record::{
    ConsentState, ContactChannel, Event, Money, MoneyKind, Origin, RawField, Reason,
    SuppressionState,
};
use crate::source::{Fault, Mapping, Message};

fn message(payload: &str) -> Message {
    let origin = Origin { source: "s".into(), partition: "t/0".into(), offset: 7 };
    Message {
        origin,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        fault: None,
        envelope: None,
    }
}

fn mapping_of(pipeline: &str, name: &str) -> Mapping {
    let env = |name: &str| Some(format!("{name}.jsonl"));
    let plan = super::parse(pipeline, "p.toml", &env)
        .unwrap_or_else(|error| panic!("the pipeline is valid: {error}"));
    let source = plan.sources.into_iter().find(|source| &*source.name == name);
    source.expect("the source is there").mapping
}

fn shipped(name: &str) -> Mapping {
    mapping_of(include_str!("../../pipelines/events.toml"), name)
}

/// A source with this mapping besides the needful.
fn with(more: &str) -> Mapping {
    let pipeline = format!(
        "name = \"p\"\n[source.s]\nfiles = \"f.jsonl\"\nevent_id = \"/id\"\ntype = \"/type\"\n\
         occurred_at = {{ path = \"/ts\" }}\nidentity.email = \"/email\"\n{more}"
    );
    mapping_of(&pipeline, "s")
}

#[track_caller]
fn read(mapping: &Mapping, payload: &str) -> Event {
    mapping.read(&message(payload)).unwrap_or_else(|letter| panic!("it is read: {letter:?}"))
}

#[track_caller]
fn check_dead(mapping: &Mapping, payload: &str, reason: Reason, detail: &str) {
    let letter = mapping.read(&message(payload)).expect_err("it is a dead letter");
    assert_eq!((letter.reason, letter.detail.as_str()), (reason, detail), "{payload}");
    assert_eq!(letter.payload, payload.as_bytes());
    assert_eq!(letter.origin.offset, 7);
}

fn identity(event: &Event) -> Vec<(RawField, &str)> {
    event.identity.iter().map(|(field, value)| (*field, value.as_str())).collect()
}

const WEB: &str = r#"{"event_id":"e1","channel":"web","cookie_id":"c1","locale":"US","login_email":"","type":"purchase","order":{"amount":266.76,"currency":"USD"},"form":{"first_name":"Zoë","last_name":"N/A","email":"z@x.org","phone":null,"address":{"line1":"1 Elm St","city":"Troy","region":"NY","postcode":"12180","country":"us"}},"ts":"2024-01-01T00:45:35.439Z"}"#;

#[test]
fn a_web_purchase() {
    let event = read(&shipped("web"), WEB);
    assert_eq!((event.event_id.as_str(), &*event.channel, &*event.kind), ("e1", "web", "purchase"));
    assert_eq!(event.occurred_at, 1_704_069_935_439_000);
    assert!(event.month_first);
    assert_eq!(event.record_id, None);
    let money =
        Money { kind: MoneyKind::Purchase, currency: "USD".into(), decimals: 2, minor: 26676 };
    assert_eq!(event.details.money, Some(money));
    use RawField as F;
    let expected = [
        (F::GivenName, "Zoë"),
        (F::Email, "z@x.org"),
        (F::PhoneRegion, "US"),
        (F::AddressLine, "1 Elm St"),
        (F::City, "Troy"),
        (F::Region, "NY"),
        (F::Postcode, "12180"),
        (F::Country, "us"),
        (F::Cookie, "c1"),
    ];
    assert_eq!(identity(&event), expected);
}

#[test]
fn an_address_in_one_text() {
    let payload = r#"{"event_id":"e","device_id":"d","locale":"GB","type":"signup","form":{"address":"1 Elm St, York"},"ts":"2024-01-01T00:45:35Z"}"#;
    let event = read(&shipped("web"), payload);
    assert!(!event.month_first);
    assert_eq!(event.identity[&RawField::Address], "1 Elm St, York");
    assert_eq!(event.identity[&RawField::Device], "d");
}

#[test]
fn an_unsubscription_by_email() {
    let payload = r#"{"event_id":"e","address":"a@b.c","campaign_id":"C1","type":"unsubscribe","purpose":"marketing_email","state":"withdrawn","ts":1704068292}"#;
    let event = read(&shipped("email"), payload);
    let consent = event.details.consent.expect("it is a consent");
    assert_eq!(consent.purpose, "marketing_email");
    assert_eq!((consent.state, &*consent.source), (ConsentState::Withdrawn, "unsubscribe"));
    assert_eq!((consent.channel, consent.basis, consent.policy_version), (None, None, None));
    let suppression = event.details.suppression.expect("the address is suppressed");
    assert_eq!(suppression.channels, [ContactChannel::Email]);
    assert_eq!(
        (suppression.state, &*suppression.reason),
        (SuppressionState::Suppressed, "unsubscribe")
    );
    assert_eq!(event.details.campaign.as_deref(), Some("C1"));
    assert_eq!(event.occurred_at, 1_704_068_292_000_000);
}

#[test]
fn a_call() {
    let payload = r#"{"event_id":"e","call_id":"K","caller_number":"","sentiment":-0.4305,"reason":"billing","resolved":false,"type":"call","ts":"2023-12-31T18:48:48-06:00"}"#;
    let event = read(&shipped("phone"), payload);
    assert_eq!(
        (event.details.reason.as_deref(), event.details.resolved),
        (Some("billing"), Some(false))
    );
    assert_eq!(event.details.sentiment_milli, Some(-430));
    assert!(event.identity.is_empty(), "an empty number says nothing");
}

#[test]
fn a_return_in_a_store() {
    let payload = r#"{"event_id":"e","type":"return","ts":"01/02/2024 15:03","utc_offset":-8.0,"date_format":"MDY","store_id":"US670","card_token":"d","basket_amount":52.5,"currency":"USD","items":3}"#;
    let event = read(&shipped("store"), payload);
    assert!(event.month_first);
    assert_eq!(event.occurred_at, 1_704_236_580_000_000);
    assert_eq!(event.identity[&RawField::PhoneRegion], "US");
    assert_eq!((event.details.items, event.details.timezone.as_deref()), (Some(3), Some("-8")));
    let money = Money { kind: MoneyKind::Return, currency: "USD".into(), decimals: 2, minor: 5250 };
    assert_eq!(event.details.money, Some(money));
}

/// All the ways in which the event generator breaks an event, for each channel.
#[test]
fn broken_events_are_dead_letters() {
    let lines = [
        (
            "web",
            r#"{"event_id":"e","channel":"web","cookie_id":"c","type":"page_view","ts":"2024-01-01T00:45:35.439Z"}"#,
        ),
        (
            "email",
            r#"{"event_id":"e","channel":"email","address":"a@b.c","type":"open","ts":1704068292}"#,
        ),
        (
            "phone",
            r#"{"event_id":"e","channel":"phone","call_id":"K","type":"call","ts":"2023-12-31T18:48:48-06:00"}"#,
        ),
        (
            "store",
            r#"{"event_id":"e","channel":"store","store_id":"US1","basket_amount":1.5,"currency":"USD","type":"purchase","ts":"01/01/2024 09:18","utc_offset":5.5,"date_format":"DMY"}"#,
        ),
    ];
    for (name, line) in lines {
        let mapping = shipped(name);
        read(&mapping, line);
        let mut broken = vec![
            (Reason::Malformed, line[..line.len() / 2].to_owned()),
            (Reason::Malformed, format!("<<{}\\x00", line[5..40].replace('"', "'"))),
            (Reason::MissingField, "{}".to_owned()),
            (Reason::MissingField, line.replace(r#""event_id":"e","#, "")),
        ];
        let kind = format!(r#""type":{}"#, between(line, r#""type":"#));
        let untyped = line.replace(&kind, r#""type":7"#);
        broken.push((
            Reason::WrongType,
            untyped.replace(&format!(r#""channel":"{name}""#), r#""channel":["?"]"#),
        ));
        let ts = format!(r#""ts":{}"#, between(line, r#""ts":"#));
        for bad in [r#""yesterday""#, r#""""#, r#""2025-13-45T99:00:00Z""#, "-1"] {
            broken.push((Reason::BadTime, line.replace(&ts, &format!(r#""ts":{bad}"#))));
        }
        broken.push((Reason::MissingField, line.replace(&ts, r#""ts":null"#)));
        let anonymous = format!(r#"{{"event_id":"e",{kind},{ts}}}"#);
        broken.push((Reason::MissingField, anonymous));
        for (reason, payload) in broken {
            let letter = mapping.read(&message(&payload)).expect_err(&payload);
            assert_eq!(letter.reason, reason, "{payload}");
        }
    }
}

fn between<'t>(line: &'t str, key: &str) -> &'t str {
    let start = line.find(key).expect("the key is there") + key.len();
    let end = line[start..].find([',', '}']).expect("the value ends");
    &line[start..start + end]
}

#[test]
fn details_of_dead_letters_name_pointers() {
    let web = shipped("web");
    check_dead(&web, "", Reason::Malformed, "not JSON: broken off");
    check_dead(&web, "[1]", Reason::Malformed, "expected a JSON object");
    check_dead(&web, r#"{"event_id":""}"#, Reason::MissingField, "/event_id: expected a value");
    check_dead(&web, r#"{"event_id":5}"#, Reason::WrongType, "/event_id: expected a text");
    let no_type = r#"{"event_id":"e","type":7}"#;
    check_dead(&web, no_type, Reason::WrongType, "/type: expected a text");
    let nobody = r#"{"event_id":"e","type":"t","ts":"2024-01-01T00:00:00Z"}"#;
    check_dead(&web, nobody, Reason::MissingField, "/cookie_id or /device_id: expected a value");
    let bad_time = r#"{"event_id":"e","type":"t","ts":"soon"}"#;
    check_dead(&web, bad_time, Reason::BadTime, "/ts: expected an RFC 3339 time");
}

#[test]
fn a_fault_of_the_reader_is_kept() {
    let fault = Fault { reason: Reason::TooLarge, detail: "long".into() };
    let message = Message { fault: Some(fault), ..message(WEB) };
    let letter = shipped("web").read(&message).expect_err("the reader refused it");
    assert_eq!((letter.reason, letter.detail.as_str()), (Reason::TooLarge, "long"));
}

#[test]
fn limits_are_those_of_the_source() {
    let mapping = with("[source.s.limits]\ndepth = 2\npayload = \"100B\"");
    check_dead(&mapping, r#"{"a":[[1]]}"#, Reason::TooLarge, "nested deeper than the limit");
    check_dead(&mapping, &" ".repeat(101), Reason::TooLarge, "more than 100 bytes");
}

#[test]
fn a_name_as_long_as_a_text_is_a_dead_letter() {
    let web = shipped("web");
    let long = "x".repeat(1025);
    let event = |id: &str, kind: &str, category: &str| {
        format!(
            r#"{{"event_id":"{id}","type":"{kind}","cookie_id":"c","product":{{"category":"{category}"}},"ts":"2024-01-01T00:00:00Z"}}"#
        )
    };
    let check = |payload: &str, at: &str| {
        let detail = format!("{at}: expected at most 1024 bytes");
        check_dead(&web, payload, Reason::TooLarge, &detail);
    };
    check(&event(&long, "t", "c"), "/event_id");
    check(&event("e", &long, "c"), "/type");
    check(&event("e", "t", &long), "/product/category");
    check(
        &event("e", "consent", "c").replacen(
            '{',
            &format!(r#"{{"state":"granted","purpose":"{long}","#),
            1,
        ),
        "/purpose",
    );
    let fits = &long[1..];
    read(&web, &event(fits, fits, fits));
    // A value of identity may be as long as any text.
    let named = event("e", "t", "c").replacen('{', &format!(r#"{{"login_email":"{long}","#), 1);
    read(&web, &named);
}

fn money_of(rule: &str, fields: &str) -> Result<Option<(MoneyKind, String, u8, i64)>, String> {
    let mapping = with(&format!("[source.s.purchase]\namount = \"/a\"\ncurrency = \"/c\"\n{rule}"));
    let payload = format!(r#"{{"id":"e","type":"t","ts":"2024-01-01T00:00:00Z",{fields}}}"#);
    let event = mapping.read(&message(&payload)).map_err(|letter| letter.detail)?;
    Ok(event.details.money.map(|m| (m.kind, m.currency, m.decimals, m.minor)))
}

#[test]
fn money_is_exact() {
    use MoneyKind::{Purchase, Return};
    let money = |kind, currency: &str, decimals, minor| {
        Ok(Some((kind, currency.to_owned(), decimals, minor)))
    };
    assert_eq!(money_of("", r#""a":0.29,"c":"EUR""#), money(Purchase, "EUR", 2, 29));
    assert_eq!(money_of("", r#""a":"19.99","c":"usd""#), money(Purchase, "USD", 2, 1999));
    assert_eq!(money_of("", r#""a":500,"c":"JPY""#), money(Purchase, "JPY", 0, 500));
    assert_eq!(money_of("", r#""a":1.2345,"c":"KWD""#), money(Purchase, "KWD", 3, 1234));
    assert_eq!(
        money_of("decimals = 2", r#""a":500.5,"c":"JPY""#),
        money(Purchase, "JPY", 2, 50050)
    );
    assert_eq!(money_of("", r#""a":-5,"c":"EUR""#), money(Return, "EUR", 2, 500));
    assert_eq!(money_of("", r#""c":"EUR""#), Ok(None));
    assert_eq!(money_of("", r#""a":null,"c":"EUR""#), Ok(None));
    let wrong = |detail: &str| Err(detail.to_owned());
    assert_eq!(money_of("", r#""a":"much","c":"EUR""#), wrong("/a: expected an amount"));
    assert_eq!(money_of("", r#""a":[1],"c":"EUR""#), wrong("/a: expected an amount"));
    assert_eq!(money_of("", r#""a":1e30,"c":"EUR""#), wrong("/a: expected an amount"));
    assert_eq!(money_of("", r#""a":1"#), wrong("/c: expected a value"));
    let letters = "/c: expected a currency code of three letters";
    assert_eq!(money_of("", r#""a":1,"c":"€""#), wrong(letters));
}

#[test]
fn rules_hold_when_all_of_their_conditions_do() {
    let rule = "when = { \"/type\" = [\"t\", \"u\"], \"/paid\" = true, \"/n\" = 7 }";
    let is = |fields: &str| money_of(rule, fields).map(|m| m.is_some());
    assert_eq!(is(r#""a":1,"c":"EUR","paid":true,"n":7"#), Ok(true));
    assert_eq!(is(r#""a":1,"c":"EUR","paid":false,"n":7"#), Ok(false));
    assert_eq!(is(r#""a":1,"c":"EUR","paid":true,"n":8"#), Ok(false));
    assert_eq!(is(r#""a":1,"c":"EUR","paid":true"#), Ok(false));
}

#[test]
fn a_consent_that_cannot_be_read_is_not_lost() {
    let web = shipped("web");
    let consent = |state: &str| {
        format!(
            r#"{{"event_id":"e","cookie_id":"c","type":"consent","purpose":"p",{state}"ts":"2024-01-01T00:00:00Z"}}"#
        )
    };
    assert!(read(&web, &consent(r#""state":"granted","#)).details.consent.is_some());
    let detail = "/state: expected `granted` or `withdrawn`";
    check_dead(&web, &consent(r#""state":"maybe","#), Reason::WrongType, detail);
    check_dead(&web, &consent(""), Reason::MissingField, "/state: expected a value");
}

#[test]
fn a_consent_says_by_which_channel_and_why() {
    let rule = r#"
        purpose = "/p"
        state = { value = "granted" }
        channel = "/by"
        basis = { value = "contract" }
        policy_version = "/v"
        source = "/how"
    "#;
    let text = include_str!("../../pipelines/people.toml");
    let people = mapping_of(&format!("{text}\n[source.people.consent]\n{rule}"), "people");
    let said = |fields: &str| {
        let payload = format!(r#"{{"record_id":"r1","p":"mail",{fields}"x":1}}"#);
        read(&people, &payload).details.consent.expect("it is a consent")
    };
    let whole = said(r#""by":"SMS","v":3,"how":"paper","#);
    assert_eq!(
        (whole.channel.as_deref(), whole.policy_version.as_deref()),
        (Some("sms"), Some("3"))
    );
    assert_eq!((whole.basis.as_deref(), &*whole.source), (Some("contract"), "paper"));
    let bare = said("");
    assert_eq!((bare.channel, bare.policy_version, &*bare.source), (None, None, "s"));
}

#[test]
fn details_that_cannot_be_read_are_left_out() {
    let text = include_str!("../../pipelines/people.toml");
    let rule = "items = \"/n\"\nresolved = \"/ok\"\nlanguage = \"/l\"\nproduct = \"/p\"";
    let people = mapping_of(&format!("{text}\n[source.people.detail]\n{rule}"), "people");
    let details =
        |fields: &str| read(&people, &format!(r#"{{"record_id":"r1",{fields}"x":1}}"#)).details;
    let whole = details(r#""n":"3","ok":"TRUE","l":"de","p":17,"#);
    assert_eq!((whole.items, whole.resolved), (Some(3), Some(true)));
    assert_eq!((whole.language.as_deref(), whole.product.as_deref()), (Some("de"), Some("17")));
    let none = details(r#""n":-1,"ok":"perhaps","l":"N/A","p":{},"#);
    assert_eq!((none.items, none.resolved, none.language, none.product), (None, None, None, None));
}

#[test]
fn a_suppression_may_end() {
    let rules = r#"
        [[source.people.suppression]]
        when = { "/type" = "resubscribe" }
        channel = ["sms", "email"]
        lifts = true
        [[source.people.suppression]]
        channel = "phone"
        reason = "/why"
    "#;
    let text = include_str!("../../pipelines/people.toml");
    let people = mapping_of(&format!("{text}\n{rules}"), "people");
    let said = |fields: &str| {
        let payload = format!(r#"{{"record_id":"r1",{fields}"x":1}}"#);
        read(&people, &payload).details.suppression.expect("it is a suppression")
    };
    let lifted = said(r#""type":"resubscribe","#);
    assert_eq!(lifted.channels, [ContactChannel::Email, ContactChannel::Sms]);
    assert_eq!(lifted.state, SuppressionState::Lifted);
    let begun = said(r#""why":"asked","#);
    assert_eq!((begun.channels.len(), &*begun.reason), (1, "asked"));
    assert_eq!(&*said("").reason, "row", "the event's type");
}

#[test]
fn a_customer_may_ask_to_be_forgotten() {
    let rules = r#"
        [[source.people.erasure]]
        when = { "/type" = "privacy_request", "/request" = ["erasure", "deletion"] }
        [[source.people.erasure]]
        when = { "/gone" = true }
    "#;
    let text = include_str!("../../pipelines/people.toml");
    let people = mapping_of(&format!("{text}\n{rules}"), "people");
    for (fields, asks) in [
        (r#""type":"privacy_request","request":"erasure""#, true),
        (r#""type":"privacy_request","request":"deletion""#, true),
        (r#""type":"privacy_request","request":"access""#, false),
        (r#""request":"erasure""#, false),
        (r#""gone":true"#, true),
        (r#""gone":"maybe""#, false),
    ] {
        let event = read(&people, &format!(r#"{{"record_id":"r1",{fields}}}"#));
        assert_eq!(event.asks_erasure, asks, "{fields}");
    }
}

#[test]
fn a_keyed_row_is_named_after_its_key_and_content() {
    let people = mapping_of(include_str!("../../pipelines/people.toml"), "people");
    let one = read(&people, r#"{"record_id":"r1","first_name":"Ann","zip":12180.0}"#);
    let same = read(&people, r#"{"record_id":"r1","first_name":"Ann","zip":12180.0}"#);
    let newer = read(&people, r#"{"record_id":"r1","first_name":"Anne"}"#);
    let number = read(&people, r#"{"unique_id":17,"given_name":"Bo"}"#);
    assert_eq!(one.event_id, same.event_id);
    assert_ne!(one.event_id, newer.event_id);
    assert_eq!(one.record_id.as_deref(), Some("r1"));
    assert_eq!(number.record_id.as_deref(), Some("17"));
    assert_eq!((&*one.kind, &*one.channel, one.occurred_at), ("row", "people", 0));
    assert_eq!(one.identity[&RawField::Postcode], "12180");
    let detail = "/record_id or /id or /unique_id: expected a value";
    check_dead(&people, "{}", Reason::MissingField, detail);
    let detail = "/record_id: expected a text or a number";
    check_dead(&people, r#"{"record_id":{}}"#, Reason::WrongType, detail);
}

#[test]
fn no_detail_holds_a_value() {
    let secret = "s3cr3t";
    let payloads = [
        format!(r#"{{"event_id":"{secret}"}}"#),
        format!(r#"{{"event_id":["{secret}"]}}"#),
        format!(r#"{{"event_id":"e","type":"t","ts":"{secret}"}}"#),
        format!(r#"{{"event_id":"{secret}"#),
        format!(r#"{{"{secret}":{secret}}}"#),
        format!(
            r#"{{"event_id":"e","cookie_id":"c","type":"consent","purpose":"p","state":"{secret}","ts":"2024-01-01T00:00:00Z"}}"#
        ),
        format!(
            r#"{{"event_id":"e","cookie_id":"c","type":"purchase","order":{{"amount":"{secret}","currency":"EUR"}},"ts":"2024-01-01T00:00:00Z"}}"#
        ),
        format!(
            r#"{{"event_id":"e","cookie_id":"c","type":"purchase","order":{{"amount":1,"currency":"{secret}"}},"ts":"2024-01-01T00:00:00Z"}}"#
        ),
    ];
    for payload in payloads {
        let letter = shipped("web").read(&message(&payload)).expect_err(&payload);
        assert!(!letter.detail.contains(secret), "{}", letter.detail);
    }
}
