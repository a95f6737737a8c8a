//! The descriptors of a target and messages made from them. The only module that names the library behind it
//! (buffa-descriptor: proto2, proto3 and editions alike).

// H2 (client and schema) implements this room: mod.rs (types), dynamic.rs (messages), load.rs (descriptor set, .proto,
// built in), reflection.rs (over client/). Outline, to be kept:
//
// pub struct Schema            Clone (Arc inside)
//   Schema::from_descriptor_set(bytes: &[u8]) -> Result<Schema, SchemaError>
//   Schema::from_proto(files: &[PathBuf], includes: &[PathBuf]) -> Result<Schema, SchemaError>     (protox)
//   Schema::built_in() -> Schema                        (inventory_contract::DESCRIPTORS)
//   services() -> Vec<String>; service_methods(&str) -> Vec<Method>; method(service, name) -> Option<Method>
//   message_type(full_name) -> Option<MessageType>;  origin() -> Origin {Reflection(version), DescriptorSet, Proto, BuiltIn}
// pub struct Method            Clone: service, name, input, output: MessageType, client_streaming, server_streaming,
//                              no_side_effects: bool; path() -> "/pkg.Service/Method"; full_name()
// pub struct MessageType       Clone: full_name(), fields() -> Vec<Field>, field(name) -> Option<Field>, new_message()
// pub struct Field             name, json_name, number, kind: FieldKind, oneof: Option<String>, has_presence: bool
// pub enum FieldKind           Scalar(Scalar), Enum(EnumType), Message(MessageType), List(Box<FieldKind>), Map(Scalar, Box<FieldKind>)
// pub enum Scalar              Bool Int32 Int64 Uint32 Uint64 (sint, fixed folded in) Float Double String Bytes
// pub struct DynMsg            Clone, Debug: message_type(), decode(&MessageType, &[u8]) -> Result, encode() -> Vec<u8>,
//                              get(&Field) -> FieldValue (own enum, defaults filled), has(&Field),
//                              to_cel() -> cel::Value (a map of ALL fields by proto name: scalars default-filled, an unset
//                              message/presence field left out, enums as their name (a string), int32/64 -> Int,
//                              uint32/64 -> UInt, Timestamp/Duration native, wrappers unwrapped, Struct/Value as data,
//                              Any as {"type_url", + fields when known}),
//                              to_json() -> serde_json::Value (proto JSON with proto field names),
//                              to_text() -> `{product_id: "p-7f3c", old_quantity: 11}` (set fields, one line)
// pub fn build(ty: &MessageType, data: &Data) -> Result<DynMsg, Vec<BuildError>>   (BuildError {span, text}: unknown field with
//                              "did you mean", wrong type, out of range, base64, enum names; strict: `012`, "5" for an int is an
//                              error that says "remove the quotes"; proto field names AND json names accepted)

/// Stub.
#[derive(Clone, Debug)]
pub struct DynMsg;
/// Stub.
#[derive(Clone, Debug)]
pub struct Method;
