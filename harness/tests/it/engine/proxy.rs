//! Something between the client and the service.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// Passes bytes on to the service, until it falls silent: then it still accepts, and nothing comes back.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    /// How many it has accepted.
    pub connections: Arc<AtomicUsize>,
    /// Set, it passes nothing on any more.
    pub silent: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(to: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap().to_string(),
            connections: Arc::default(),
            silent: Arc::default(),
        };
        let (to, connections, silent) = (to.to_owned(), proxy.connections.clone(), proxy.silent.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(&to) else { continue };
                for (from, to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    let silent = silent.clone();
                    thread::spawn(move || pass(from, to, &silent));
                }
            }
        });
        proxy
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        // What arrives in silence is lost.
        if !silent.load(Ordering::SeqCst) && to.write_all(buffer.get(..count).unwrap_or_default()).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
