//! From the connection options to a client that has reached its target, and to the target's descriptors.

use super::{Refusal, doctor};
use base64::Engine;
use std::{env, fs, sync::Arc, time::Duration};
use stocktake::{
    cli::ConnectionArgs,
    client::{Call, Client, ConnectError, Identity, Layer, Options, Protocol, Target, check_metadata, collect},
    scenario::error::ScenarioError,
    schema::{HttpFile, Method, Origin, ReflectionError, Schema, drift, reflect},
    verify::{
        checks,
        record::{Caveat, CheckName, CheckRecord, CheckResult},
    },
};
use tokio::time::{Instant, sleep, timeout};

/// For all of reflection.
const REFLECTION_LIMIT: Duration = Duration::from_secs(15);

/// The metadata of every call.
fn metadata(args: &ConnectionArgs) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let mut lines: Vec<(String, String)> = args.header.iter().map(|h| ("--header".to_owned(), h.clone())).collect();
    if let Some(file) = &args.header_file {
        let text =
            fs::read_to_string(file).map_err(|e| Refusal::input(format!("cannot read {}: {e}", file.display())))?;
        let of_file = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        lines.extend(of_file.map(|line| (file.display().to_string(), line.to_owned())));
    }
    let mut metadata = Vec::new();
    for (from, line) in lines {
        // The value may be a secret: it is not repeated.
        let (key, value) = line
            .split_once(':')
            .ok_or_else(|| Refusal::input(format!("{from}: write `key: value`")))?;
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        if key.is_empty() || !key.chars().all(legal) {
            // What stands in a key's place may be a part of a secret: it is not repeated either.
            return Err(Refusal::input(format!(
                "{from}: before the first `:` stands no metadata key: letters, digits, `-`, `_` and `.`"
            )));
        }
        if key.starts_with("grpc-") {
            return Err(Refusal::input(format!("{from}: `{key}` is gRPC's own")));
        }
        let value = if key.ends_with("-bin") {
            let decoded = base64::engine::general_purpose::STANDARD.decode(value);
            decoded.map_err(|_| Refusal::input(format!("{from}: the value of `{key}` is no base64")))?
        } else {
            value.as_bytes().to_vec()
        };
        check_metadata(&key, &value).map_err(|text| Refusal::input(format!("{from}: {text}")))?;
        metadata.push((key, value));
    }
    let token = match (&args.token_env, &args.token_file) {
        (Some(name), _) => {
            Some(env::var(name).map_err(|_| Refusal::input(format!("--token-env: the variable {name} is not set")))?)
        }
        (None, Some(file)) => {
            Some(fs::read_to_string(file).map_err(|e| Refusal::input(format!("cannot read {}: {e}", file.display())))?)
        }
        (None, None) => None,
    };
    if let Some(token) = token {
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            return Err(Refusal::input("the token is empty or not printable ASCII"));
        }
        metadata.push(("authorization".to_owned(), format!("Bearer {token}").into_bytes()));
    }
    Ok(metadata)
}

/// A client for the target; nothing is sent yet.
pub fn client(target: &Target, args: &ConnectionArgs) -> Result<Client, Refusal> {
    let options = Options {
        ca: args.ca.clone(),
        authority: args.authority.clone(),
        metadata: metadata(args)?,
        connect_timeout: args.connect_timeout,
    };
    Client::new(target.clone(), options).map_err(|error| Refusal::input(error.to_string()))
}

/// Waits for the first answer of a target that may have to be started first (`--cold-start`): one call that is not made
/// again, with a budget of its own, over a connection of its own. `None` where nobody asked.
pub async fn cold_start(
    target: &Target,
    protocol: Protocol,
    args: &ConnectionArgs,
    identity: &Arc<Identity>,
) -> Result<Option<Duration>, Refusal> {
    let Some(budget) = args.cold_start else { return Ok(None) };
    let within = humantime::format_duration(budget);
    let none = |why: String| {
        Refusal::not_judged(format!(
            "no first answer of {target} within the cold start of {within}: {why}"
        ))
    };
    let options = Options {
        ca: args.ca.clone(),
        authority: args.authority.clone(),
        metadata: metadata(args)?,
        connect_timeout: budget,
    };
    let client = Client::new(target.clone(), options).map_err(|error| Refusal::input(error.to_string()))?;
    let client = client.watched(identity.clone());
    let method = match protocol {
        Protocol::Grpc => first_call(&Schema::built_in()),
        Protocol::Rest => first_call(&over_rest()?),
    };
    let request = method.input.new_message();
    let call = Call {
        method,
        protocol,
        metadata: Vec::new(),
        deadline: budget,
        fresh_connection: true,
        small_window: false,
    };
    let began = Instant::now();
    let answer = timeout(budget, async { collect(client.open(&call).await, [request]).await });
    let answer = answer.await.map_err(|_| none("it was silent".to_owned()))?;
    let took = began.elapsed();
    let shown = Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    // Of `/` over REST nothing is known but that an answer below 500 is one of somebody who runs.
    let runs = answer.http.status != 0 && answer.http.status < 500;
    match answer.layer {
        Layer::Application => Ok(Some(took)),
        Layer::Proxy if protocol == Protocol::Rest && runs => Ok(Some(took)),
        Layer::Proxy => Err(none(format!(
            "something in front of it answered after {}: HTTP {}, {} {}",
            humantime::format_duration(shown),
            answer.http.status,
            answer.status.code,
            answer.status.message
        ))),
        Layer::Transport | Layer::Client => Err(none(answer.status.message)),
    }
}

