//! Server reflection, v1 and v1alpha at once: their messages are the same on the wire, only the name differs.
//!
//! Descriptors are served as the bytes they came as, so that options which this build does not know survive. What is not
//! found is told inside the stream, which goes on (grpc/reflection/v1/reflection.proto, `ErrorResponse`).

use futures_util::{Stream, StreamExt};
use prost::{DecodeError, Message};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use std::{
    collections::{BTreeSet, HashMap},
    pin::Pin,
    sync::Arc,
};
use tonic::{Code, Request, Response, Status, Streaming, server::StreamingService};
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

/// The paths of the two services.
pub const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// What the server can tell of itself.
#[derive(Debug, Default)]
pub struct Index {
    files: Vec<File>,
    by_name: HashMap<String, usize>,
    /// By full name, without a leading dot.
    by_symbol: HashMap<String, usize>,
    /// By the extended message and the field's number.
    by_extension: HashMap<String, HashMap<i32, usize>>,
    services: BTreeSet<String>,
}

#[derive(Debug)]
struct File {
    /// The `FileDescriptorProto`, as it came.
    bytes: Vec<u8>,
    imports: Vec<String>,
}

/// A `FileDescriptorSet` whose files stay bytes.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

impl Index {
    /// Adds the files of an encoded `FileDescriptorSet`; a file that is there already stays as it is.
    pub fn add(&mut self, set: &[u8]) -> Result<(), DecodeError> {
        for bytes in RawSet::decode(set)?.file {
            let file = FileDescriptorProto::decode(bytes.as_slice())?;
            if self.by_name.contains_key(file.name()) {
                continue;
            }
            let number = self.files.len();
            self.by_name.insert(file.name().to_owned(), number);
            self.name_all(number, &file);
            self.files.push(File {
                bytes,
                imports: file.dependency,
            });
        }
        Ok(())
    }

    /// Leaves a service out of the list; it is found by name all the same.
    pub fn unlist(&mut self, service: &str) {
        self.services.remove(service);
    }

    fn name_all(&mut self, number: usize, file: &FileDescriptorProto) {
        let scope = file.package();
        for message in &file.message_type {
            self.name_message(number, scope, message);
        }
        for kind in &file.enum_type {
            self.name_enum(number, scope, kind);
        }
        for field in &file.extension {
            self.name_extension(number, scope, field);
        }
        for service in &file.service {
            let name = self.name(number, scope, service.name());
            for method in &service.method {
                self.name(number, &name, method.name());
            }
            self.services.insert(name);
        }
    }

    fn name_message(&mut self, number: usize, scope: &str, message: &DescriptorProto) {
        let name = self.name(number, scope, message.name());
        for field in &message.field {
            self.name(number, &name, field.name());
        }
        for oneof in &message.oneof_decl {
            self.name(number, &name, oneof.name());
        }
        for field in &message.extension {
            self.name_extension(number, &name, field);
        }
        for kind in &message.enum_type {
            self.name_enum(number, &name, kind);
        }
        for nested in &message.nested_type {
            self.name_message(number, &name, nested);
        }
    }

    /// The values of an enum are siblings of the enum (descriptor.proto, `EnumValueDescriptorProto`).
    fn name_enum(&mut self, number: usize, scope: &str, kind: &EnumDescriptorProto) {
        self.name(number, scope, kind.name());
        for value in &kind.value {
            self.name(number, scope, value.name());
        }
    }

    fn name_extension(&mut self, number: usize, scope: &str, field: &FieldDescriptorProto) {
        self.name(number, scope, field.name());
        let extended = field.extendee().trim_start_matches('.').to_owned();
        self.by_extension
            .entry(extended)
            .or_default()
            .insert(field.number(), number);
    }

