//! Requests as bytes, made before the clock starts.
//!
//! What all requests of a lane say alike (authority, user agent, tokens, …) goes into the peer's HPACK table with the first request
//! of a connection and is named by an index from then on, as other clients do it: so the bytes and the work of the peer are those
//! that it would have with them. Texts are not Huffman-coded.

use super::WireError;
use super::hpack::{ENTRY_OVERHEAD, FIRST_DYNAMIC, put_integer, put_text, static_index};
use super::marks::DIGITS;
use crate::client::Endpoint;
use crate::load::exchange::{Exchange, MARK_PREFIX, Prepared};
use crate::load::leg::Leg;
use crate::load::prepare::OF_HTTP;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};

/// The largest payload that every peer takes in a frame (RFC 9113 section 4.2).
pub(super) const FRAME: usize = 16_384;

/// A longer body is not framed in advance, but as the windows allow.
const FRAMED_IN_ADVANCE: usize = 1 << 20;

/// What may be in the peer's table, of the 4096 bytes that it has unless it says otherwise.
const INDEXED: usize = 3_500;

/// All requests of a lane.
pub(super) struct Templates {
    /// By operation and exchange.
    pub operations: Vec<Vec<Template>>,
    /// See [`Prepared::watches`].
    pub watches: Vec<Template>,
    /// What the peer's table must hold for the indexed form.
    pub table: usize,
}

/// One request.
pub(super) struct Template {
    /// HTTP/2: HEADERS, and CONTINUATION where it is long, by [`Form`]; stream ids are 0. HTTP/1.1: the head and the body.
    pub heads: [Vec<u8>; 3],
    /// HTTP/2: the body in DATA frames; empty where there is none, or where it is too long for that.
    pub data: Vec<u8>,
    /// The body.
    pub body: Bytes,
    /// Where the digits of the mark stand: each one in `data` (HTTP/1.1: in `heads`), as a frame may end within them.
    pub digits: Vec<usize>,
    /// Where they begin in `body`.
    pub mark: Option<usize>,
}

/// How the fields are written that all requests share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without the peer's table.
    Literal = 0,
    /// The first on its connection: they go into the table.
    First = 1,
    /// They are in it.
    Indexed = 2,
}

type Field = (String, Vec<u8>);

impl Templates {
    pub fn new(endpoint: &Endpoint, leg: Leg, prepared: &Prepared) -> Result<Templates, WireError> {
        let all = prepared.operations.iter().flat_map(|operation| &operation.exchanges);
        let mut fields = Vec::new();
        for exchange in all.chain(&prepared.watches) {
            check(exchange)?;
            fields.push(fields_of(exchange, endpoint, leg)?);
        }
        let shared = shared(&fields);
        let mut fields = fields.into_iter();
        let mut make = |exchange: &Exchange| {
            let fields = fields.next().unwrap_or_default();
            match leg.is_multiplexed() {
                true => http2(exchange, &fields, &shared),
                false => http1(exchange, &fields),
            }
        };
        let operations = prepared.operations.iter();
        let operations = operations
            .map(|operation| operation.exchanges.iter().map(&mut make).collect())
            .collect();
        Ok(Templates {
            operations,
            watches: prepared.watches.iter().map(make).collect(),
            table: shared.iter().map(size).sum(),
        })
    }
}

fn check(exchange: &Exchange) -> Result<(), WireError> {
    let refuse = |text: String| Err(WireError::Request(text));
    let token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !token(&exchange.method) || !token(&exchange.path) || !exchange.path.starts_with('/') {
        return refuse(format!("`{} {}` is no request line", exchange.method, exchange.path));
    }
    if let Some(at) = exchange.mark {
        let there = exchange.body.get(at..at.saturating_add(MARK_PREFIX.len() + DIGITS));
        if !there.is_some_and(|mark| mark.starts_with(MARK_PREFIX.as_bytes())) {
            return refuse(format!(
                "no `{MARK_PREFIX}` and 16 digits at byte {at} of the body of {}",
                exchange.path
            ));
        }
    }
    Ok(())
}

