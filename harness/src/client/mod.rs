//! How we talk: the only room of the harness that opens connections.

pub mod call;

pub use call::*;

impl Protocol {
    /// As it stands in case names and records.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
        }
    }
}

// H2 implements: target.rs (Target::parse(&str) -> Result<Target, TargetError>: rules of design.md; tls options),
// connect.rs (TCP, TLS, recording I/O, h2 handshake), grpc.rs (framing, OpenCall), status.rs (codes, percent-decoding,
// details, HTTP -> gRPC mapping). API used by verify:
//
// pub struct Options { ca: Option<PathBuf>, authority: Option<String>, metadata: Vec<(String, Vec<u8>)> /*sent with every
//     call, reflection too*/, connect_timeout: Duration }
// pub struct Client     Clone (Arc): Client::new(Target, Options) -> Result<Client, ConnectError> (no I/O but reading the CA)
//   async fn open(&self, call: &Call) -> OpenCall            // never fails: a failed connection is an OpenCall that ends
//   async fn probe(&self, within: Duration) -> Result<(), ConnectError>   // TCP, TLS, h2 SETTINGS seen: target reachable
//   target() -> &Target
// pub struct OpenCall   pull-based: nothing is read from the connection unless next() is polled
//   async fn send(&mut self, &DynMsg) -> Result<(), Gone>;  fn close(&mut self)  (half-close)
//   async fn next(&mut self) -> Arrival      // enum Arrival { Headers, Message(Message), End(Box<Observation>) }; cancel-safe;
//                                            // honours deadline + GRACE itself; Observation.messages holds all messages
//   fn cancel(self) -> Observation           // RST_STREAM CANCEL now
// async fn collect(OpenCall, requests: Vec<DynMsg>) -> Observation   // send all, half-close, read to the end
// pub enum ConnectError  with a Display sentence that helps (design.md, issue "must show" 6)
