//! The descriptors of a target and messages made from them. The only module that names the library behind it
//! (buffa-descriptor: proto2, proto3 and editions alike).

mod build;
mod drift;
mod dynamic;
mod http;
mod json;
mod load;
mod reflection;
mod render;
pub(crate) mod scalar;
mod shape;
mod value;
mod wellknown;

pub use build::{BuildError, build};
pub use drift::{Change, Drift, drift};
pub use dynamic::{DecodeError, DynMsg, FieldValue};
pub use http::{Binding, Body, HttpFile, HttpRequest, Template};
pub use load::SchemaError;
pub use reflection::{ReflectionError, reflect};
pub use shape::{Part, Shape};

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::method_options::IdempotencyLevel;
use buffa_descriptor::{DescriptorPool, EnumIndex, FieldDescriptor, MessageIndex, ScalarType, SingularKind};
use std::fmt;
use std::sync::Arc;

/// What a target describes, with the well-known services and types behind it. Cheap to clone.
#[derive(Clone)]
pub struct Schema {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    pool: Arc<DescriptorPool>,
    /// Services of the target itself, without the well-known ones that only stand behind it.
    services: Vec<String>,
    origin: Origin,
    /// `google.protobuf.Empty`, of the well-known files where the target describes none.
    empty: MessageType,
    /// How methods are called over REST, where that is not in a file.
    http: http::Rules,
    /// HTTP rules of the descriptors that cannot be used, in words.
    http_notes: Vec<String>,
}

/// Where descriptors came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Asked of the target; the version is `v1` or `v1alpha`.
    Reflection(String),
    /// A file with an encoded `google.protobuf.FileDescriptorSet`.
    DescriptorSet,
    /// Compiled from `.proto` files.
    Proto,
    /// The inventory contract inside this program.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Reflection(version) => write!(f, "reflection {version}"),
            Origin::DescriptorSet => f.write_str("descriptor set"),
            Origin::Proto => f.write_str("proto files"),
            Origin::BuiltIn => f.write_str("built-in contract"),
        }
    }
}

impl Schema {
    /// The services that the target describes, in its order.
    pub fn services(&self) -> Vec<String> {
        self.inner.services.clone()
    }

    /// The methods of a service, in the order of its declaration; empty when it is unknown.
    pub fn service_methods(&self, service: &str) -> Vec<Method> {
        let Some(descriptor) = self.inner.pool.service_by_name(service) else {
            return Vec::new();
        };
        descriptor
            .methods()
            .iter()
            .map(|m| self.method_of(service, m))
            .collect()
    }

    /// One method; the well-known services (health, reflection) are found even when the target does not describe them.
    pub fn method(&self, service: &str, name: &str) -> Option<Method> {
        let descriptor = self.inner.pool.service_by_name(service)?.method(name)?;
        Some(self.method_of(service, descriptor))
    }

    /// A method that no descriptor knows: unary, `google.protobuf.Empty` both ways.
    pub fn undescribed(&self, service: &str, method: &str) -> Method {
        let empty = self.inner.empty.clone();
        Method {
            service: service.to_owned(),
            name: method.to_owned(),
            input: empty.clone(),
            output: empty,
            client_streaming: false,
            server_streaming: false,
            no_side_effects: false,
            http: Arc::default(),
        }
    }

    /// HTTP rules of the descriptors that cannot be used, in words.
    pub fn http_notes(&self) -> &[String] {
        &self.inner.http_notes
    }

    /// The same descriptors with other HTTP rules.
    fn with_rules(&self, http: http::Rules) -> Schema {
        Schema {
            inner: Arc::new(Inner {
                http,
                http_notes: Vec::new(),
                ..(*self.inner).clone()
            }),
        }
    }

    /// The options of a method as protobuf bytes.
    fn options_of(&self, method: &Method) -> Vec<u8> {
        let service = self.inner.pool.service_by_name(&method.service);
        let options = service.and_then(|s| s.method(&method.name)).and_then(|m| m.options());
        options.map(|options| options.encode_to_vec()).unwrap_or_default()
    }

    /// A message type by its full name.
    pub fn message_type(&self, full_name: &str) -> Option<MessageType> {
        MessageType::find(&self.inner.pool, full_name)
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
    }

