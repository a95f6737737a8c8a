//! Reflection against servers of several habits.

use super::*;
use prost::Message as _;
use std::sync::{Arc, Mutex};
use stocktake::schema::{ReflectionError, reflect};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
    ServiceResponse,
};

/// What a server does with a question.
enum Habit {
    Answer(MessageResponse),
    /// Ends the stream with this status.
    End(&'static str),
}

fn error(code: i32) -> Habit {
    Habit::Answer(MessageResponse::ErrorResponse(ErrorResponse {
        error_code: code,
        error_message: "no".into(),
    }))
}

fn files(files: Vec<Vec<u8>>) -> Habit {
    Habit::Answer(MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: files,
    }))
}

fn services(names: &[&str]) -> Habit {
    let service = names
        .iter()
        .map(|name| ServiceResponse {
            name: (*name).to_owned(),
        })
        .collect();
    Habit::Answer(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
}

/// A reflection server at this version, and the questions that it was asked.
async fn reflecting(
    version: &'static str,
    habit: fn(&MessageRequest) -> Habit,
) -> (SocketAddr, Arc<Mutex<Vec<MessageRequest>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    let address = h2_peer(move |request, mut respond| {
        let asked = Arc::clone(&notes);
        async move {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            let status = |code: &str| {
                let head = Response::builder().header("content-type", "application/grpc");
                head.header("grpc-status", code).body(()).unwrap()
            };
            if request.uri().path() != path {
                respond.send_response(status("12"), true).unwrap();
                return;
            }
            if request
                .headers()
                .get("authorization")
                .is_none_or(|value| value != "Bearer t")
            {
                respond.send_response(status("16"), true).unwrap();
                return;
            }
            let mut body = request.into_body();
            let mut out = respond.send_response(head("application/grpc"), false).unwrap();
            let mut buffer = BytesMut::new();
            while let Some(Ok(data)) = body.data().await {
                body.flow_control().release_capacity(data.len()).unwrap();
                buffer.extend_from_slice(&data);
                while buffer.len() >= 5 {
                    let length = u32::from_be_bytes(buffer[1..5].try_into().unwrap()) as usize;
                    if buffer.len() < 5 + length {
                        break;
                    }
                    let frame = buffer.split_to(5 + length);
                    let question = ServerReflectionRequest::decode(&frame[5..])
                        .unwrap()
                        .message_request
                        .unwrap();
                    asked.lock().unwrap().push(question.clone());
                    match habit(&question) {
                        Habit::Answer(answer) => {
                            let answer = ServerReflectionResponse {
                                message_response: Some(answer),
                                ..Default::default()
                            };
                            out.send_data(framed(0, &answer.encode_to_vec()), false).unwrap();
                        }
                        Habit::End(status) => {
                            out.send_trailers(trailers(&[("grpc-status", status)])).unwrap();
                            return;
                        }
                    }
                }
            }
            out.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
        }
    })
    .await;
    (address, asked)
}

/// Two files, the second imported by the first, each on its own.
fn compiled() -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "dep.proto",
        "syntax = \"proto3\"; package d; message Dep { string x = 1; }",
    );
    write(
        "top.proto",
        "syntax = \"proto3\"; package d; import \"dep.proto\"; import \"google/protobuf/empty.proto\";
         service Top { rpc Get(Dep) returns (google.protobuf.Empty); } service Hidden { rpc Get(Dep) returns (Dep); }",
    );
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.include_imports(true).open_file("top.proto").unwrap();
    compiler
        .file_descriptor_set()
        .file
        .iter()
        .map(|file| (file.name().to_owned(), file.encode_to_vec()))
        .collect()
}

fn one(name: &str) -> Vec<u8> {
    compiled().into_iter().find(|(file, _)| file == name).unwrap().1
}

fn asking(address: SocketAddr) -> Client {
    let metadata = vec![("authorization".to_owned(), b"Bearer t".to_vec())];
    client_with(
        address,
        Options {
            metadata,
            connect_timeout: LONG,
            ..Options::default()
        },
    )
}

