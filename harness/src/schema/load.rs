//! Where descriptors come from: a descriptor set, `.proto` files, or the contract inside this program. Behind each stand
//! the well-known services and types; where the target describes one of them itself, its own word counts.

use super::{Inner, MessageType, Origin, Schema, http};
use buffa::DecodeOptions;
use buffa_descriptor::generated::descriptor::{FileDescriptorProto, FileDescriptorSet};
use buffa_descriptor::{DescriptorPool, PoolError};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// More is no description of a service.
pub(super) const MAX_BYTES: usize = 64 << 20;

const EMPTY: &str = "google.protobuf.Empty";

/// Descriptors that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The bytes are no descriptor set.
    #[error("no descriptor set: {0}; make one with `protoc --include_imports --descriptor_set_out` or `buf build -o`")]
    Undecodable(String),
    /// Beyond [`MAX_BYTES`].
    #[error("descriptors of {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// The descriptors contradict each other or leave something open.
    #[error("the descriptors do not fit together: {0}")]
    Inconsistent(String),
    /// A `.proto` file does not compile.
    #[error("{0}")]
    Proto(String),
}

impl Schema {
    /// From an encoded `google.protobuf.FileDescriptorSet`.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Schema, SchemaError> {
        Schema::assemble(decode_set(bytes)?.file, Origin::DescriptorSet, None)
    }

    /// From `.proto` files (proto2 and proto3; editions come as a descriptor set). Imports are looked up in `includes`;
    /// without any, in the folders of the files.
    pub fn from_proto(files: &[PathBuf], includes: &[PathBuf]) -> Result<Schema, SchemaError> {
        let mut includes = includes.to_vec();
        if includes.is_empty() {
            for file in files {
                let folder = match file.parent() {
                    Some(folder) if folder != Path::new("") => folder.to_path_buf(),
                    _ => PathBuf::from("."),
                };
                if !includes.contains(&folder) {
                    includes.push(folder);
                }
            }
        }
        let mut compiler = protox::Compiler::new(&includes).map_err(|e| SchemaError::Proto(format!("{e:?}")))?;
        compiler.include_imports(true);
        compiler.open_files(files).map_err(|e| proto_error(&e, files))?;
        let bytes = compiler.encode_file_descriptor_set();
        Schema::assemble(decode_set(&bytes)?.file, Origin::Proto, None)
    }

    /// The inventory contract inside this program.
    pub fn built_in() -> Schema {
        static BUILT_IN: OnceLock<Schema> = OnceLock::new();
        BUILT_IN
            .get_or_init(|| {
                let files = decode_set(inventory_contract::DESCRIPTORS)
                    .map(|set| set.file)
                    .unwrap_or_default();
                Schema::assemble(files, Origin::BuiltIn, None).unwrap_or_else(|_| well_known().clone())
            })
            .clone()
    }

    /// Own files, each name once, with the well-known ones behind them. `offered` are the services that the target says it
    /// has; without it, all that the files declare.
    pub(super) fn assemble(
        own: Vec<FileDescriptorProto>,
        origin: Origin,
        offered: Option<Vec<String>>,
    ) -> Result<Schema, SchemaError> {
        let own = once_each(own);
        let names: HashSet<&str> = own.iter().map(file_name).collect();
        let symbols: HashSet<String> = own.iter().flat_map(top_symbols).collect();
        let behind = well_known_files().iter().filter(|file| {
            !names.contains(file_name(file)) && !top_symbols(file).iter().any(|symbol| symbols.contains(symbol))
        });
        let mut all = own.clone();
        all.extend(behind.cloned());
        let known: HashSet<String> = all.iter().map(|file| file_name(file).to_owned()).collect();
        let declared = own.iter().flat_map(|file| {
            let package = file.package.as_deref().unwrap_or_default();
            file.service
                .iter()
                .filter_map(|service| Some(qualified(package, service.name.as_deref()?)))
        });
        let services = offered.unwrap_or_else(|| declared.collect());
        // The well-known files can clash with an unusual own one, such as an `any.proto` without `Any`: the own win.
        let pool = link(all)
            .or_else(|_| link(own.clone()))
            .map_err(|error| inconsistent(&error, &own, &known))?;
        let services = services
            .into_iter()
            .filter(|name| pool.service_by_name(name).is_some())
            .collect();
        let pool = Arc::new(pool);
        let empty = MessageType::find(&pool, EMPTY).unwrap_or_else(|| well_known().inner.empty.clone());
        let mut inner = Inner {
            pool,
            services,
            origin,
            empty,
            http: http::Rules::new(),
            http_notes: Vec::new(),
        };
        let bare = Schema {
            inner: Arc::new(inner.clone()),
        };
        (inner.http, inner.http_notes) = http::of_descriptors(&bare);
        Ok(Schema { inner: Arc::new(inner) })
    }
}

