//! Answers as messages: into the types of the contract where the method is one of it, else into dynamic messages. Both
//! protocols end in the same types, so that what is compared is the encoding and not the effort. Pure.

mod json;

use crate::{
    client::{
        Protocol,
        rest::answer::{self, Meaning},
    },
    schema::{DynMsg, MessageType, Method},
};
use inventory_contract::{BulkImportResponse, ListProductsResponse, Product, SERVICE, StockUpdate};
use prost::Message;
use std::hint::black_box;

/// Decodes the answers of one method over one protocol.
#[derive(Clone, Debug)]
pub struct Decoder(Form);

#[derive(Clone, Debug)]
enum Form {
    /// Into a type of the contract.
    Typed(fn(&[u8]) -> bool),
    /// Protobuf of a type that only the schema knows.
    Protobuf(MessageType),
    /// JSON of such a type, or of one of its fields.
    Json {
        ty: MessageType,
        response_body: Option<String>,
    },
    /// An element of a stream of such JSON.
    Line {
        ty: MessageType,
        response_body: Option<String>,
    },
}

impl Decoder {
    /// For the answers of a method.
    pub fn new(method: &Method, protocol: Protocol) -> Decoder {
        let response_body = match protocol {
            Protocol::Grpc => None,
            Protocol::Rest => method.http.first().and_then(|binding| binding.response_body.clone()),
        };
        if let Some(typed) = typed(method, protocol)
            && response_body.is_none()
        {
            return Decoder(Form::Typed(typed));
        }
        let ty = method.output.clone();
        Decoder(match (protocol, method.server_streaming) {
            (Protocol::Grpc, _) => Form::Protobuf(ty),
            (Protocol::Rest, false) => Form::Json { ty, response_body },
            (Protocol::Rest, true) => Form::Line { ty, response_body },
        })
    }

    /// Whether it decodes into a type of the contract.
    pub fn is_typed(&self) -> bool {
        matches!(self.0, Form::Typed(_))
    }

    /// Whether the bytes are a message: of gRPC without their prefix, of REST the JSON of an answer or of a line.
    pub fn decode(&self, bytes: &[u8]) -> bool {
        match &self.0 {
            Form::Typed(decode) => decode(bytes),
            Form::Protobuf(ty) => DynMsg::decode(ty, bytes).map(black_box).is_ok(),
            Form::Json { ty, response_body } => answer::decode(bytes, ty, response_body.as_deref())
                .map(black_box)
                .is_ok(),
            Form::Line { ty, response_body } => {
                let read = answer::of_stream(bytes, ty, response_body.as_deref()).map(black_box);
                matches!(read, Ok(Meaning::Message(..)))
            }
        }
    }
}

/// The typed decoder of a method of the contract.
fn typed(method: &Method, protocol: Protocol) -> Option<fn(&[u8]) -> bool> {
    if method.service != SERVICE {
        return None;
    }
    let decoders: [fn(&[u8]) -> bool; 2] = match (method.output.full_name(), method.server_streaming) {
        ("inventory.Product", false) => [protobuf::<Product>, json::message::<json::Product, Product>],
        ("inventory.ListProductsResponse", false) => [
            protobuf::<ListProductsResponse>,
            json::message::<json::ListProductsResponse, ListProductsResponse>,
        ],
        ("inventory.BulkImportResponse", false) => [
            protobuf::<BulkImportResponse>,
            json::message::<json::BulkImportResponse, BulkImportResponse>,
        ],
        ("inventory.StockUpdate", true) => [protobuf::<StockUpdate>, json::line::<json::StockUpdate, StockUpdate>],
        _ => return None,
    };
    let [protobuf, json] = decoders;
    Some(match protocol {
        Protocol::Grpc => protobuf,
        Protocol::Rest => json,
    })
}

fn protobuf<M: Message + Default>(bytes: &[u8]) -> bool {
    M::decode(bytes).map(black_box).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
