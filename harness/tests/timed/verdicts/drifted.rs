//! A target that describes something else than it promised, and has no service behind it.

use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

/// Answers reflection alone, until it is dropped.
pub struct Target {
    /// Where.
    pub address: String,
    _runtime: Runtime,
}

impl Target {
    /// The built-in contract with one name in place of another one of the same length, wherever it stands.
    pub fn start(name: &[u8], instead: &[u8]) -> Target {
        assert_eq!(name.len(), instead.len());
        let mut described = inventory_contract::DESCRIPTORS.to_vec();
        let mut at = 0;
        while at + name.len() <= described.len() {
            if &described[at..at + name.len()] == name {
                described[at..at + name.len()].copy_from_slice(instead);
            }
            at += 1;
        }
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(&described)
                .build_v1()
                .unwrap();
            let incoming = TcpListenerStream::new(listener);
            Server::builder()
                .add_service(reflection)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Target {
            address,
            _runtime: runtime,
        }
    }
}
