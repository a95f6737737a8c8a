//! Reflection and health through their own clients.

use crate::{healthy, within};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Asks for something that is not there, then for the services, on one stream.
macro_rules! not_found_and_on {
    ($version:ident) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let server = healthy().await;
        let (sender, receiver) = mpsc::channel(4);
        let mut client = ServerReflectionClient::new(server.channel().await);
        let answers = client.server_reflection_info(ReceiverStream::new(receiver));
        let ask = |wanted| ServerReflectionRequest {
            host: "here".into(),
            message_request: Some(wanted),
        };
        sender
            .send(ask(MessageRequest::FileContainingSymbol("no.Such".into())))
            .await
            .unwrap();
        sender
            .send(ask(MessageRequest::ListServices(String::new())))
            .await
            .unwrap();
        let mut answers = within(answers).await.unwrap().into_inner();

        let missing = within(answers.message()).await.unwrap().unwrap();
        assert_eq!(missing.valid_host, "here");
        let Some(MessageResponse::ErrorResponse(error)) = missing.message_response else {
            panic!("not an error: {missing:?}");
        };
        assert_eq!(error.error_code, i32::from(tonic::Code::NotFound));

        let services = within(answers.message()).await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(services)) = services.message_response else {
            panic!("not services: {services:?}");
        };
        let names: Vec<&str> = services.service.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
                "inventory.InventoryService",
            ]
        );
        drop(sender);
        assert!(within(answers.message()).await.unwrap().is_none());
    }};
}

#[tokio::test]
async fn v1_tells_what_is_missing_inside_the_stream() {
    not_found_and_on!(v1);
}

#[tokio::test]
async fn v1alpha_tells_what_is_missing_inside_the_stream() {
    not_found_and_on!(v1alpha);
}

#[tokio::test]
async fn health_is_serving_for_the_server_and_its_service() {
    let server = healthy().await;
    let mut client = HealthClient::new(server.channel().await);
    for service in ["", "inventory.InventoryService"] {
        let answer = client
            .check(HealthCheckRequest {
                service: service.into(),
            })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    let unknown = client.check(HealthCheckRequest { service: "none".into() }).await;
    assert_eq!(crate::code(unknown), tonic::Code::NotFound);
}