/// Name and value of each field, pseudo-headers first; those of HTTP/1.1 too, `host` being `:authority`.
fn fields_of(exchange: &Exchange, endpoint: &Endpoint, leg: Leg) -> Result<Vec<Field>, WireError> {
    let scheme = if endpoint.is_tls() { "https" } else { "http" };
    let mut fields: Vec<Field> = [
        (":method", exchange.method.as_str()),
        (":scheme", scheme),
        (":authority", &endpoint.authority),
        (":path", &exchange.path),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .into();
    if leg == Leg::Grpc {
        fields.push(("te".to_owned(), b"trailers".to_vec()));
    }
    for (name, value) in &exchange.headers {
        let name = checked(name, value)?;
        fields.push((name.as_str().to_owned(), value.clone()));
    }
    for (name, value) in &endpoint.metadata {
        // What the exchange says is encoded already.
        let value = match name.ends_with("-bin") {
            true => STANDARD_NO_PAD.encode(value).into_bytes(),
            false => value.clone(),
        };
        let name = checked(name, &value)?;
        if is_said_once(&name) {
            fields.retain(|(other, _)| other != name.as_str());
        }
        fields.push((name.as_str().to_owned(), value));
    }
    if leg != Leg::Grpc && (!exchange.body.is_empty() || matches!(exchange.method.as_str(), "POST" | "PUT" | "PATCH")) {
        fields.push((
            "content-length".to_owned(),
            exchange.body.len().to_string().into_bytes(),
        ));
    }
    if leg == Leg::RestH1Close {
        fields.push(("connection".to_owned(), b"close".to_vec()));
    }
    Ok(fields)
}

/// The name of a header that may be sent. The value may be a secret: it is not repeated.
fn checked(key: &str, value: &[u8]) -> Result<HeaderName, WireError> {
    let refuse = |text: String| Err(WireError::Request(text));
    let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
        return refuse(format!("`{key}` is no metadata key"));
    };
    if HeaderValue::from_bytes(value).is_err() {
        return refuse(format!("the value of the metadata `{key}` has control characters"));
    }
    match OF_HTTP.contains(&name.as_str()) {
        true => refuse(format!("the metadata `{name}` belongs to HTTP")),
        false => Ok(name),
    }
}

/// What replaces another value instead of adding to it: as in the client (`client::request`).
fn is_said_once(name: &HeaderName) -> bool {
    [ACCEPT, CONTENT_TYPE, USER_AGENT].contains(name) || name.as_str().starts_with("grpc-")
}

fn size((name, value): &Field) -> usize {
    name.len() + value.len() + ENTRY_OVERHEAD
}

/// The fields that every request has once, in an order that all keep, as far as the table takes them.
fn shared(all: &[Vec<Field>]) -> Vec<Field> {
    let Some((first, others)) = all.split_first() else {
        return Vec::new();
    };
    let once = |fields: &Vec<Field>, field: &Field| fields.iter().filter(|other| *other == field).count() == 1;
    let mut room = INDEXED;
    let mut shared = Vec::new();
    for field in first {
        let (name, value) = field;
        let is_static = static_index(name, value).0.is_some();
        let everywhere = once(first, field) && others.iter().all(|fields| once(fields, field));
        if !is_static && everywhere && size(field) <= room {
            room -= size(field);
            shared.push(field.clone());
        }
    }
    shared
}

fn http2(exchange: &Exchange, fields: &[Field], shared: &[Field]) -> Template {
    let heads = [Form::Literal, Form::First, Form::Indexed].map(|form| {
        let block = block(fields, shared, form);
        head_frames(&block, exchange.body.is_empty())
    });
    let body = exchange.body.clone();
    let (mut data, mut digits) = (Vec::new(), Vec::new());
    let mark = exchange.mark.map(|at| at + MARK_PREFIX.len());
    if body.len() <= FRAMED_IN_ADVANCE {
        let mut at = 0;
        let frames = body.len().div_ceil(FRAME);
        for (number, part) in body.chunks(FRAME).enumerate() {
            put_frame_head(part.len(), 0, u8::from(number + 1 == frames), 0, &mut data);
            let marked = mark.map(|mark| mark..mark + DIGITS).unwrap_or_default();
            digits.extend(
                marked
                    .filter(|digit| (at..at + part.len()).contains(digit))
                    .map(|digit| data.len() + digit - at),
            );
            data.extend_from_slice(part);
            at += part.len();
        }
    }
    Template {
        heads,
        data,
        body,
        digits,
        mark,
    }
}