    fn name(&mut self, number: usize, scope: &str, name: &str) -> String {
        let name = if scope.is_empty() {
            name.to_owned()
        } else {
            format!("{scope}.{name}")
        };
        self.by_symbol.insert(name.clone(), number);
        name
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let message = match &request.message_request {
            Some(wanted) => self.find(wanted),
            None => Err(refused(
                Code::InvalidArgument,
                "the request asks for nothing".to_owned(),
            )),
        };
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            message_response: Some(message.unwrap_or_else(MessageResponse::ErrorResponse)),
            original_request: Some(request),
        }
    }

    fn find(&self, wanted: &MessageRequest) -> Result<MessageResponse, ErrorResponse> {
        let missing = |what: String| refused(Code::NotFound, format!("{what} is not known here"));
        match wanted {
            MessageRequest::FileByFilename(name) => {
                let file = self
                    .by_name
                    .get(name)
                    .ok_or_else(|| missing(format!("the file {name:?}")))?;
                Ok(self.with_imports(*file))
            }
            MessageRequest::FileContainingSymbol(name) => {
                let file = self.by_symbol.get(name.trim_start_matches('.'));
                Ok(self.with_imports(*file.ok_or_else(|| missing(format!("the symbol {name:?}")))?))
            }
            MessageRequest::FileContainingExtension(extension) => {
                let (message, number) = (&extension.containing_type, extension.extension_number);
                let file = self.by_extension.get(message).and_then(|numbers| numbers.get(&number));
                Ok(self.with_imports(*file.ok_or_else(|| missing(format!("the extension {number} of {message:?}")))?))
            }
            MessageRequest::AllExtensionNumbersOfType(message) => {
                let extensions = self.by_extension.get(message);
                if extensions.is_none() && !self.by_symbol.contains_key(message) {
                    return Err(missing(format!("the type {message:?}")));
                }
                let mut numbers: Vec<i32> = extensions
                    .into_iter()
                    .flat_map(|numbers| numbers.keys().copied())
                    .collect();
                numbers.sort_unstable();
                Ok(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: message.clone(),
                    extension_number: numbers,
                }))
            }
            MessageRequest::ListServices(_) => {
                let service = self
                    .services
                    .iter()
                    .map(|name| ServiceResponse { name: name.clone() })
                    .collect();
                Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
            }
        }
    }

    /// The file and, after it, all that it imports, so that a client need not ask again.
    fn with_imports(&self, file: usize) -> MessageResponse {
        let mut found = vec![file];
        let mut next = 0;
        while let Some(file) = found.get(next).and_then(|&file| self.files.get(file)) {
            for import in file.imports.iter().filter_map(|name| self.by_name.get(name)) {
                if !found.contains(import) {
                    found.push(*import);
                }
            }
            next += 1;
        }
        let bytes = found
            .iter()
            .filter_map(|&file| self.files.get(file))
            .map(|file| file.bytes.clone());
        MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto: bytes.collect(),
        })
    }
}

fn refused(code: Code, message: String) -> ErrorResponse {
    ErrorResponse {
        error_code: code.into(),
        error_message: message,
    }
}

/// `ServerReflectionInfo` of either version.
#[derive(Clone)]
pub struct Reflection(pub Arc<Index>);