#[tokio::test]
async fn files_come_one_by_one_and_imports_are_chased() {
    let (address, asked) = reflecting("v1", |question| match question {
        MessageRequest::ListServices(_) => services(&["d.Top", "grpc.reflection.v1.ServerReflection"]),
        MessageRequest::FileContainingSymbol(name) if name == "d.Top" => files(vec![one("top.proto")]),
        MessageRequest::FileByFilename(name) if name == "dep.proto" => files(vec![one("dep.proto")]),
        _ => error(5),
    })
    .await;
    let schema = reflect(&asking(address), LONG).await.unwrap();
    assert_eq!(schema.origin().to_string(), "reflection v1");
    // Offered and described; `Hidden` is described and not offered.
    assert_eq!(schema.services(), ["d.Top", "grpc.reflection.v1.ServerReflection"]);
    assert_eq!(schema.method("d.Top", "Get").unwrap().input.full_name(), "d.Dep");
    let by_name = |question: &MessageRequest| matches!(question, MessageRequest::FileByFilename(_));
    assert_eq!(
        asked.lock().unwrap().iter().filter(|q| by_name(q)).count(),
        1,
        "well-known files are not asked for"
    );
}

#[tokio::test]
async fn several_files_in_one_answer_and_v1alpha() {
    let (address, _) = reflecting("v1alpha", |question| match question {
        MessageRequest::ListServices(_) => services(&["d.Top"]),
        MessageRequest::FileContainingSymbol(_) => files(compiled().into_iter().map(|(_, bytes)| bytes).collect()),
        _ => error(5),
    })
    .await;
    let schema = reflect(&asking(address), LONG).await.unwrap();
    assert_eq!(schema.origin().to_string(), "reflection v1alpha");
    assert_eq!(schema.services(), ["d.Top"]);
}

#[tokio::test]
async fn a_stream_that_ends_at_a_not_found_is_opened_again() {
    let (address, asked) = reflecting("v1", |question| match question {
        MessageRequest::ListServices(_) => services(&["d.Missing", "d.Top"]),
        MessageRequest::FileContainingSymbol(name) if name == "d.Top" => files(vec![one("top.proto")]),
        MessageRequest::FileByFilename(_) => files(vec![one("dep.proto")]),
        _ => Habit::End("5"),
    })
    .await;
    let schema = reflect(&asking(address), LONG).await.unwrap();
    assert_eq!(schema.services(), ["d.Top"]);
    assert_eq!(asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn no_reflection_is_told_apart_from_a_failing_one() {
    let (address, _) = reflecting("v9", |_| error(5)).await;
    let error_of = |result: Result<Schema, ReflectionError>| result.err().unwrap();
    let result = error_of(reflect(&asking(address), LONG).await);
    assert!(
        matches!(&result, ReflectionError::NotOffered { reason } if reason.contains("UNIMPLEMENTED")),
        "{result}"
    );
    // HTTP 404 of something that is not gRPC.
    let address = h2_peer(|_, mut respond| async move {
        respond
            .send_response(Response::builder().status(404).body(()).unwrap(), true)
            .unwrap();
    })
    .await;
    let result = error_of(reflect(&asking(address), LONG).await);
    assert!(
        matches!(&result, ReflectionError::NotOffered { reason } if reason.contains("HTTP 404")),
        "{result}"
    );
    let (address, _) = reflecting("v1", |_| services(&[])).await;
    assert!(matches!(
        error_of(reflect(&asking(address), LONG).await),
        ReflectionError::NotOffered { .. }
    ));
    // Without the metadata that it wants.
    let result = error_of(reflect(&client(address), LONG).await);
    assert!(
        matches!(&result, ReflectionError::Failed { reason } if reason.contains("UNAUTHENTICATED")),
        "{result}"
    );
    let (address, _) = reflecting("v1", |_| error(13)).await;
    assert!(matches!(
        error_of(reflect(&asking(address), LONG).await),
        ReflectionError::Failed { .. }
    ));
}

#[tokio::test]
async fn descriptors_that_do_not_fit_together_are_told() {
    let (address, _) = reflecting("v1", |question| match question {
        MessageRequest::ListServices(_) => services(&["d.Top"]),
        MessageRequest::FileContainingSymbol(_) => files(vec![one("top.proto")]),
        _ => error(5),
    })
    .await;
    let text = reflect(&asking(address), LONG).await.err().unwrap().to_string();
    assert!(text.contains("top.proto imports dep.proto, which is missing"), "{text}");
    let (address, _) = reflecting("v1", |question| match question {
        MessageRequest::ListServices(_) => services(&["d.Top"]),
        _ => files(vec![b"\xff\xff\xff".to_vec()]),
    })
    .await;
    let text = reflect(&asking(address), LONG).await.err().unwrap().to_string();
    assert!(text.contains("the descriptors from reflection are unusable"), "{text}");
}