    fn method_of(&self, service: &str, descriptor: &buffa_descriptor::MethodDescriptor) -> Method {
        let level = descriptor.options().and_then(|options| options.idempotency_level);
        Method {
            service: service.to_owned(),
            name: descriptor.name().to_owned(),
            input: MessageType::at(&self.inner.pool, descriptor.input()),
            output: MessageType::at(&self.inner.pool, descriptor.output()),
            client_streaming: descriptor.is_client_streaming(),
            server_streaming: descriptor.is_server_streaming(),
            no_side_effects: level == Some(IdempotencyLevel::NO_SIDE_EFFECTS),
            http: self
                .inner
                .http
                .get(&format!("{service}.{}", descriptor.name()))
                .cloned()
                .unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("origin", &self.inner.origin)
            .field("services", &self.inner.services)
            .finish()
    }
}

/// A method that can be called.
#[derive(Clone, Debug)]
pub struct Method {
    /// Full name of the service, such as `inventory.InventoryService`.
    pub service: String,
    /// Name of the method, such as `GetProduct`.
    pub name: String,
    /// Type of the requests.
    pub input: MessageType,
    /// Type of the responses.
    pub output: MessageType,
    /// Takes a stream of requests.
    pub client_streaming: bool,
    /// Answers with a stream.
    pub server_streaming: bool,
    /// Marked `idempotency_level = NO_SIDE_EFFECTS`.
    pub no_side_effects: bool,
    /// How it is called over REST; empty where no HTTP rule maps it.
    pub http: Arc<[Binding]>,
}

impl Method {
    /// The HTTP/2 path, `/pkg.Service/Method`.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.service, self.name)
    }

    /// `pkg.Service/Method`, as scenarios write it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.service, self.name)
    }
}

/// A message type. Cheap to clone; equal when it is the same type of the same schema.
#[derive(Clone)]
pub struct MessageType {
    pool: Arc<DescriptorPool>,
    index: MessageIndex,
}

impl MessageType {
    fn at(pool: &Arc<DescriptorPool>, index: MessageIndex) -> Self {
        Self {
            pool: Arc::clone(pool),
            index,
        }
    }

    fn find(pool: &Arc<DescriptorPool>, full_name: &str) -> Option<Self> {
        pool.message_index(full_name).map(|index| Self::at(pool, index))
    }

    fn descriptor(&self) -> &buffa_descriptor::MessageDescriptor {
        self.pool.message(self.index)
    }

    /// Such as `inventory.Product`.
    pub fn full_name(&self) -> &str {
        self.descriptor().full_name()
    }

    /// Its fields, in the order of declaration.
    pub fn fields(&self) -> Vec<Field> {
        self.descriptor().fields().iter().map(|f| self.field_of(f)).collect()
    }

    /// A field by its proto name or its JSON name, or an extension by `[full.name]`.
    pub fn field(&self, name: &str) -> Option<Field> {
        self.lookup(name).map(|f| self.field_of(f))
    }

    fn lookup(&self, name: &str) -> Option<&FieldDescriptor> {
        if let Some(extension) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let extension = self.pool.extension_by_name(extension)?;
            let own = self.pool.extension_for(self.index, extension.field().number())?;
            return std::ptr::eq(own, extension).then(|| extension.field());
        }
        self.descriptor().field_by_name(name)
    }

    /// Whether it is a well-known type whose JSON form is not a map of its fields: such a value is compared whole
    /// (https://protobuf.dev/programming-guides/json/).
    pub fn has_own_json(&self) -> bool {
        let name = self.full_name().strip_prefix("google.protobuf.");
        let own = [
            "Any",
            "Struct",
            "Value",
            "ListValue",
            "Timestamp",
            "Duration",
            "FieldMask",
            "DoubleValue",
            "FloatValue",
            "Int64Value",
            "UInt64Value",
            "Int32Value",
            "UInt32Value",
            "BoolValue",
            "StringValue",
            "BytesValue",
        ];
        name.is_some_and(|name| own.contains(&name))
    }

    /// An empty message.
    pub fn new_message(&self) -> DynMsg {
        DynMsg::empty(self)
    }

    /// Another type of the same schema, such as the type in an `Any`.
    pub fn sibling(&self, full_name: &str) -> Option<MessageType> {
        Self::find(&self.pool, full_name)
    }

    fn field_of(&self, field: &FieldDescriptor) -> Field {
        let oneof = field
            .oneof_index()
            .and_then(|index| self.descriptor().oneofs().get(usize::from(index)))
            .filter(|oneof| !oneof.is_synthetic())
            .map(|oneof| oneof.name().to_owned());
        Field {
            name: match self.pool.extension_for(self.index, field.number()) {
                Some(extension) => format!("[{}]", extension.full_name()),
                None => field.name().to_owned(),
            },
            json_name: field.json_name().to_owned(),
            number: field.number(),
            kind: FieldKind::of(&self.pool, field.kind()),
            oneof,
            has_presence: dynamic::has_presence(field),
        }
    }
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pool, &other.pool) && self.index == other.index
    }
}

