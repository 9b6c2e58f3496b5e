//! A real S3 server: moto, one process a test.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use onefold::sink::open_store;

use super::process::Server;
use super::python::Python;
use super::repository;

/// The bucket that every server has.
const BUCKET: &str = "bucket";

/// A server with one bucket.
pub(crate) struct S3 {
    server: Server,
}

impl S3 {
    pub(crate) fn start(python: &Python) -> Self {
        let program = python.program("moto_server");
        let command = move |port: u16| {
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        };
        Self::with(command)
    }

    /// Starts a server that has everything again after [`S3::kill`] and [`S3::restart`].
    pub(crate) fn durable(python: &Python) -> Self {
        let (program, journal) = (python.program("python"), super::folder());
        let command = move |port: u16| {
            let mut command = Command::new(&program);
            command.arg(repository("tests/servers/durable_s3.py")).arg(port.to_string());
            command.arg(journal.path().join("journal"));
            command
        };
        Self::with(command)
    }

    fn with(command: impl Fn(u16) -> Command + Send + Sync + 'static) -> Self {
        let answers = |port: u16| put_bucket(port).is_ok_and(|answer| answer.contains(" 200 "));
        Self { server: Server::start(command, answers) }
    }

    /// Ends the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts the server again on the same port.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.server.restart();
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port
    }

    /// The URL of a folder in the bucket.
    pub(crate) fn url(&self, folder: &str) -> String {
        format!("s3://{BUCKET}/{folder}")
    }

    /// Puts an object.
    pub(crate) fn put(&self, path: &str, content: String) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (store, root) = open_store(&self.url(""), &self.environment()).expect("the bucket");
        let path = Path::from(format!("{root}/{path}"));
        runtime.block_on(store.put(&path, content.into())).expect("put an object");
    }

    /// What clients must know, by the names of the environment.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let endpoint = format!("http://127.0.0.1:{}", self.server.port);
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }
}

/// Makes the bucket; the answer's head, where there is one.
fn put_bucket(port: u16) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        connection,
        "PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
