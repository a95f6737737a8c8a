//! What the connections of a lane share: where they go, what they send, who owns which socket.

use super::link::State;
use super::request::Templates;
use super::socket::{Fault, READ, ROOM, Socket};
use crate::client::{ConnectError, Endpoint};
use crate::load::exchange::Prepared;
use crate::load::leg::Leg;
use mio::{Registry, Token};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Sockets that were answered and wait for the peer to close them, at most: several lanes of them fit the usual limit of 1024 files.
const LINGERING: usize = 256;

/// How long each waits, nanoseconds.
const LINGER: u64 = 1_000_000_000;

/// A head that is carried over, or a frame.
const CARRIED: usize = 80 << 10;

/// See the module.
pub(super) struct Ground {
    pub endpoint: Endpoint,
    pub leg: Leg,
    /// Calls at once on each connection.
    pub streams: usize,
    pub prepared: Arc<Prepared>,
    pub templates: Arc<Templates>,
    /// For making a connection, nanoseconds.
    pub timeout: u64,
    pub tokens: Tokens,
    /// What is read lands here.
    pub scratch: Vec<u8>,
    /// Records of TLS.
    pub raw: Vec<u8>,
    registry: Registry,
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Cause {
    /// The system or TLS says so.
    Fault(Fault),
    /// The peer closed it.
    Ended,
    /// It was not there in time.
    Silent,
    /// The peer does not keep to the protocol.
    Broken(&'static str),
    /// The first bytes were of something else.
    Foreign(Vec<u8>),
}

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        Cause::Fault(fault)
    }
}

impl Cause {
    /// What was read breaks the rules; the first bytes of a connection may be of another protocol.
    pub fn broken(why: &'static str, state: State, input: &[u8]) -> Cause {
        match state {
            State::Opening(_) => Cause::Foreign(input[..input.len().min(64)].to_vec()),
            _ => Cause::Broken(why),
        }
    }

    /// A sentence.
    pub fn explain(&self, ground: &Ground, heard: bool, opening: bool) -> ConnectError {
        let address = ground.endpoint.address();
        let instead = ground.endpoint.with_other_scheme();
        let within = Duration::from_nanos(ground.timeout);
        let line = |head: &[u8]| {
            let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
            line.trim_ascii_end().escape_ascii().to_string()
        };
        let failed = |reason: String| match ground.leg.is_multiplexed() {
            true => ConnectError::Http2 {
                address: ground.endpoint.address(),
                reason,
            },
            false => ConnectError::Http {
                address: ground.endpoint.address(),
                reason,
            },
        };
        match self {
            Cause::Fault(Fault::Tls(error)) => ground.endpoint.explain(error),
            Cause::Fault(Fault::Protocol) => ConnectError::NoAlpn { address },
            Cause::Fault(Fault::System(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
                io::ErrorKind::AddrNotAvailable => ConnectError::Unreachable {
                    address,
                    reason: "no local port is left: connections that were closed keep theirs for a minute; send fewer requests \
                             on this leg, or widen net.ipv4.ip_local_port_range"
                        .to_owned(),
                },
                _ if !opening => failed(error.to_string()),
                io::ErrorKind::ConnectionReset => ConnectError::Closed {
                    address,
                    reason: error.to_string(),
                },
                _ => ConnectError::Unreachable {
                    address,
                    reason: error.to_string(),
                },
            },
            Cause::Ended if !opening => failed("the target closed the connection".to_owned()),
            Cause::Ended => ConnectError::Closed {
                address,
                reason: "end of stream".to_owned(),
            },
            Cause::Silent if !heard => ConnectError::NoTcp { address, within },
            Cause::Silent => ConnectError::Silent {
                address,
                awaited: if ground.leg.is_multiplexed() { "HTTP/2 SETTINGS frame" } else { "end of the TLS handshake" },
                within,
            },
            Cause::Broken(why) => failed((*why).to_owned()),
            Cause::Foreign(head) => match head.as_slice() {
                [b'H', b'T', b'T', b'P', b'/', ..] => ConnectError::Http1 {
                    address,
                    line: line(head),
                },
                [0x15 | 0x16, 3, ..] => ConnectError::SpeaksTls { address, instead },
                _ => ConnectError::Foreign {
                    address,
                    sent: line(head),
                },
            },
        }
    }
}

impl Ground {
    pub fn new(
        endpoint: Endpoint,
        leg: Leg,
        prepared: Arc<Prepared>,
        templates: Templates,
        registry: Registry,
    ) -> Ground {
        Ground {
            endpoint,
            leg,
            streams: 1,
            prepared,
            templates: Arc::new(templates),
            timeout: 0,
            tokens: Tokens::default(),
            scratch: vec![0; CARRIED + ROOM],
            raw: vec![0; READ],
            registry,
        }
    }

    /// Begins to connect.
    pub fn socket(&self, address: SocketAddr, token: usize) -> Result<Socket, Fault> {
        let http2 = self.leg.is_multiplexed();
        Socket::open(&self.endpoint, address, http2, &self.registry, Token(token))
    }
}

/// Who owns the sockets.
#[derive(Default)]
pub(super) struct Tokens {
    owners: Vec<Owner>,
    free: Vec<usize>,
    /// Those that wait for their end, the oldest first, and until when.
    lingering: VecDeque<(usize, u64, u64)>,
    /// Of the next one that waits, so that a token that is used again is told apart.
    serial: u64,
}

/// Whom an event is for.
#[derive(Default)]
pub(super) enum Owner {
    /// Nobody any more: the socket was closed while its event was on its way.
    #[default]
    Nobody,
    /// A connection.
    Link(usize),
    /// A socket that waits for the peer to close it.
    Linger(Lingering),
}

/// Kept open, and closed by being dropped.
pub(super) struct Lingering {
    serial: u64,
    _socket: Socket,
}

impl Tokens {
    /// A token for a socket of a connection.
    pub fn take(&mut self, link: usize) -> usize {
        let token = match self.free.pop() {
            Some(token) => token,
            None => {
                self.owners.push(Owner::Nobody);
                self.owners.len() - 1
            }
        };
        self.set(token, Owner::Link(link));
        token
    }

    pub fn set(&mut self, token: usize, owner: Owner) {
        if let Some(place) = self.owners.get_mut(token) {
            *place = owner;
        }
    }

    pub fn owner(&self, token: usize) -> &Owner {
        self.owners.get(token).unwrap_or(&Owner::Nobody)
    }

    /// The socket is closed.
    pub fn give_back(&mut self, token: usize) {
        if token < self.owners.len() {
            self.set(token, Owner::Nobody);
            self.free.push(token);
        }
    }

    /// Keeps a socket until the peer closes it.
    pub fn linger(&mut self, token: usize, socket: Socket, now: u64) {
        self.serial += 1;
        let lingering = Lingering {
            serial: self.serial,
            _socket: socket,
        };
        self.set(token, Owner::Linger(lingering));
        self.lingering
            .push_back((token, self.serial, now.saturating_add(LINGER)));
        if self.lingering.len() > LINGERING {
            self.let_go(u64::MAX, 1);
        }
    }

    /// Closes sockets that have waited long enough, so many at most.
    pub fn let_go(&mut self, now: u64, mut most: usize) {
        while most > 0
            && let Some((token, serial, until)) = self.lingering.front().copied()
            && now >= until
        {
            self.lingering.pop_front();
            if matches!(self.owner(token), Owner::Linger(lingering) if lingering.serial == serial) {
                self.give_back(token);
            }
            most -= 1;
        }
    }
}
