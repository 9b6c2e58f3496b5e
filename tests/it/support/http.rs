//! The endpoint of a running job, asked as a probe asks it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::process::Process;
use super::wait_until;

/// Where the endpoint of a job is, and what is known to ask it.
pub(crate) struct Endpoint {
    address: String,
    token: Option<String>,
    tls: Option<Arc<ClientConfig>>,
}

/// What the endpoint answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Endpoint {
    /// Waits until the job says where it listens.
    pub(crate) fn of(process: &mut Process) -> Self {
        let said = "address=\"";
        wait_until("it listens", || {
            assert!(!process.has_ended(), "it ended: {}", process.log());
            process.log().contains(said)
        });
        let log = process.log();
        let address = log.split(said).nth(1).and_then(|rest| rest.split('"').next());
        let address = address.expect("the line is whole").to_owned();
        Self { address, token: None, tls: None }
    }

    /// Sends a token from now on.
    pub(crate) fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Speaks TLS from now on, and trusts one certificate.
    pub(crate) fn with_tls(self, certificate: &Path) -> Self {
        let mut trusted = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
        trusted.add(certificate).expect("it can be trusted");
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider's own")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Self { tls: Some(Arc::new(config)), ..self }
    }

    /// The answer to a GET; `None` where nobody answers.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n");
        let answer = match &self.tls {
            None => talk(&mut stream, &request)?,
            Some(config) => {
                let name = ServerName::try_from("localhost").expect("a name");
                let client = ClientConnection::new(Arc::clone(config), name).expect("a client");
                talk(&mut StreamOwned::new(client, stream), &request)?
            }
        };
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|| panic!("{path}: nobody answers"))
    }

    /// The samples of `/metrics`, by name and labels.
    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200);
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            (name.to_owned(), value.parse().expect("a number"))
        };
        Metrics(answer.body.lines().filter(|line| !line.starts_with('#')).map(sample).collect())
    }
}

fn talk(stream: &mut (impl Read + Write), request: &str) -> Option<String> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    String::from_utf8(answer).ok()
}

/// What was scraped.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) BTreeMap<String, f64>);

impl Metrics {
    /// The sum over all labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of = |key: &str| key.split('{').next() == Some(name);
        self.0.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    }

    /// Whether just so many `events` and `letters` are published, and nothing is left to publish.
    ///
    /// Counts what tables were given: what was read is counted before its commit shows.
    pub(crate) fn tell_all_published(&self, events: usize, letters: usize) -> bool {
        let rows = |table: &str| {
            let key = format!("onefold_rows_published_total{{table=\"{table}\"}}");
            self.0.get(&key).copied().unwrap_or_default()
        };
        rows("interactions") == events as f64
            && rows("dead_letters") == letters as f64
            && self.sum("onefold_published_sequence") == self.sum("onefold_commit_sequence")
    }
}
