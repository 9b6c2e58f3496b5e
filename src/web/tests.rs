//! The endpoint over real connections.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::*;
use crate::config::{TlsPlan, Token};
use crate::telemetry::Activity;

const TOKEN: &str = "a-token-of-some-length";

fn plan() -> HttpPlan {
    HttpPlan {
        address: "127.0.0.1:0".parse().expect("an address"),
        token: None,
        token_for_all: false,
        tls: None,
    }
}

fn with_token(token_for_all: bool) -> HttpPlan {
    HttpPlan { token: Some(Token(TOKEN.to_owned())), token_for_all, ..plan() }
}

/// Sends bytes as they are; returns all that comes back until the server closes.
fn send(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    // A server that refuses early may close before all is sent.
    stream.write_all(bytes).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8(answer).expect("answers are UTF-8")
}

/// Status and body of a GET with further header lines.
fn get(server: &Server, path: &str, headers: &str) -> (u16, String) {
    let answer =
        send(server, format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

fn status(server: &Server, path: &str, headers: &str) -> u16 {
    get(server, path, headers).0
}

#[test]
fn probes_tell_how_the_job_is() {
    let telemetry = Telemetry::default();
    let server = Server::start(&plan(), &telemetry).expect("it starts");
    let (health, body) = get(&server, "/health", "");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((health, &body["doing"]), (200, &"opening the state".into()));
    let (ready, body) = get(&server, "/ready", "");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((ready, &body["ready"]), (503, &false.into()));
    assert_eq!(body["reasons"][0], "the state is being opened");
    telemetry.beat(Activity::Waiting);
    assert_eq!(status(&server, "/ready", ""), 200);
    let (metrics, text) = get(&server, "/metrics", "");
    assert_eq!(metrics, 200);
    assert!(text.contains("\nonefold_ready 1\n"), "{text}");
    assert!(
        text.contains(r#"onefold_http_requests_total{path="/ready",status="503"} 1"#),
        "{text}"
    );
    assert_eq!(status(&server, "/metrics?x=1", ""), 200);
}

#[test]
fn answers_name_their_type_and_are_not_kept() {
    let server = Server::start(&plan(), &Telemetry::default()).expect("it starts");
    for (path, kind) in [
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/health", "application/json"),
        ("/nowhere", "application/json"),
    ] {
        let answer = send(&server, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        assert!(answer.contains(&format!("content-type: {kind}\r\n")), "{answer}");
        assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    }
}

#[test]
fn what_may_be_personal_wants_the_token() {
    let open = Server::start(&plan(), &Telemetry::default()).expect("it starts");
    assert_eq!(status(&open, "/status", ""), 403);
    assert_eq!(status(&open, "/status", "Authorization: Bearer x\r\n"), 403);

    let server = Server::start(&with_token(false), &Telemetry::default()).expect("it starts");
    for path in ["/health", "/metrics"] {
        assert_eq!(status(&server, path, ""), 200);
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let (code, body) = get(&server, "/status", &right);
    assert_eq!(code, 200);
    assert!(serde_json::from_str::<Value>(&body).expect("JSON")["sources"].is_object());
    assert_eq!(status(&server, "/status", &right.to_lowercase()), 200);
    for wrong in [
        String::new(),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: {TOKEN}\r\n"),
        format!("Authorization: Bearer {TOKEN}x\r\n"),
        format!("Authorization: Bearer {}\r\n", &TOKEN[1..]),
        "Authorization: Bearer \r\n".to_owned(),
        "Authorization:\r\n".to_owned(),
    ] {
        assert_eq!(status(&server, "/status", &wrong), 401, "{wrong}");
    }
}

#[test]
fn the_token_may_be_asked_for_everywhere() {
    let server = Server::start(&with_token(true), &Telemetry::default()).expect("it starts");
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    for path in ["/health", "/metrics", "/status"] {
        assert_eq!(status(&server, path, ""), 401);
        assert_eq!(status(&server, path, &right), 200);
    }
}

#[test]
fn other_requests_are_refused() {
    let server = Server::start(&plan(), &Telemetry::default()).expect("it starts");
    let check = |request: &str, expected: &str| {
        let answer = send(&server, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
    };
    check("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "404");
    check("GET /metrics/ HTTP/1.1\r\nHost: h\r\n\r\n", "404");
    check("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "405");
    check("GET /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "413");
    check("GET /metrics HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "413");
    check("HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n", "200");
    check("no request\r\n\r\n", "400");
    let long = "x".repeat(2 * HEAD_BYTES_MAX);
    check(&format!("GET /health HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"), "431");
    // It goes on answering.
    check("GET /health HTTP/1.1\r\nHost: h\r\n\r\n", "200");
}

#[test]
fn silent_callers_do_not_keep_others_out() {
    let server = Server::start(&plan(), &Telemetry::default()).expect("it starts");
    let connect = |_| TcpStream::connect(server.address()).expect("it listens");
    let silent: Vec<TcpStream> = (0..CONNECTIONS_MAX - 1).map(connect).collect();
    assert_eq!(status(&server, "/health", ""), 200);
    drop(silent);
}

#[test]
fn the_end_of_the_server_is_the_end_of_its_port() {
    let server = Server::start(&plan(), &Telemetry::default()).expect("it starts");
    let taken = HttpPlan { address: server.address(), ..plan() };
    let refused = Server::start(&taken, &Telemetry::default()).err().expect("it is taken");
    assert_eq!(refused.kind(), Kind::Unavailable);
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty.pem"), "").expect("write a file");
    for (certificate, key) in [("none.pem", "none.pem"), ("empty.pem", "empty.pem")] {
        let tls = Some(TlsPlan { certificate: path(certificate), key: path(key) });
        let refused = Server::start(&HttpPlan { tls, ..plan() }, &Telemetry::default());
        let refused = refused.err().expect("it cannot be used");
        assert_eq!(refused.kind(), Kind::Invalid);
        assert!(refused.to_string().starts_with("[http] tls."), "{refused}");
    }
}
