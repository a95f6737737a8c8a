//! The client side of gRPC server reflection: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md.

use super::load::{self, MAX_BYTES};
use super::{DynMsg, Method, Origin, Schema, SchemaError};
use crate::client::{Arrival, Call, Client, Code, Layer, Observation, OpenCall, Protocol};
use buffa_descriptor::generated::descriptor::FileDescriptorProto;
use prost::Message as _;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

/// More is no description of a service.
const MAX_SERVICES: usize = 1_000;
const MAX_FILES: usize = 5_000;

/// Why reflection gave no schema.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReflectionError {
    /// The target offers no reflection: fall back to other descriptors.
    #[error("the target offers no reflection: {reason}")]
    NotOffered {
        /// What it answered instead.
        reason: String,
    },
    /// Reflection was offered and broke off, or the target could not be asked.
    #[error("reflection failed: {reason}")]
    Failed {
        /// What happened.
        reason: String,
    },
    /// What it answered makes no schema.
    #[error("the descriptors from reflection are unusable: {0}")]
    Invalid(#[source] SchemaError),
}

/// Asks the target for its descriptors: `v1`, then `v1alpha`. `within` bounds all of it.
pub async fn reflect(client: &Client, within: Duration) -> Result<Schema, ReflectionError> {
    let until = Instant::now() + within;
    let asked = timeout_at(until, async {
        match Session::new(client, "v1", within)?.gather().await {
            Err(ReflectionError::NotOffered { reason: first }) => {
                match Session::new(client, "v1alpha", within)?.gather().await {
                    Err(ReflectionError::NotOffered { reason }) if reason != first => {
                        Err(ReflectionError::NotOffered {
                            reason: format!("v1: {first}; v1alpha: {reason}"),
                        })
                    }
                    other => other,
                }
            }
            other => other,
        }
    });
    asked.await.unwrap_or_else(|_| {
        Err(ReflectionError::Failed {
            reason: format!("no end within {}", humantime::format_duration(within)),
        })
    })
}

struct Session<'a> {
    client: &'a Client,
    version: &'static str,
    /// Of the well-known files; the messages of both versions are the same on the wire.
    method: Method,
    within: Duration,
    /// Open between questions; some servers end it with each not-found.
    stream: Option<OpenCall>,
    files: Vec<FileDescriptorProto>,
    names: HashSet<String>,
    bytes: usize,
}

/// An answer, or that there is none to this question.
enum Answer {
    Found(MessageResponse),
    NotFound(String),
}

impl<'a> Session<'a> {
    fn new(client: &'a Client, version: &'static str, within: Duration) -> Result<Self, ReflectionError> {
        let service = format!("grpc.reflection.{version}.ServerReflection");
        let method = load::well_known().method(&service, "ServerReflectionInfo");
        let method = method.ok_or_else(|| failed(format!("{service} is not described")))?;
        Ok(Session {
            client,
            version,
            method,
            within,
            stream: None,
            files: Vec::new(),
            names: HashSet::new(),
            bytes: 0,
        })
    }

    async fn gather(mut self) -> Result<Schema, ReflectionError> {
        let offered = self.list().await?;
        let mut nowhere = String::new();
        for service in &offered {
            match self.ask(MessageRequest::FileContainingSymbol(service.clone())).await? {
                Answer::Found(MessageResponse::FileDescriptorResponse(files)) => {
                    self.keep(files.file_descriptor_proto)?;
                }
                Answer::Found(_) => nowhere = format!("another kind of answer about {service}"),
                Answer::NotFound(reason) => nowhere = format!("nothing about {service}: {reason}"),
            }
        }
        if self.files.is_empty() {
            return Err(failed(format!("{} services, no descriptors; {nowhere}", offered.len())));
        }
        self.chase().await?;
        let origin = Origin::Reflection(self.version.to_owned());
        Schema::assemble(self.files, origin, Some(offered)).map_err(ReflectionError::Invalid)
    }

    async fn list(&mut self) -> Result<Vec<String>, ReflectionError> {
        let services = match self.ask(MessageRequest::ListServices("*".to_owned())).await? {
            Answer::Found(MessageResponse::ListServicesResponse(list)) => list.service,
            Answer::Found(_) => return Err(failed("another kind of answer to list_services".to_owned())),
            Answer::NotFound(reason) => return Err(ReflectionError::NotOffered { reason }),
        };
        match services.len() {
            0 => Err(ReflectionError::NotOffered {
                reason: "it lists no services".to_owned(),
            }),
            many if many > MAX_SERVICES => Err(failed(format!("{many} services; at most {MAX_SERVICES} are read"))),
            _ => Ok(services.into_iter().map(|service| service.name).collect()),
        }
    }

