//! The name and TCP.

use super::super::evidence::{Evidence, Name, Tcp, TcpEnd};
use super::ms;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Addresses that are tried.
const TRIED: usize = 4;

/// Resolves the name.
pub(super) async fn name(evidence: &mut Evidence, host: &str, port: u16, within: Duration) -> Vec<SocketAddr> {
    let began = Instant::now();
    let (addresses, error) = match timeout(within, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => (found.collect(), None),
        Ok(Err(error)) => (Vec::new(), Some(error.to_string())),
        Err(_) => {
            let text = format!("no answer within {}", humantime::format_duration(within));
            (Vec::new(), Some(text))
        }
    };
    let addresses: Vec<SocketAddr> = addresses;
    let none = || addresses.is_empty().then(|| "it has no address".to_owned());
    evidence.name = Some(Name {
        addresses: addresses.iter().map(|address| address.ip().to_string()).collect(),
        error: error.or_else(none),
        took_ms: ms(began.elapsed()),
    });
    addresses
}

/// Tries the addresses; the first that took a connection.
pub(super) async fn tcp(evidence: &mut Evidence, addresses: &[SocketAddr], within: Duration) -> Option<SocketAddr> {
    for address in addresses.iter().take(TRIED) {
        let began = Instant::now();
        let end = match timeout(within, TcpStream::connect(address)).await {
            Ok(Ok(_)) => TcpEnd::Connected,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => TcpEnd::Refused,
            Ok(Err(error)) => TcpEnd::Failed(error.to_string()),
            Err(_) => TcpEnd::NoAnswer,
        };
        let connected = end == TcpEnd::Connected;
        evidence.tcp.push(Tcp {
            address: address.to_string(),
            end,
            took_ms: ms(began.elapsed()),
        });
        if connected {
            return Some(*address);
        }
    }
    None
}
