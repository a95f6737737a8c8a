//! A peer that sends HTTP/2 as bytes: what no library would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A field of a header block, as it is and not for the table.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(value.len() as u8);
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

/// The header block of a good answer.
pub fn good_head() -> Vec<u8> {
    [vec![0x88], field("content-type", "application/grpc")].concat()
}

/// A peer that settles, and answers each complete request with the bytes that `script` makes for its number, from 0, and stream.
pub fn scripted(script: impl Fn(usize, u32) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let script = Arc::clone(&script);
            std::thread::spawn(move || serve(stream, &*script));
        }
    });
    address
}

fn serve(mut stream: TcpStream, script: &dyn Fn(usize, u32) -> Vec<u8>) -> Option<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream.write_all(&frame(4, 0, 0, &[])).ok()?;
    let mut requests = 0;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).ok()?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let answer = match (head[3], head[4] & 1) {
            (4, 0) => frame(4, 1, 0, &[]),
            (0 | 1, 1) => {
                requests += 1;
                script(requests - 1, id)
            }
            _ => continue,
        };
        stream.write_all(&answer).ok()?;
    }
}
