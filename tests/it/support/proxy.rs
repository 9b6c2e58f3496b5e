//! A way to a server that can be blocked at one request, so that a process is caught in the middle of it, or on which
//! requests fail at random.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::random::Random;

/// The request at which the way is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// It never reaches the server.
    Request(&'static str),
    /// The server has done it, but its answer never arrives.
    Answer(&'static str),
}

/// What may go wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It never reaches the server, and is answered with a server's error.
    Error(&'static str),
    /// It never reaches the server, and the connection is closed.
    Reset,
    /// The server does it, and the connection is closed before the answer arrives.
    Lost,
    /// It takes its time.
    Slow,
    /// Nothing happens for a while, then the connection is closed.
    Timeout,
}

const FAULTS: [Fault; 7] = [
    Fault::Error("500 Internal Server Error"),
    Fault::Error("503 Slow Down"),
    Fault::Reset,
    Fault::Lost,
    Fault::Lost,
    Fault::Slow,
    Fault::Timeout,
];

const SLOWNESS: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_secs(2);

/// What comes back from a server over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    Passes,
    /// It is swallowed, and the client waits.
    Swallowed,
    /// The connection is closed instead.
    Closes,
}

/// How many requests in a thousand go wrong, and by which chance.
struct Disturbance {
    share: u64,
    random: Random,
}

/// What all connections share.
#[derive(Default)]
struct Shared {
    /// What to block, and how many such requests to let pass before.
    block: Mutex<Option<(Block, usize)>>,
    disturbance: Mutex<Option<Disturbance>>,
    faults: AtomicU64,
    caught: AtomicBool,
    closed: AtomicBool,
}

/// Passes bytes on between clients and one server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::<Shared>::default();
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if all.closed.load(Ordering::Acquire) {
                    return;
                }
                let server = TcpStream::connect(("127.0.0.1", server));
                // A side that is gone closes the connection of the other.
                if let (Ok(client), Ok(server)) = (client, server) {
                    connect(client, server, &all);
                }
            }
        });
        Self { port, shared }
    }

    /// Blocks the way at a PUT whose path contains a text, after `pass` such requests.
    pub(crate) fn block(&self, block: Block, pass: usize) {
        self.shared.caught.store(false, Ordering::Release);
        *self.shared.block.lock().expect("no thread panicked") = Some((block, pass));
    }

    /// Lets so many requests in a thousand fail from now on, in ways drawn by a seed.
    pub(crate) fn disturb(&self, share: u64, seed: u64) {
        let disturbance = Disturbance { share, random: Random::new(seed) };
        *self.shared.disturbance.lock().expect("no thread panicked") =
            (share > 0).then_some(disturbance);
    }

    /// How many requests failed so far.
    pub(crate) fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Acquire)
    }

    /// Whether the request came.
    pub(crate) fn has_caught(&self) -> bool {
        self.shared.caught.load(Ordering::Acquire)
    }

    /// Opens the way for new connections.
    pub(crate) fn open(&self) {
        *self.shared.block.lock().expect("no thread panicked") = None;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        // Wakes the listener, which may be gone.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    /// What to do about what a client sends; each request begins a piece of it.
    fn blocks(&self, sent: &[u8]) -> Option<Block> {
        let line = sent.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut waiting = self.block.lock().expect("no thread panicked");
        let (block, pass) = waiting.as_mut()?;
        let (Block::Request(path) | Block::Answer(path)) = *block;
        if !line.starts_with("PUT ") || !line.contains(path) {
            return None;
        }
        if *pass > 0 {
            *pass -= 1;
            return None;
        }
        Some(*block)
    }

    /// What goes wrong with what a client sends, by chance; only what begins a request can.
    fn fails(&self, sent: &[u8]) -> Option<Fault> {
        let begins = [&b"PUT "[..], b"GET ", b"POST ", b"HEAD ", b"DELETE "];
        if !begins.iter().any(|method| sent.starts_with(method)) {
            return None;
        }
        let mut disturbance = self.disturbance.lock().expect("no thread panicked");
        let Disturbance { share, random } = disturbance.as_mut()?;
        if random.below(1_000) >= *share {
            return None;
        }
        self.faults.fetch_add(1, Ordering::AcqRel);
        Some(FAULTS[usize::try_from(random.below(FAULTS.len() as u64)).expect("a small number")])
    }
}

/// Passes on what both sides send until one of them closes, or a fault closes both.
fn connect(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let back = Arc::new(Mutex::new(Back::Passes));
    let there = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    let mut answer = client.try_clone().expect("a socket");
    let (shared_there, back_there) = (Arc::clone(shared), Arc::clone(&back));
    thread::spawn(move || {
        let set = |to| *back_there.lock().expect("no thread panicked") = to;
        pass(there, |sent| {
            match shared_there.blocks(sent) {
                None => {}
                Some(Block::Answer(_)) => set(Back::Swallowed),
                Some(Block::Request(_)) => {
                    shared_there.caught.store(true, Ordering::Release);
                    return Pass::Swallow;
                }
            }
            match shared_there.fails(sent) {
                None => return Pass::On,
                Some(Fault::Slow) => {
                    thread::sleep(SLOWNESS);
                    return Pass::On;
                }
                Some(Fault::Lost) => {
                    set(Back::Closes);
                    return Pass::On;
                }
                Some(Fault::Error(status)) => {
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    // The client may be gone.
                    let _ = answer.write_all(head.as_bytes());
                }
                Some(Fault::Timeout) => thread::sleep(TIMEOUT),
                Some(Fault::Reset) => {}
            }
            Pass::Close
        });
    });
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        pass((server, client), |_| match *back.lock().expect("no thread panicked") {
            Back::Passes => Pass::On,
            Back::Closes => Pass::Close,
            Back::Swallowed => {
                shared.caught.store(true, Ordering::Release);
                Pass::Swallow
            }
        });
    });
}

/// What becomes of what one side sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    On,
    /// It and what follows is swallowed.
    Swallow,
    Close,
}

/// Passes on what one side sends, as long as `decides` says so.
fn pass((mut from, mut to): (TcpStream, TcpStream), mut decides: impl FnMut(&[u8]) -> Pass) {
    let mut buffer = vec![0; 64 << 10];
    let mut swallows = false;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if swallows {
            continue;
        }
        match decides(&buffer[..length]) {
            Pass::On if to.write_all(&buffer[..length]).is_ok() => {}
            Pass::Swallow => swallows = true,
            Pass::On | Pass::Close => break,
        }
    }
    // It may be closed already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
