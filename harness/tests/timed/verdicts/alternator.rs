//! A balancer of connections: each goes to the next server.

use std::{
    io::copy,
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

/// Listens until the test process ends.
pub struct Alternator {
    /// Where.
    pub address: String,
}

impl Alternator {
    /// Before some servers.
    pub fn start(to: &[&str]) -> Alternator {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
        thread::spawn(move || {
            for (client, to) in listener.incoming().flatten().zip(to.iter().cycle()) {
                let Ok(server) = TcpStream::connect(to) else { continue };
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    thread::spawn(move || {
                        let _ = copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Alternator { address }
    }
}