/// A call that every gRPC service answers somehow: that it has no such method is an answer too.
fn first_call(known: &Schema) -> Method {
    let (service, method) = ("grpc.health.v1.Health", "Check");
    let described = known.method(service, method);
    described.unwrap_or_else(|| known.undescribed(service, method))
}

/// The same as GET / over REST.
fn over_rest() -> Result<Schema, Refusal> {
    let rule = "http:\n  rules:\n    - selector: grpc.health.v1.Health.Check\n      get: /\n";
    let file = HttpFile::parse("GET /", rule).map_err(|errors| mistaken(&errors))?;
    Schema::built_in().with_http(&file).map_err(|errors| mistaken(&errors))
}

/// What the target describes beside the contract, before any case: the files of `--proto` or `--descriptor-set`, else the
/// built-in contract where the scenarios are about its service and the target lists that. `None` where nothing can be said.
pub async fn contract(client: &Client, args: &ConnectionArgs, schema: &Schema, wants: Wants) -> Option<CheckRecord> {
    let service = inventory_contract::SERVICE.to_owned();
    match schema.origin() {
        Origin::Reflection(_) if wants.contract && schema.services().contains(&service) => {
            let found = drift(&Schema::built_in(), schema, &[service]);
            return Some(checks::contract(&found, "built-in contract"));
        }
        Origin::Proto | Origin::DescriptorSet if !wants.rest_alone => {}
        _ => return None,
    }
    let of = match args.proto.is_empty() {
        false => "contract of --proto",
        true => "contract of --descriptor-set",
    };
    let reason = match reflect(client, REFLECTION_LIMIT).await {
        Ok(target) => {
            let described = target.services();
            // A file may hold services of other targets too.
            let services: Vec<String> = schema
                .services()
                .into_iter()
                .filter(|name| described.contains(name))
                .collect();
            if !services.is_empty() {
                return Some(checks::contract(&drift(schema, &target, &services), of));
            }
            "the target describes none of its services".to_owned()
        }
        Err(error) => error.to_string(),
    };
    Some(CheckRecord {
        about: CheckName::Contract,
        result: CheckResult::Noted,
        sentence: format!("the descriptors of the target were not held against the {of}: {reason}"),
        items: Vec::new(),
    })
}

/// The descriptors by which clients call, where the target's own break the contract: the contract itself, with the HTTP rules of
/// the run. What the target makes of such calls is then seen in the cases.
pub fn as_promised(
    check: Option<&CheckRecord>,
    described: Schema,
    args: &ConnectionArgs,
) -> Result<(Schema, Option<Caveat>), Refusal> {
    let broken = check.is_some_and(|check| check.result == CheckResult::Failed);
    if !broken || !matches!(described.origin(), Origin::Reflection(_)) {
        return Ok((described, None));
    }
    let schema = match http_rules(args)? {
        None => Schema::built_in(),
        Some(file) => Schema::built_in()
            .with_http(&file)
            .map_err(|errors| mistaken(&errors))?,
    };
    let caveat = Caveat {
        text: "calls were made by the built-in contract, which the target's own descriptors break".to_owned(),
        remedy: "keep what clients were promised, or judge by other files with --proto".to_owned(),
    };
    Ok((schema, Some(caveat)))
}

/// Waits until the target can be reached.
pub async fn reach(client: &Client, protocol: Protocol, args: &ConnectionArgs) -> Result<(), Refusal> {
    let until = args.wait.map(|wait| Instant::now() + wait);
    loop {
        match client.probe(protocol, args.connect_timeout).await {
            Ok(()) => return Ok(()),
            Err(error) => match until {
                Some(until) if Instant::now() < until => sleep(Duration::from_millis(250)).await,
                _ => {
                    let waited = args
                        .wait
                        .map(|w| format!(" within {}", humantime::format_duration(w)))
                        .unwrap_or_default();
                    let instead = match error {
                        ConnectError::Http1 { .. } | ConnectError::NoAlpn { .. } => {
                            "; what it offers over REST is judged with --protocol rest"
                        }
                        _ => "",
                    };
                    let text = format!("cannot reach {}{waited}: {error}{instead}", client.target());
                    return Err(doctor::refusal(text, client, protocol).await);
                }
            },
        }
    }
}