fn block(fields: &[Field], shared: &[Field], form: Form) -> Vec<u8> {
    let mut block = Vec::new();
    let is_pseudo = |field: &&Field| field.0.starts_with(':');
    let own = |field: &&Field| !shared.contains(field);
    // Pseudo-headers come first; the shared ones in the same order in every request, so that the table is the same whichever
    // request is the first.
    let ordered = (fields.iter().filter(is_pseudo).filter(own))
        .chain(shared.iter().filter(is_pseudo))
        .chain(shared.iter().filter(|field| !is_pseudo(field)))
        .chain(fields.iter().filter(|field| !is_pseudo(field)).filter(own));
    for field in ordered {
        let (name, value) = field;
        let place = shared.iter().position(|other| other == field);
        let (whole, named) = static_index(name, value);
        match (place, form, whole) {
            (_, _, Some(index)) => put_integer(index, 0x80, 7, &mut block),
            (Some(place), Form::Indexed, _) => {
                put_integer(FIRST_DYNAMIC + shared.len() - 1 - place, 0x80, 7, &mut block);
            }
            _ => {
                let (pattern, bits) = match (place, form) {
                    (Some(_), Form::First) => (0x40, 6),
                    _ => (0, 4),
                };
                put_integer(named.unwrap_or(0), pattern, bits, &mut block);
                if named.is_none() {
                    put_text(name.as_bytes(), &mut block);
                }
                put_text(value, &mut block);
            }
        }
    }
    block
}

fn head_frames(block: &[u8], ends_stream: bool) -> Vec<u8> {
    const HEADERS: u8 = 1;
    const CONTINUATION: u8 = 9;
    let mut frames = Vec::new();
    let count = block.len().div_ceil(FRAME);
    for (number, part) in block.chunks(FRAME).enumerate() {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let end_headers = if number + 1 == count { 4 } else { 0 };
        let end_stream = u8::from(number == 0 && ends_stream);
        put_frame_head(part.len(), kind, end_headers | end_stream, 0, &mut frames);
        frames.extend_from_slice(part);
    }
    frames
}

/// The nine bytes of a frame (RFC 9113 section 4.1).
pub(super) fn put_frame_head(length: usize, kind: u8, flags: u8, stream: u32, to: &mut Vec<u8>) {
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    to.extend_from_slice(&[a, b, c, kind, flags, d, e, f, g]);
}

/// Gives all frames from `at` on the id of a stream.
pub(super) fn put_stream(frames: &mut [u8], mut at: usize, stream: u32) {
    while let Some([a, b, c, _, _, id @ ..]) = frames.get_mut(at..at + 9) {
        id.copy_from_slice(&stream.to_be_bytes());
        at += 9 + (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c));
    }
}