impl StreamingService<ServerReflectionRequest> for Reflection {
    type Response = ServerReflectionResponse;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<ServerReflectionRequest>>) -> Self::Future {
        let index = self.0.clone();
        let answers = request
            .into_inner()
            .map(move |request| request.map(|request| index.answer(request)));
        std::future::ready(Ok(Response::new(Box::pin(answers))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use prost_types::FileDescriptorSet;
    use tonic_reflection::pb::v1::ExtensionRequest;

    fn index() -> Index {
        let field = |name: &str, extendee: Option<&str>| FieldDescriptorProto {
            name: Some(name.into()),
            number: Some(100),
            extendee: extendee.map(Into::into),
            ..Default::default()
        };
        let outer = DescriptorProto {
            name: Some("Outer".into()),
            field: vec![field("field", None)],
            nested_type: vec![DescriptorProto {
                name: Some("Inner".into()),
                ..Default::default()
            }],
            enum_type: vec![EnumDescriptorProto {
                name: Some("Kind".into()),
                value: vec![prost_types::EnumValueDescriptorProto {
                    name: Some("KIND_A".into()),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let file = |name: &str, imports: &[&str]| FileDescriptorProto {
            name: Some(name.into()),
            package: Some("p".into()),
            dependency: imports.iter().map(|&import| import.into()).collect(),
            ..Default::default()
        };
        let base = FileDescriptorProto {
            message_type: vec![outer],
            ..file("base.proto", &[])
        };
        let top = FileDescriptorProto {
            extension: vec![field("more", Some(".p.Outer"))],
            ..file("top.proto", &["base.proto"])
        };
        let set = FileDescriptorSet { file: vec![base, top] };
        let mut index = Index::default();
        index.add(&set.encode_to_vec()).unwrap();
        index.add(inventory_contract::DESCRIPTORS).unwrap();
        index
    }

    /// The names of the files in an answer.
    fn files(answer: Result<MessageResponse, ErrorResponse>) -> Vec<String> {
        match answer.unwrap() {
            MessageResponse::FileDescriptorResponse(files) => files
                .file_descriptor_proto
                .iter()
                .map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).unwrap().name().to_owned())
                .collect(),
            other => panic!("not files: {other:?}"),
        }
    }

    #[test]
    fn every_kind_of_symbol_is_found() {
        let index = index();
        let symbols = [
            "p.Outer",
            "p.Outer.field",
            "p.Outer.Inner",
            "p.Outer.Kind",
            "p.Outer.KIND_A",
            ".p.Outer",
        ];
        for symbol in symbols {
            assert_eq!(
                files(index.find(&MessageRequest::FileContainingSymbol(symbol.into()))),
                ["base.proto"],
                "{symbol}"
            );
        }
        for symbol in [
            "inventory.InventoryService",
            "inventory.InventoryService.GetProduct",
            "inventory.Product.id",
        ] {
            assert_eq!(
                files(index.find(&MessageRequest::FileContainingSymbol(symbol.into()))),
                ["inventory.proto"]
            );
        }
    }

    #[test]
    fn an_extension_is_found_by_its_number_and_brings_the_imports_along() {
        let index = index();
        let wanted = ExtensionRequest {
            containing_type: "p.Outer".into(),
            extension_number: 100,
        };
        assert_eq!(
            files(index.find(&MessageRequest::FileContainingExtension(wanted))),
            ["top.proto", "base.proto"]
        );
        let numbers = index
            .find(&MessageRequest::AllExtensionNumbersOfType("p.Outer".into()))
            .unwrap();
        let MessageResponse::AllExtensionNumbersResponse(numbers) = numbers else {
            panic!("not numbers: {numbers:?}");
        };
        assert_eq!(numbers.extension_number, [100]);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let index = index();
        for wanted in [
            MessageRequest::FileByFilename("none.proto".into()),
            MessageRequest::FileContainingSymbol("p.None".into()),
            MessageRequest::FileContainingExtension(ExtensionRequest {
                containing_type: "p.Outer".into(),
                extension_number: 7,
            }),
            MessageRequest::AllExtensionNumbersOfType("p.None".into()),
        ] {
            assert_eq!(
                index.find(&wanted).unwrap_err().error_code,
                i32::from(Code::NotFound),
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn descriptors_are_served_byte_for_byte() {
        let raw = RawSet::decode(inventory_contract::DESCRIPTORS).unwrap();
        let answer = index()
            .find(&MessageRequest::FileByFilename("inventory.proto".into()))
            .unwrap();
        let MessageResponse::FileDescriptorResponse(files) = answer else {
            panic!("not files");
        };
        assert_eq!(files.file_descriptor_proto, raw.file);
    }
}