/// The HTTP rules of `--http-rules`, free of mistakes of their own.
pub fn http_rules(args: &ConnectionArgs) -> Result<Option<HttpFile>, Refusal> {
    let Some(file) = &args.http_rules else { return Ok(None) };
    let name = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|e| Refusal::input(format!("cannot read {name}: {e}")))?;
    HttpFile::parse(&name, &text)
        .map(Some)
        .map_err(|errors| mistaken(&errors))
}

/// All mistakes of a file, in its order.
fn mistaken(errors: &[ScenarioError]) -> Refusal {
    let mut text: Vec<String> = errors.iter().map(ScenarioError::render).collect();
    let mistakes = if errors.len() == 1 { "mistake" } else { "mistakes" };
    text.push(format!(
        "{} {mistakes} in the HTTP rules; nothing was sent",
        errors.len()
    ));
    Refusal::input(text.join("\n").trim_start_matches("error: ").to_owned())
}

/// Descriptors and HTTP rules, with notes for the reader.
pub async fn described(
    client: &Client,
    args: &ConnectionArgs,
    rules: Option<HttpFile>,
    wants: Wants,
) -> Result<(Schema, Vec<Caveat>), Refusal> {
    let (schema, note) = schema(client, args, wants).await?;
    let mut caveats = Vec::new();
    if let Some(text) = note {
        let remedy = "turn on reflection, or give --proto or --descriptor-set".to_owned();
        caveats.push(Caveat { text, remedy });
    }
    let schema = match rules {
        None => schema,
        Some(file) => schema.with_http(&file).map_err(|errors| mistaken(&errors))?,
    };
    caveats.extend(schema.http_notes().iter().map(|text| Caveat {
        text: text.clone(),
        remedy: "mend the option, or give the rules with --http-rules".to_owned(),
    }));
    Ok((schema, caveats))
}

/// What the scenarios need of the descriptors.
#[derive(Clone, Copy)]
pub struct Wants {
    /// They are about the service of the contract.
    pub contract: bool,
    /// The target need not speak gRPC, by which it would describe itself.
    pub rest_alone: bool,
}

/// The descriptors from files, where they were given.
pub fn given(args: &ConnectionArgs) -> Result<Option<Schema>, Refusal> {
    if !args.proto.is_empty() {
        let schema = Schema::from_proto(&args.proto, &args.proto_path);
        return schema.map(Some).map_err(|error| Refusal::input(error.to_string()));
    }
    let Some(file) = &args.descriptor_set else {
        return Ok(None);
    };
    let bytes = fs::read(file).map_err(|e| Refusal::input(format!("cannot read {}: {e}", file.display())))?;
    let schema = Schema::from_descriptor_set(&bytes);
    let schema = schema.map_err(|error| Refusal::input(format!("{}: {error}", file.display())))?;
    Ok(Some(schema))
}

/// The descriptors: from files where given, else by reflection, else the built-in contract. The second value is a note
/// for the reader.
async fn schema(client: &Client, args: &ConnectionArgs, wants: Wants) -> Result<(Schema, Option<String>), Refusal> {
    if let Some(schema) = given(args)? {
        return Ok((schema, None));
    }
    match reflect(client, REFLECTION_LIMIT).await {
        Ok(schema)
            if wants.contract
                && !schema
                    .services()
                    .iter()
                    .any(|service| service == inventory_contract::SERVICE) =>
        {
            let service = inventory_contract::SERVICE;
            Ok((
                Schema::built_in(),
                Some(format!(
                    "the target's reflection does not list {service}; the built-in contract is used"
                )),
            ))
        }
        Ok(schema) => Ok((schema, None)),
        Err(ReflectionError::NotOffered { reason }) => Ok((
            Schema::built_in(),
            Some(format!(
                "the target offers no reflection ({reason}); the built-in contract is used"
            )),
        )),
        Err(error) if wants.rest_alone => Ok((
            Schema::built_in(),
            Some(format!("{error}; the built-in contract is used")),
        )),
        Err(error) => {
            let text = format!("{error}; give the descriptors with --proto or --descriptor-set");
            Err(doctor::refusal(text, client, Protocol::Grpc).await)
        }
    }
}