impl Eq for MessageType {}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({})", self.full_name())
    }
}

/// A field of a message type.
#[derive(Clone, Debug)]
pub struct Field {
    /// As in the `.proto`; `[full.name]` of an extension.
    pub name: String,
    /// lowerCamelCase, or as the `.proto` overrides it.
    pub json_name: String,
    /// On the wire.
    pub number: u32,
    /// What it holds.
    pub kind: FieldKind,
    /// The oneof that it is a member of (synthetic ones of proto3 `optional` aside).
    pub oneof: Option<String>,
    /// Whether unset differs from the default: messages, `optional`, oneof members, proto2, editions by feature.
    pub has_presence: bool,
}

/// What a field holds.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// A number, text, bytes or a boolean.
    Scalar(Scalar),
    /// An enum.
    Enum(EnumType),
    /// A message.
    Message(MessageType),
    /// A repeated field.
    List(Box<FieldKind>),
    /// A map.
    Map(Scalar, Box<FieldKind>),
}

impl FieldKind {
    fn of(pool: &Arc<DescriptorPool>, kind: buffa_descriptor::FieldKind) -> Self {
        match kind {
            buffa_descriptor::FieldKind::Singular(kind) => Self::singular(pool, kind),
            buffa_descriptor::FieldKind::List(kind) => FieldKind::List(Box::new(Self::singular(pool, kind))),
            buffa_descriptor::FieldKind::Map { key, value } => {
                FieldKind::Map(Scalar::of(key), Box::new(Self::singular(pool, value)))
            }
        }
    }

    fn singular(pool: &Arc<DescriptorPool>, kind: SingularKind) -> Self {
        match kind {
            SingularKind::Scalar(scalar) => FieldKind::Scalar(Scalar::of(scalar)),
            SingularKind::Enum(index) => FieldKind::Enum(EnumType {
                pool: Arc::clone(pool),
                index,
            }),
            SingularKind::Message(index) => FieldKind::Message(MessageType::at(pool, index)),
        }
    }
}

/// A scalar by its range; how it is encoded (`sint`, `fixed`, `sfixed`) is the library's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scalar {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Float,
    Double,
    String,
    Bytes,
}

impl Scalar {
    fn of(scalar: ScalarType) -> Self {
        match scalar {
            ScalarType::Bool => Scalar::Bool,
            ScalarType::Int32 | ScalarType::Sint32 | ScalarType::Sfixed32 => Scalar::Int32,
            ScalarType::Int64 | ScalarType::Sint64 | ScalarType::Sfixed64 => Scalar::Int64,
            ScalarType::Uint32 | ScalarType::Fixed32 => Scalar::Uint32,
            ScalarType::Uint64 | ScalarType::Fixed64 => Scalar::Uint64,
            ScalarType::Float => Scalar::Float,
            ScalarType::Double => Scalar::Double,
            ScalarType::String => Scalar::String,
            ScalarType::Bytes => Scalar::Bytes,
        }
    }

    /// As in a `.proto`.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::Int32 => "int32",
            Scalar::Int64 => "int64",
            Scalar::Uint32 => "uint32",
            Scalar::Uint64 => "uint64",
            Scalar::Float => "float",
            Scalar::Double => "double",
            Scalar::String => "string",
            Scalar::Bytes => "bytes",
        }
    }
}

/// An enum type.
#[derive(Clone)]
pub struct EnumType {
    pool: Arc<DescriptorPool>,
    index: EnumIndex,
}

impl EnumType {
    /// Such as `inventory.Colour`.
    pub fn full_name(&self) -> &str {
        self.pool.enumeration(self.index).full_name()
    }

    /// Names and numbers, in the order of declaration.
    pub fn values(&self) -> Vec<(String, i32)> {
        let values = self.pool.enumeration(self.index).values();
        values.iter().map(|v| (v.name().to_owned(), v.number())).collect()
    }

    /// The first name declared for a number.
    pub fn name_of(&self, number: i32) -> Option<&str> {
        self.pool.enumeration(self.index).value(number).map(|v| v.name())
    }

    /// The number of a name.
    pub fn number_of(&self, name: &str) -> Option<i32> {
        self.pool
            .enumeration(self.index)
            .value_by_name(name)
            .map(|v| v.number())
    }

    /// Whether only declared numbers are values (proto2, or by feature).
    pub fn is_closed(&self) -> bool {
        self.pool.enumeration(self.index).enum_type() == buffa::editions::EnumType::Closed
    }
}

impl fmt::Debug for EnumType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnumType({})", self.full_name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
