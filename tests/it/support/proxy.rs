//! A way to a server that can be blocked at one request, so that a process is caught in the middle of it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The request at which the way is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// It never reaches the server.
    Request(&'static str),
    /// The server has done it, but its answer never arrives.
    Answer(&'static str),
}

/// What all connections share.
#[derive(Default)]
struct Shared {
    /// What to block, and how many such requests to let pass before.
    block: Mutex<Option<(Block, usize)>>,
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
}

/// Passes on what both sides send until one of them closes.
fn connect(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let mute = Arc::new(AtomicBool::new(false));
    let (shared_there, mute_there) = (Arc::clone(shared), Arc::clone(&mute));
    let there = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    thread::spawn(move || {
        pass(there, |sent| match shared_there.blocks(sent) {
            None => true,
            Some(Block::Answer(_)) => {
                mute_there.store(true, Ordering::Release);
                true
            }
            Some(Block::Request(_)) => {
                shared_there.caught.store(true, Ordering::Release);
                false
            }
        });
    });
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        pass((server, client), |_| {
            let mute = mute.load(Ordering::Acquire);
            shared.caught.fetch_or(mute, Ordering::AcqRel);
            !mute
        });
    });
}

/// Passes on what one side sends, but not what comes after `goes_on` said no.
fn pass((mut from, mut to): (TcpStream, TcpStream), goes_on: impl Fn(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    let mut open = true;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        open = open && goes_on(&buffer[..length]);
        if open && to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // It may be closed already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
