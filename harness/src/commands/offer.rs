//! Whether the target offers REST: asked once, by one call that harms nobody.

use std::time::Duration;
use stocktake::{
    cli::ProtocolChoice,
    client::{Call, Client, Code, Layer, Observation, Protocol, collect},
    schema::{DynMsg, Method, Schema},
    verify::{
        engine::split,
        matrix::Case,
        record::{Caveat, Outcome},
    },
};

/// For the one call.
const PROBE: Duration = Duration::from_secs(5);

/// What is known of REST before the run.
#[derive(Default)]
pub struct Rest {
    /// How each case over it ends, where it is not offered.
    pub withheld: Option<Outcome>,
    /// No rule maps anything, and nobody asked for it: there are no such cases.
    pub left_out: bool,
    /// For the reader.
    pub caveat: Option<Caveat>,
}

impl Rest {
    /// Why the cases over it are not judged.
    pub fn reason(&self) -> Option<String> {
        match &self.withheld {
            Some(Outcome::Skipped { reason } | Outcome::NotJudged { reason }) => Some(reason.clone()),
            _ => None,
        }
    }
}

/// The protocols that a run covers, as far as the options say.
pub fn protocols(choice: ProtocolChoice) -> Vec<Protocol> {
    match choice {
        ProtocolChoice::Grpc => vec![Protocol::Grpc],
        ProtocolChoice::Rest => vec![Protocol::Rest],
        ProtocolChoice::Auto | ProtocolChoice::Both => vec![Protocol::Grpc, Protocol::Rest],
    }
}

/// Asks the target, unless gRPC alone is wanted.
pub async fn rest(client: &Client, schema: &Schema, matrix: &[Case], choice: ProtocolChoice) -> Rest {
    let wanted = match choice {
        ProtocolChoice::Grpc => return Rest::default(),
        ProtocolChoice::Auto => false,
        ProtocolChoice::Rest | ProtocolChoice::Both => true,
    };
    if !matrix.iter().any(|case| case.protocol == Protocol::Rest) {
        return Rest::default();
    }
    let methods = mapped(schema, matrix);
    if methods.is_empty() {
        let reason = "no HTTP rule maps a method of these scenarios: give them with --http-rules".to_owned();
        return Rest {
            withheld: wanted.then_some(Outcome::NotJudged { reason }),
            left_out: !wanted,
            caveat: None,
        };
    }
    let refusal = match probe(schema, &methods) {
        Some((method, request, sure)) => ask(client, method, request, sure).await,
        None if wanted => None,
        None => Some(NOTHING_HARMLESS.to_owned()),
    };
    let Some(reason) = refusal else { return Rest::default() };
    let text = format!("the target offers no REST: {reason}");
    if wanted {
        return Rest {
            withheld: Some(Outcome::NotJudged { reason: text }),
            ..Rest::default()
        };
    }
    Rest {
        withheld: Some(Outcome::Skipped { reason: text }),
        left_out: false,
        caveat: Some(Caveat {
            text: "REST was not judged, for the target offers none".to_owned(),
            remedy: "turn it on at this address, or run with --protocol grpc".to_owned(),
        }),
    }
}

/// Why nothing is known of REST.
const NOTHING_HARMLESS: &str = "no rule maps a method to GET, so that nothing harmless can be asked";

/// Why the target does not offer these methods over REST; `None` when it does. `wanted`: somebody asked for it, so that what
/// cannot be asked is taken for granted.
pub async fn no_rest(client: &Client, schema: &Schema, methods: &[Method], wanted: bool) -> Option<String> {
    if let Some(reason) = methods.iter().find_map(Method::no_rest) {
        return Some(reason);
    }
    match probe(schema, methods) {
        Some((method, request, sure)) => ask(client, method, request, sure).await,
        None => (!wanted).then(|| NOTHING_HARMLESS.to_owned()),
    }
}

/// The methods that cases call and REST has, each once.
fn mapped(schema: &Schema, matrix: &[Case]) -> Vec<Method> {
    let mut found: Vec<Method> = Vec::new();
    for case in matrix.iter().filter(|case| case.protocol == Protocol::Rest) {
        for spec in case.scenario.calls() {
            let named = split(&case.scenario, &spec.method.value);
            let method = named.and_then(|(service, name)| schema.method(&service, &name));
            let method = method.filter(|method| !spec.undescribed && method.no_rest().is_none());
            found.extend(method.filter(|method| !found.iter().any(|known| known.full_name() == method.full_name())));
        }
    }
    found
}

/// A call that reads one answer: best one whose path is the same for everybody, so that "not found" speaks of the path.
fn probe(schema: &Schema, methods: &[Method]) -> Option<(Method, DynMsg, bool)> {
    let of_services = schema.services();
    let others = of_services.iter().flat_map(|service| schema.service_methods(service));
    let all: Vec<Method> = methods.iter().cloned().chain(others).collect();
    let readings: Vec<(Method, DynMsg, bool)> = all
        .into_iter()
        .filter_map(|method| {
            let (request, fixed) = method.reading_probe()?;
            Some((method, request, fixed))
        })
        .collect();
    let fixed = readings.iter().find(|(_, _, fixed)| *fixed);
    fixed.or(readings.first()).cloned()
}

/// Why the answer is not one of REST; `None` when it is.
async fn ask(client: &Client, method: Method, request: DynMsg, fixed: bool) -> Option<String> {
    let path = method
        .http_request(&request)
        .map(|made| made.path_and_query)
        .unwrap_or_default();
    let call = Call {
        method,
        protocol: Protocol::Rest,
        metadata: Vec::new(),
        deadline: PROBE,
        fresh_connection: false,
        small_window: false,
    };
    let answer = collect(client.open(&call).await, vec![request]).await;
    refusal(&answer, fixed).map(|reason| format!("GET {path}: {reason}"))
}

fn refusal(answer: &Observation, fixed: bool) -> Option<String> {
    let status = &answer.status;
    let success = (200..300).contains(&answer.http.status);
    match answer.layer {
        Layer::Application if success && status.code != Code::OK => answer.violations.first().cloned(),
        Layer::Application if fixed && matches!(status.code, Code::NOT_FOUND | Code::UNIMPLEMENTED) => {
            Some(format!("HTTP {}, {}", answer.http.status, status.code))
        }
        Layer::Application => None,
        Layer::Proxy | Layer::Transport | Layer::Client => Some(status.message.clone()),
    }
}
