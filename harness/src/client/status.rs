//! Statuses: codes by name, percent-decoding, details, and what HTTP says where gRPC says nothing.

use super::{Code, Detail, Metadata, Status};
use crate::schema::{DynMsg, FieldValue, MessageType};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use h2::Reason;
use http::{HeaderMap, HeaderValue};
use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal,)*) => {
        #[expect(missing_docs, reason = "the names say it")]
        impl Code {
            $(pub const $name: Code = Code($number);)*

            /// All of them, by number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// Such as `NOT_FOUND`; a number that gRPC does not define reads as `UNKNOWN`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "UNKNOWN",
                }
            }

            /// The code of a name.
            pub fn from_name(name: &str) -> Option<Code> {
                match name {
                    $(stringify!($name) => Some(Code::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    OK = 0,
    CANCELLED = 1,
    UNKNOWN = 2,
    INVALID_ARGUMENT = 3,
    DEADLINE_EXCEEDED = 4,
    NOT_FOUND = 5,
    ALREADY_EXISTS = 6,
    PERMISSION_DENIED = 7,
    RESOURCE_EXHAUSTED = 8,
    FAILED_PRECONDITION = 9,
    ABORTED = 10,
    OUT_OF_RANGE = 11,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    DATA_LOSS = 15,
    UNAUTHENTICATED = 16,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A lenient reader: gRPC lets senders leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The code for an HTTP answer without `grpc-status`:
/// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
pub(crate) fn from_http(status: u16) -> Code {
    match status {
        400 => Code::INTERNAL,
        401 => Code::UNAUTHENTICATED,
        403 => Code::PERMISSION_DENIED,
        404 => Code::UNIMPLEMENTED,
        429 | 502 | 503 | 504 => Code::UNAVAILABLE,
        _ => Code::UNKNOWN,
    }
}

/// The code for a RST_STREAM: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#http2-transport-mapping
pub(crate) fn from_reset(reason: Reason) -> Code {
    match reason {
        Reason::REFUSED_STREAM => Code::UNAVAILABLE,
        Reason::CANCEL => Code::CANCELLED,
        Reason::ENHANCE_YOUR_CALM => Code::RESOURCE_EXHAUSTED,
        Reason::INADEQUATE_SECURITY => Code::PERMISSION_DENIED,
        Reason::NO_ERROR
        | Reason::PROTOCOL_ERROR
        | Reason::INTERNAL_ERROR
        | Reason::FLOW_CONTROL_ERROR
        | Reason::SETTINGS_TIMEOUT
        | Reason::FRAME_SIZE_ERROR
        | Reason::COMPRESSION_ERROR
        | Reason::CONNECT_ERROR => Code::INTERNAL,
        _ => Code::UNKNOWN,
    }
}

/// The status that a header block carries, with what is wrong about it. `None` without `grpc-status`.
pub(super) fn read(block: &HeaderMap, types: &MessageType, violations: &mut Vec<String>) -> Option<Status> {
    let raw = block.get("grpc-status")?;
    let code = match raw.to_str().ok().and_then(|text| text.parse::<u8>().ok()) {
        Some(number) if number <= 16 => Code(number),
        _ => {
            violations.push(format!("grpc-status `{}` is none of 0 to 16", shown(raw)));
            Code::UNKNOWN
        }
    };
    if block.get_all("grpc-status").iter().count() > 1 {
        violations.push("grpc-status more than once".to_owned());
    }
    let message = block
        .get("grpc-message")
        .map(|value| percent_decoded(value.as_bytes()))
        .unwrap_or_default();
    let details = match block.get("grpc-status-details-bin") {
        Some(value) => details(value, types).unwrap_or_else(|reason| {
            violations.push(format!("grpc-status-details-bin {reason}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    Some(Status { code, message, details })
}

/// `%XX` decoded; anything else stays as it is.
fn percent_decoded(text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        match (first, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn details(value: &HeaderValue, types: &MessageType) -> Result<Vec<Detail>, String> {
    let bytes = BASE64
        .decode(value.as_bytes())
        .map_err(|e| format!("is no base64: {e}"))?;
    let ty = types
        .sibling("google.rpc.Status")
        .ok_or("cannot be read: google.rpc.Status is not described")?;
    let status = DynMsg::decode(&ty, &bytes).map_err(|e| format!("is no google.rpc.Status: {e}"))?;
    let Some(FieldValue::List(anys)) = ty.field("details").map(|field| status.get(&field)) else {
        return Ok(Vec::new());
    };
    let details = anys.into_iter().filter_map(|any| match any {
        FieldValue::Message(any) => detail(&any, types),
        _ => None,
    });
    Ok(details.collect())
}

fn detail(any: &DynMsg, types: &MessageType) -> Option<Detail> {
    let ty = any.message_type();
    let FieldValue::Str(url) = any.get(&ty.field("type_url")?) else {
        return None;
    };
    let FieldValue::Bytes(bytes) = any.get(&ty.field("value")?) else {
        return None;
    };
    let type_name = url.rsplit('/').next().unwrap_or(&url).to_owned();
    let value = types
        .sibling(&type_name)
        .and_then(|ty| DynMsg::decode(&ty, &bytes).ok());
    Some(Detail { type_name, value })
}

/// Metadata of a header block, without the status that [`read`] takes; `-bin` values as padded base64.
pub(super) fn metadata(block: &HeaderMap, violations: &mut Vec<String>) -> Metadata {
    let mut all = Vec::new();
    for (name, value) in block {
        let name = name.as_str();
        if matches!(name, "grpc-status" | "grpc-message" | "grpc-status-details-bin") {
            continue;
        }
        if !name.ends_with("-bin") {
            all.push((name.to_owned(), shown(value)));
            continue;
        }
        // One header may carry several values, joined by commas.
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let part = part.trim_ascii();
            match BASE64.decode(part) {
                Ok(bytes) => all.push((name.to_owned(), STANDARD.encode(bytes))),
                Err(_) => {
                    violations.push(format!("{name} is no base64"));
                    all.push((name.to_owned(), String::from_utf8_lossy(part).into_owned()));
                }
            }
        }
    }
    Metadata(all)
}

pub(super) fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
