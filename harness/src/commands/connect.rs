//! From the connection options to a client that has reached its target, and to the target's descriptors.

use super::{Refusal, doctor};
use base64::Engine;
use std::{env, fs, time::Duration};
use stocktake::{
    cli::ConnectionArgs,
    client::{Client, ConnectError, Options, Protocol, Target, check_metadata},
    scenario::error::ScenarioError,
    schema::{HttpFile, ReflectionError, Schema, reflect},
    verify::record::Caveat,
};
use tokio::time::{Instant, sleep};

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
