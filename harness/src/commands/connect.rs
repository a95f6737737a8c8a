//! From the connection options to a client that has reached its target, and to the target's descriptors.

use super::Refusal;
use base64::Engine;
use std::{env, fs, time::Duration};
use stocktake::{
    cli::ConnectionArgs,
    client::{Client, Options, Target, check_metadata},
    schema::{ReflectionError, Schema, reflect},
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
pub async fn reach(client: &Client, args: &ConnectionArgs) -> Result<(), Refusal> {
    let until = args.wait.map(|wait| Instant::now() + wait);
    loop {
        match client.probe(args.connect_timeout).await {
            Ok(()) => return Ok(()),
            Err(error) => match until {
                Some(until) if Instant::now() < until => sleep(Duration::from_millis(250)).await,
                _ => {
                    let waited = args
                        .wait
                        .map(|w| format!(" within {}", humantime::format_duration(w)))
                        .unwrap_or_default();
                    return Err(Refusal::not_judged(format!(
                        "cannot reach {}{waited}: {error}",
                        client.target()
                    )));
                }
            },
        }
    }
}

/// The descriptors: from files where given, else by reflection, else the built-in contract. The second value is a note
/// for the reader. `wants_contract`: scenarios are about the service of the contract.
pub async fn schema(
    client: &Client,
    args: &ConnectionArgs,
    wants_contract: bool,
) -> Result<(Schema, Option<String>), Refusal> {
    if !args.proto.is_empty() {
        let schema = Schema::from_proto(&args.proto, &args.proto_path);
        return schema
            .map(|schema| (schema, None))
            .map_err(|error| Refusal::input(error.to_string()));
    }
    if let Some(file) = &args.descriptor_set {
        let bytes = fs::read(file).map_err(|e| Refusal::input(format!("cannot read {}: {e}", file.display())))?;
        let schema = Schema::from_descriptor_set(&bytes);
        let schema = schema.map_err(|error| Refusal::input(format!("{}: {error}", file.display())))?;
        return Ok((schema, None));
    }
    match reflect(client, REFLECTION_LIMIT).await {
        Ok(schema)
            if wants_contract
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
        Err(error) => Err(Refusal::not_judged(format!(
            "{error}; give the descriptors with --proto or --descriptor-set"
        ))),
    }
}
