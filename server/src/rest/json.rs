//! The messages of the contract as proto3 JSON (<https://protobuf.dev/programming-guides/json/>).
//!
//! Out: lowerCamelCase names, fields with their default value left out, NaN and infinities as strings. In: both forms of a
//! name, `null` for a default, numbers also in quotes and with an exponent; a field that is unknown or there twice is
//! refused. Generated code (pbjson 0.9) would be less text, but it writes NaN as `null`, refuses `null` and `5.0`, takes
//! `inf`, and loses the place of a wrong number. A test holds the names against the descriptors.

mod read;
mod write;

pub use read::{Malformed, Request, message, names};
pub use write::{Field, Json, Reply};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    /// The names of the fields of a message of the contract, in the contract and in JSON.
    pub fn fields(message: &str) -> Vec<(String, String)> {
        let set = FileDescriptorSet::decode(inventory_contract::DESCRIPTORS).unwrap();
        let mut messages = set.file.into_iter().flat_map(|file| file.message_type);
        let fields = messages.find(|found| found.name() == message).unwrap().field;
        let names = fields
            .iter()
            .map(|field| (field.name().to_owned(), field.json_name().to_owned()));
        names.collect()
    }
}