fn http1(exchange: &Exchange, fields: &[Field]) -> Template {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", exchange.method, exchange.path).into_bytes();
    for (name, value) in fields {
        let name = match name.as_str() {
            ":authority" => "host",
            name if name.starts_with(':') => continue,
            name => name,
        };
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let mark = exchange.mark.map(|at| at + MARK_PREFIX.len());
    let digits = mark.map(|mark| (bytes.len() + mark..bytes.len() + mark + DIGITS).collect());
    bytes.extend_from_slice(&exchange.body);
    Template {
        heads: [bytes, Vec::new(), Vec::new()],
        data: Vec::new(),
        body: exchange.body.clone(),
        digits: digits.unwrap_or_default(),
        mark,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::hpack::Decoder;
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        (name.to_owned(), value.as_bytes().to_vec())
    }

    fn fields(path: &str, own: &[Field]) -> Vec<Field> {
        let mut fields = vec![
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":authority", "example.com"),
            field(":path", path),
            field("te", "trailers"),
            field("x-twice", "1"),
            field("x-twice", "1"),
            field("authorization", "Bearer 1"),
        ];
        fields.extend_from_slice(own);
        fields
    }

    fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<Field> {
        let mut seen = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        decoder
            .decode(block, |name, value| seen.push((text(name), value.to_vec())))
            .unwrap();
        seen
    }

    fn sorted(mut fields: Vec<Field>) -> Vec<Field> {
        fields.sort();
        fields
    }

    #[test]
    fn a_request_says_the_same_in_every_form_whichever_is_the_first() {
        let all = [
            fields(
                "/a",
                &[field("grpc-timeout", "1S"), field("x-trace", &"t".repeat(3500))],
            ),
            fields("/b", &[field("grpc-timeout", "2S")]),
        ];
        let shared = shared(&all);
        assert_eq!(
            shared,
            [
                field(":authority", "example.com"),
                field("te", "trailers"),
                field("authorization", "Bearer 1")
            ]
        );
        for order in [[0, 1], [1, 0]] {
            let mut decoder = Decoder::new();
            let first = read(&mut decoder, &block(&all[order[0]], &shared, Form::First));
            assert_eq!(sorted(first.clone()), sorted(all[order[0]].clone()));
            let generation = decoder.generation();
            for which in order {
                for form in [Form::Indexed, Form::Literal] {
                    let seen = read(&mut decoder, &block(&all[which], &shared, form));
                    assert_eq!(sorted(seen.clone()), sorted(all[which].clone()), "{form:?}");
                    let pseudo = seen.iter().take_while(|(name, _)| name.starts_with(':')).count();
                    assert_eq!(pseudo, 4, "pseudo-headers come first");
                }
            }
            assert_eq!(decoder.generation(), generation, "only the first one changes the table");
            assert!(block(&all[1], &shared, Form::Indexed).len() + 30 < block(&all[1], &shared, Form::Literal).len());
        }
        let long = vec![field("x-long", &"l".repeat(5000))];
        assert_eq!(super::shared(&[long.clone(), long]), [], "more than the table takes");
    }

    #[test]
    fn long_heads_and_bodies_are_cut_into_frames_and_marks_across_them() {
        let mark = FRAME - MARK_PREFIX.len() - 5;
        let mut body = vec![b'x'; 2 * FRAME + 7];
        body[mark..mark + MARK_PREFIX.len()].copy_from_slice(MARK_PREFIX.as_bytes());
        let exchange = Exchange {
            method: "POST".into(),
            path: "/a".into(),
            headers: Vec::new(),
            body: body.into(),
            answer: crate::load::exchange::Answer::Message,
            mark: Some(mark),
        };
        check(&exchange).unwrap();
        let fields = fields("/a", &[field("x-long", &"l".repeat(40_000))]);
        let mut template = http2(&exchange, &fields, &[]);
        let mut bytes = std::mem::take(&mut template.heads[0]);
        let head = bytes.len();
        bytes.extend_from_slice(&template.data);
        put_stream(&mut bytes, 0, 7);
        for digit in &template.digits {
            assert_eq!(std::mem::replace(&mut bytes[head + digit], b'0'), b'x');
        }
        let (mut kinds, mut blocks, mut payload, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
        while at < bytes.len() {
            let length = u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]) as usize;
            assert_eq!(bytes[at + 5..at + 9], [0, 0, 0, 7]);
            kinds.push((bytes[at + 3], bytes[at + 4], length));
            let part = &bytes[at + 9..at + 9 + length];
            if bytes[at + 3] == 0 {
                payload.extend_from_slice(part)
            } else {
                blocks.extend_from_slice(part)
            }
            at += 9 + length;
        }
        let last = blocks.len() - 2 * FRAME;
        assert_eq!(
            kinds,
            [
                (1, 0, FRAME),
                (9, 0, FRAME),
                (9, 4, last),
                (0, 0, FRAME),
                (0, 0, FRAME),
                (0, 1, 7)
            ]
        );
        assert_eq!(read(&mut Decoder::new(), &blocks).len(), fields.len());
        let digits = mark + MARK_PREFIX.len();
        assert_eq!(payload[digits..digits + DIGITS], [b'0'; DIGITS]);
        assert_eq!(payload.iter().filter(|byte| **byte == b'0').count(), DIGITS);
    }
}
