//! What a header block says that matters here, whatever HTTP it came by.

use crate::client::{Code, is_grpc, is_json};

/// A response head, or trailers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The HTTP status; 0 in trailers.
    pub http: u16,
    /// Of `content-type`.
    pub content: Content,
    /// Of `grpc-status`.
    pub told: Option<Told>,
    /// Of `content-length`; only HTTP/1.1 needs it.
    pub length: Option<u64>,
    /// `transfer-encoding: chunked`.
    pub chunked: bool,
    /// The connection ends with this answer.
    pub close: bool,
    /// Lengths that contradict each other, or are none.
    pub unclear: bool,
    /// A `content-encoding` or `grpc-encoding` that was not accepted.
    pub coded: bool,
}

/// What a body says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Content {
    /// gRPC.
    Grpc,
    /// JSON in one of its forms.
    Json,
    /// Something else, or nothing was said.
    #[default]
    Other,
}

/// A `grpc-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// One of 0 to 16.
    Code(Code),
    /// Anything else.
    Unreadable,
}

impl Head {
    /// Takes a field in; names in lower case.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        let text = || std::str::from_utf8(value).unwrap_or_default().trim();
        match name {
            b":status" => self.http = text().parse().unwrap_or(0),
            b"content-type" => {
                self.content = match text() {
                    text if is_grpc(text) => Content::Grpc,
                    text if is_json(text) => Content::Json,
                    _ => Content::Other,
                }
            }
            b"grpc-status" => {
                let code = text().parse().ok().filter(|code| *code <= 16);
                self.told = Some(code.map_or(Told::Unreadable, |code| Told::Code(Code(code))));
            }
            b"content-length" => {
                let length = text().parse().ok();
                self.unclear |= length.is_none() || self.length.is_some() && self.length != length;
                self.length = length;
            }
            b"transfer-encoding" => {
                self.chunked = text().eq_ignore_ascii_case("chunked");
                self.unclear |= !self.chunked;
            }
            b"connection" => {
                self.close |= text().split(',').any(|word| word.trim().eq_ignore_ascii_case("close"));
            }
            b"content-encoding" | b"grpc-encoding" => self.coded |= !text().eq_ignore_ascii_case("identity"),
            _ => {}
        }
    }

    /// Whether it comes before the head proper (RFC 9110 section 15.2).
    pub fn is_informational(&self) -> bool {
        (100..200).contains(&self.http)
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.http)
    }
}