    /// Asks for imports that did not come along. One that the target cannot give is left to the linking, which says so if it
    /// matters.
    async fn chase(&mut self) -> Result<(), ReflectionError> {
        let mut asked = HashSet::new();
        let mut next = 0;
        while let Some(file) = self.files.get(next) {
            next += 1;
            for import in file.dependency.clone() {
                if self.names.contains(&import) || load::is_well_known(&import) || !asked.insert(import.clone()) {
                    continue;
                }
                if let Answer::Found(MessageResponse::FileDescriptorResponse(files)) =
                    self.ask(MessageRequest::FileByFilename(import)).await?
                {
                    self.keep(files.file_descriptor_proto)?;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, files: Vec<Vec<u8>>) -> Result<(), ReflectionError> {
        for bytes in files {
            let file = load::decode_file(&bytes).map_err(ReflectionError::Invalid)?;
            if self.names.insert(load::file_name(&file).to_owned()) {
                self.bytes += bytes.len();
                self.files.push(file);
            }
        }
        if self.files.len() > MAX_FILES {
            return Err(failed(format!("more than {MAX_FILES} files")));
        }
        if self.bytes > MAX_BYTES {
            return Err(ReflectionError::Invalid(SchemaError::TooLarge(self.bytes)));
        }
        Ok(())
    }

    async fn ask(&mut self, question: MessageRequest) -> Result<Answer, ReflectionError> {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        };
        let request =
            DynMsg::decode(&self.method.input, &request.encode_to_vec()).map_err(|e| failed(e.to_string()))?;
        let (mut stream, mut reused) = match self.stream.take() {
            Some(stream) => (stream, true),
            None => (self.open().await, false),
        };
        // Where the target has ended the stream by now, the end below says why.
        let _ = stream.send(&request).await;
        loop {
            match stream.next().await {
                Arrival::Headers(_) => {}
                Arrival::Message(message) => {
                    self.stream = Some(stream);
                    return answer(&message.value);
                }
                Arrival::End(end) if reused && end.status.code == Code::OK => {
                    // A target that ends the stream after each answer gets a new one for each question.
                    reused = false;
                    stream = self.open().await;
                    let _ = stream.send(&request).await;
                }
                Arrival::End(end) => return refusal(&end),
            }
        }
    }

    async fn open(&self) -> OpenCall {
        let call = Call {
            method: self.method.clone(),
            protocol: Protocol::Grpc,
            metadata: Vec::new(),
            deadline: self.within,
            fresh_connection: false,
            small_window: false,
        };
        self.client.open(&call).await
    }
}

fn failed(reason: String) -> ReflectionError {
    ReflectionError::Failed { reason }
}

fn answer(message: &DynMsg) -> Result<Answer, ReflectionError> {
    let response = ServerReflectionResponse::decode(message.encode().as_slice()).map_err(|e| failed(e.to_string()))?;
    match response.message_response {
        Some(MessageResponse::ErrorResponse(error)) => {
            let code = u8::try_from(error.error_code).map_or(Code::UNKNOWN, Code);
            by_code(code, format!("{code}: {}", error.error_message))
        }
        Some(found) => Ok(Answer::Found(found)),
        None => Err(failed("an answer without content".to_owned())),
    }
}

/// The stream has ended instead of answering.
fn refusal(end: &Observation) -> Result<Answer, ReflectionError> {
    let text = match end.status.message.as_str() {
        "" => end.status.code.to_string(),
        message => format!("{}: {message}", end.status.code),
    };
    match end.layer {
        Layer::Application | Layer::Proxy => by_code(end.status.code, text),
        Layer::Transport | Layer::Client => Err(failed(text)),
    }
}

fn by_code(code: Code, text: String) -> Result<Answer, ReflectionError> {
    match code {
        Code::UNIMPLEMENTED => Err(ReflectionError::NotOffered { reason: text }),
        Code::NOT_FOUND => Ok(Answer::NotFound(text)),
        _ => Err(failed(text)),
    }
}
