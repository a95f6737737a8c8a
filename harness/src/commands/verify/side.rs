//! A target of a verify run: reached, described, and held against the scenarios before anything is sent that could write.

use crate::commands::{
    Refusal,
    connect::{self, Wants},
    consent, offer,
};
use std::sync::Arc;
use stocktake::{
    cli::{ConnectionArgs, ProtocolChoice, VerifyArgs},
    client::{Client, Identity, Protocol, Target},
    scenario::model::Scenario,
    schema::Schema,
    verify::{
        checks, link,
        matrix::Case,
        record::{Caveat, CheckRecord, Outcome},
    },
};

/// A target that was reached.
pub struct Side {
    /// Calls it.
    pub client: Client,
    /// Counts who answers.
    pub identity: Arc<Identity>,
    /// What it describes.
    pub schema: Schema,
    /// The cases that it can be judged by.
    pub matrix: Vec<Case>,
    /// Over which the run goes.
    pub protocols: Vec<Protocol>,
    /// Asked for, and not offered.
    pub not_offered: Vec<(Protocol, String)>,
    /// How cases over REST end where it is not offered.
    pub no_rest: Option<Outcome>,
    /// For the reader.
    pub notes: Vec<Caveat>,
    /// What is known of it before any case.
    pub checks: Vec<CheckRecord>,
}

impl Side {
    /// Why none of its cases over REST can be judged.
    pub fn not_judged(&self) -> Option<String> {
        match &self.no_rest {
            Some(Outcome::NotJudged { reason }) => Some(reason.clone()),
            _ => None,
        }
    }
}

/// Reaches a target by `connection`; `expected` is the revision that it must be of, `beside` what is written beside the cases.
pub async fn approach(
    target: &Target,
    args: &VerifyArgs,
    connection: &ConnectionArgs,
    mut matrix: Vec<Case>,
    expected: Option<&str>,
    beside: u64,
) -> Result<Side, Refusal> {
    let protocols = offer::protocols(args.protocol);
    let first = protocols.first().copied().unwrap_or(Protocol::Grpc);
    // Whether REST counts, `auto` must look first; what is too much without it need not even be sent a look.
    let sure = match args.protocol {
        ProtocolChoice::Auto => std::slice::from_ref(&first),
        ProtocolChoice::Grpc | ProtocolChoice::Rest | ProtocolChoice::Both => protocols.as_slice(),
    };
    consent::residue(target, args, &matrix, sure, beside)?;
    let rules = connect::http_rules(connection)?;
    let identity = Identity::new(&args.revision_header, expected);
    let client = connect::client(target, connection)?.watched(identity.clone());
    let mut found = Vec::new();
    let cold = connect::cold_start(target, first, connection, &identity).await?;
    let cold = cold.zip(connection.cold_start);
    found.extend(cold.map(|(took, budget)| checks::cold_start(took, budget)));
    connect::reach(&client, first, connection).await?;
    let wants = Wants {
        contract: wants_contract(&matrix),
        rest_alone: first == Protocol::Rest,
    };
    let (schema, mut notes) = connect::described(&client, connection, rules, wants).await?;
    let contract = connect::contract(&client, connection, &schema, wants).await;
    let (schema, caveat) = connect::as_promised(contract.as_ref(), schema, connection)?;
    notes.extend(caveat);
    found.extend(contract);
    link_all(&matrix, &schema, args.stream_budget.into())?;
    let rest = offer::rest(&client, &schema, &matrix, args.protocol).await;
    let not_offered = rest
        .reason()
        .map(|reason| (Protocol::Rest, reason))
        .into_iter()
        .collect();
    notes.extend(rest.caveat);
    if rest.left_out {
        matrix.retain(|case| case.protocol != Protocol::Rest);
    }
    let judged = |protocol: &Protocol| {
        let withheld = *protocol == Protocol::Rest && rest.withheld.is_some();
        !withheld && matrix.iter().any(|case| case.protocol == *protocol)
    };
    let protocols: Vec<Protocol> = protocols.into_iter().filter(judged).collect();
    // Until here nothing was sent that could have written: connections, reflection and one GET.
    consent::residue(target, args, &matrix, &protocols, beside)?;
    Ok(Side {
        client,
        identity,
        schema,
        matrix,
        protocols,
        not_offered,
        no_rest: rest.withheld,
        notes,
        checks: found,
    })
}

fn wants_contract(matrix: &[Case]) -> bool {
    let service = |case: &Case| case.scenario.service.as_ref().map(|service| service.value.clone());
    matrix
        .iter()
        .any(|case| service(case).as_deref() == Some(inventory_contract::SERVICE))
}

/// Every scenario against the descriptors, before anything is sent.
fn link_all(matrix: &[Case], schema: &Schema, budget: usize) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    let mut last: Option<&Arc<Scenario>> = None;
    for case in matrix {
        if !last.is_some_and(|scenario| Arc::ptr_eq(scenario, &case.scenario)) {
            errors.extend(link::check(&case.scenario, schema, budget));
            last = Some(&case.scenario);
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let mut text: Vec<String> = errors.iter().take(20).map(|error| error.render()).collect();
    let mistakes = if errors.len() == 1 { "mistake" } else { "mistakes" };
    text.push(format!(
        "{} {mistakes} against the descriptors ({}); nothing was sent",
        errors.len(),
        schema.origin()
    ));
    Err(Refusal::input(text.join("\n").trim_start_matches("error: ")))
}
