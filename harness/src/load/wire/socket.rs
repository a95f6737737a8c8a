//! One TCP connection, with TLS or without, that never blocks.

use crate::client::Endpoint;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use tokio_rustls::rustls::{ClientConnection, Error as TlsError};

/// How much is read from the system at once, at most.
pub(super) const READ: usize = 64 << 10;

/// What the buffer of [`Socket::read`] must hold beyond what is carried over: a read, and what TLS may have kept back.
pub(super) const ROOM: usize = READ + (32 << 10);

/// See the module.
pub(super) struct Socket {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// TCP and TLS have been made, and the protocol asked for was agreed on.
    ready: bool,
    /// The peer has been heard: TCP at least has been made.
    pub heard: bool,
}

/// What a read has brought.
pub(super) struct Taken {
    /// Bytes for the protocol.
    pub bytes: usize,
    /// The system may hold more.
    pub more: bool,
    /// The peer will send nothing any more.
    pub ended: bool,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The system says so.
    System(io::Error),
    /// TLS says so.
    Tls(TlsError),
    /// The peer speaks TLS but did not agree on the protocol.
    Protocol,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::System(error)
    }
}

impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        Fault::Tls(error)
    }
}

impl Socket {
    /// Begins to connect.
    pub fn open(
        endpoint: &Endpoint,
        address: SocketAddr,
        http2: bool,
        registry: &Registry,
        token: Token,
    ) -> Result<Socket, Fault> {
        let mut tcp = TcpStream::connect(address)?;
        // Small frames must not wait for each other's acknowledgement.
        tcp.set_nodelay(true)?;
        // Edges of both, once for its life: nothing is changed at each wait.
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        let tls = match endpoint.secure(http2) {
            None => None,
            Some((config, name)) => {
                let mut tls = ClientConnection::new(config, name)?;
                // What is written during the handshake waits here, and our own buffer bounds it.
                tls.set_buffer_limit(None);
                Some(Box::new(tls))
            }
        };
        Ok(Socket {
            tcp,
            tls,
            ready: false,
            heard: false,
        })
    }

    /// Writes what fits; how much of `bytes` is not our concern any more. With TLS it goes into records at once, and those wait.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let Some(tls) = &mut self.tls else {
            let written = unless_blocked(self.tcp.write(bytes))?;
            if written > 0 {
                (self.heard, self.ready) = (true, true);
            }
            return Ok(written);
        };
        if !bytes.is_empty() {
            tls.writer().write_all(bytes)?;
        }
        self.flush()?;
        Ok(bytes.len())
    }

    /// Hands the records of TLS to the system.
    pub fn flush(&mut self) -> Result<(), Fault> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                if unless_blocked(tls.write_tls(&mut self.tcp))? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether records of TLS wait for the system.
    pub fn is_behind(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Whether TCP and TLS have been made. An error where they cannot be made any more.
    pub fn is_ready(&mut self, http2: bool) -> Result<bool, Fault> {
        if self.ready {
            return Ok(true);
        }
        if let Some(error) = self.tcp.take_error()? {
            return Err(error.into());
        }
        match self.tcp.peer_addr() {
            Ok(_) => self.heard = true,
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if let Some(tls) = &self.tls {
            if tls.is_handshaking() {
                return Ok(false);
            }
            let agreed = tls.alpn_protocol();
            if http2 && agreed != Some(b"h2") || !http2 && agreed.is_some_and(|name| name != b"http/1.1") {
                return Err(Fault::Protocol);
            }
        }
        self.ready = true;
        Ok(true)
    }

    /// Reads once. `raw` is for records of TLS; `to` has [`ROOM`].
    pub fn read(&mut self, to: &mut [u8], raw: &mut [u8]) -> Result<Taken, Fault> {
        let Some(tls) = &mut self.tls else {
            let room = to.len().min(READ);
            return Ok(match self.tcp.read(&mut to[..room]) {
                Ok(bytes) => Taken {
                    bytes,
                    more: bytes == room,
                    ended: bytes == 0,
                },
                Err(error) => blocked(error)?,
            });
        };
        let read = match self.tcp.read(raw) {
            Ok(read) => read,
            Err(error) => return Ok(blocked(error)?),
        };
        let mut taken = Taken {
            bytes: 0,
            more: read == raw.len(),
            ended: read == 0,
        };
        self.heard |= read > 0;
        let mut records = &raw[..read];
        while !records.is_empty() {
            tls.read_tls(&mut records)?;
            if let Err(error) = tls.process_new_packets() {
                // The alert says why; whether it arrives is the peer's concern.
                let _ = tls.write_tls(&mut self.tcp);
                return Err(error.into());
            }
            loop {
                match tls.reader().read(&mut to[taken.bytes..]) {
                    Ok(0) => {
                        taken.ended = true;
                        break;
                    }
                    Ok(bytes) => taken.bytes += bytes,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.flush()?;
        Ok(taken)
    }
}

fn unless_blocked(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted
            ) =>
        {
            Ok(0)
        }
        other => other,
    }
}

fn blocked(error: io::Error) -> io::Result<Taken> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::NotConnected => Ok(Taken {
            bytes: 0,
            more: false,
            ended: false,
        }),
        ErrorKind::Interrupted => Ok(Taken {
            bytes: 0,
            more: true,
            ended: false,
        }),
        _ => Err(error),
    }
}