/// Decodes one `FileDescriptorProto`, as reflection sends it.
pub(super) fn decode_file(bytes: &[u8]) -> Result<FileDescriptorProto, SchemaError> {
    limits(bytes.len())?
        .decode_from_slice(bytes)
        .map_err(|e: buffa::DecodeError| SchemaError::Undecodable(e.to_string()))
}

/// The first of each name.
fn once_each(files: impl IntoIterator<Item = FileDescriptorProto>) -> Vec<FileDescriptorProto> {
    let mut names = HashSet::new();
    let files = files.into_iter();
    files.filter(|file| names.insert(file_name(file).to_owned())).collect()
}

pub(super) fn file_name(file: &FileDescriptorProto) -> &str {
    file.name.as_deref().unwrap_or_default()
}

fn decode_set(bytes: &[u8]) -> Result<FileDescriptorSet, SchemaError> {
    let set: FileDescriptorSet = limits(bytes.len())?
        .decode_from_slice(bytes)
        .map_err(|e: buffa::DecodeError| SchemaError::Undecodable(e.to_string()))?;
    if set.file.is_empty() {
        return Err(SchemaError::Undecodable("it holds no file".to_owned()));
    }
    Ok(set)
}

/// The linked form takes several times the encoded size, and the library's own limit of 32 MiB is met by large APIs.
fn limits(len: usize) -> Result<DecodeOptions, SchemaError> {
    if len > MAX_BYTES {
        return Err(SchemaError::TooLarge(len));
    }
    Ok(DecodeOptions::new().with_element_memory_limit(1 << 30))
}

fn link(file: Vec<FileDescriptorProto>) -> Result<DescriptorPool, PoolError> {
    DescriptorPool::new(FileDescriptorSet {
        file,
        ..Default::default()
    })
}

fn qualified(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

fn top_symbols(file: &FileDescriptorProto) -> Vec<String> {
    let package = file.package.as_deref().unwrap_or_default();
    let messages = file.message_type.iter().filter_map(|m| m.name.as_deref());
    let enums = file.enum_type.iter().filter_map(|e| e.name.as_deref());
    let services = file.service.iter().filter_map(|s| s.name.as_deref());
    messages
        .chain(enums)
        .chain(services)
        .map(|name| qualified(package, name))
        .collect()
}

fn inconsistent(error: &PoolError, own: &[FileDescriptorProto], known: &HashSet<String>) -> SchemaError {
    let missing = own
        .iter()
        .flat_map(|file| file.dependency.iter().map(move |import| (file, import)));
    let missing = missing.filter(|(_, import)| !known.contains(import.as_str()));
    let missing: Vec<_> = missing
        .map(|(file, import)| format!("{} imports {import}", file_name(file)))
        .collect();
    match (error, missing.first()) {
        (PoolError::UnresolvedTypeName { .. }, Some(first)) => {
            SchemaError::Inconsistent(format!("{error}; {first}, which is missing"))
        }
        _ => SchemaError::Inconsistent(error.to_string()),
    }
}

fn proto_error(error: &protox::Error, files: &[PathBuf]) -> SchemaError {
    // The debug form of this library is `file:line:column: text`.
    let text = format!("{error:?}");
    let editions = files.iter().any(|file| {
        std::fs::read_to_string(file)
            .is_ok_and(|source| source.lines().any(|line| line.trim_start().starts_with("edition")))
    });
    match editions {
        true => SchemaError::Proto(format!(
            "{text}; `.proto` files with editions are not compiled here: make a descriptor set with protoc or buf"
        )),
        false => SchemaError::Proto(text),
    }
}

/// A schema of nothing but the well-known files.
pub(super) fn well_known() -> &'static Schema {
    static WELL_KNOWN: OnceLock<Schema> = OnceLock::new();
    WELL_KNOWN.get_or_init(|| {
        let pool = link(well_known_files().to_vec()).expect("constants of this build link, which a test shows");
        let pool = Arc::new(pool);
        let empty = MessageType::find(&pool, EMPTY).expect("google.protobuf.Empty is one of the well-known types");
        Schema {
            inner: Arc::new(Inner {
                pool,
                services: Vec::new(),
                origin: Origin::BuiltIn,
                empty,
                http: http::Rules::new(),
                http_notes: Vec::new(),
            }),
        }
    })
}

/// Whether a file is known without asking for it.
pub(super) fn is_well_known(name: &str) -> bool {
    well_known_files().iter().any(|file| file_name(file) == name)
}

/// `google.protobuf`, `google.rpc`, `grpc.health.v1`, `grpc.reflection.v1` and `v1alpha`; each file once.
fn well_known_files() -> &'static [FileDescriptorProto] {
    static FILES: OnceLock<Vec<FileDescriptorProto>> = OnceLock::new();
    FILES.get_or_init(|| {
        let google = protox::prost_reflect::DescriptorPool::global().encode_to_vec();
        let sets: [&[u8]; 5] = [
            &google,
            tonic_types::pb::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let files = sets
            .iter()
            .filter_map(|set| decode_set(set).ok())
            .flat_map(|set| set.file);
        once_each(files)
    })
}
