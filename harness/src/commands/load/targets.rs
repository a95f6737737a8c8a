//! Targets under load: reached, described, set up.

use super::{Order, mistaken};
use crate::commands::{
    Refusal,
    child::Service,
    connect::{self, Wants},
    doctor, offer,
};
use std::{cell::RefCell, time::Duration};
use stocktake::{
    cli::LoadArgs,
    client::{Client, Identity, Layer, Protocol, Target},
    load::{
        leg::Leg,
        prepare,
        record::LoadTarget,
        setup::{self, SetupError},
        verdict::Cut,
        workload::link,
    },
    scenario::expr::Scope,
    schema::Schema,
    verify::{record::Caveat, residue::Created},
};

/// Where a target is.
pub struct Address {
    /// `target`, or `old` and `new`.
    pub name: &'static str,
    /// Parsed.
    pub target: Target,
    /// For people.
    pub shown: String,
    /// Its process, where it runs on this machine and is known.
    pub process: Option<u32>,
}

impl Address {
    /// Those of the command line; without one, the built-in service.
    pub fn of(args: &LoadArgs, service: Option<&Service>) -> Result<Vec<Address>, Refusal> {
        let parse = |text: &str| Target::parse(text).map_err(|error| Refusal::input(error.to_string()));
        let new = match (&args.target, service) {
            (Some(target), _) => {
                let target = parse(target)?;
                if args.server_pid.is_some() && !target.is_loopback() {
                    return Err(Refusal::input(
                        "--server-pid is of a process on this machine, and the target is not on it",
                    ));
                }
                Address {
                    name: if args.against.is_some() { "new" } else { "target" },
                    shown: target.to_string(),
                    target,
                    process: args.server_pid,
                }
            }
            (None, Some(service)) => Address::built_in(service)?,
            (None, None) => return Err(Refusal::input("give a target")),
        };
        let Some(old) = &args.against else { return Ok(vec![new]) };
        let target = parse(old)?;
        let old = Address {
            name: "old",
            shown: target.to_string(),
            target,
            process: None,
        };
        Ok(vec![old, new])
    }

    /// One that is known already.
    pub fn reached(target: Target) -> Address {
        Address {
            name: "target",
            shown: target.to_string(),
            target,
            process: None,
        }
    }

    /// The built-in service.
    pub fn built_in(service: &Service) -> Result<Address, Refusal> {
        let target = Target::parse(&service.address).map_err(|error| Refusal::input(error.to_string()))?;
        Ok(Address {
            name: "target",
            shown: format!("built-in service at {target}"),
            target,
            process: service.process(),
        })
    }
}

/// A target that has been reached.
pub struct Under<'a> {
    /// Where it is.
    pub address: &'a Address,
    /// Calls it.
    pub client: Client,
    /// What it describes.
    pub schema: Schema,
    /// What expressions read: the results of the set-up too, once it has run.
    pub scope: Scope,
    /// Legs of the order that it does not offer.
    missing: Vec<Leg>,
    /// Until its first answer, where that was waited for apart.
    cold: Option<Duration>,
    created: RefCell<Created>,
}

impl<'a> Under<'a> {
    /// Reaches a target and holds the workload against what it describes.
    pub async fn reach(
        address: &'a Address,
        order: &Order<'_>,
        caveats: &mut Vec<Caveat>,
    ) -> Result<Under<'a>, Refusal> {
        let workload = &order.workload;
        let legs = order.legs.as_ref().unwrap_or(&workload.legs);
        let client = connect::client(&address.target, order.connection)?;
        let first = setup::protocol(legs);
        let identity = Identity::new("x-stocktake-revision", None);
        let cold = connect::cold_start(&address.target, first, order.connection, &identity).await?;
        caveats.extend(cold.map(|took| Caveat {
            text: format!(
                "the first answer of {} took {} ms: it is in no number of this run",
                address.target,
                took.as_millis()
            ),
            remedy: "keep a replica running where that is too long".to_owned(),
        }));
        connect::reach(&client, first, order.connection).await?;
        let rules = connect::http_rules(order.connection)?;
        let service = workload.service.as_ref().map(|service| service.value.as_str());
        let wants = Wants {
            contract: service == Some(inventory_contract::SERVICE),
            rest_alone: first == Protocol::Rest,
        };
        let (schema, notes) = connect::described(&client, order.connection, rules, wants).await?;
        caveats.extend(notes);
        let mut missing = Vec::new();
        let rest: Vec<Leg> = legs
            .iter()
            .copied()
            .filter(|leg| leg.protocol() == Protocol::Rest)
            .collect();
        if !rest.is_empty() {
            let methods = link::methods(workload, &schema);
            if let Some(reason) = offer::no_rest(&client, &schema, &methods, order.legs.is_some()).await {
                if order.legs.is_some() {
                    let text = format!("{} offers no REST: {reason}; drive it with --legs grpc", address.target);
                    return Err(Refusal::not_judged(text));
                }
                caveats.push(Caveat {
                    text: format!("REST was not driven: {} offers none: {reason}", address.target),
                    remedy: "turn it on at this address, or name the legs with --legs".to_owned(),
                });
                missing = rest;
            }
        }
        let driven: Vec<Leg> = legs.iter().copied().filter(|leg| !missing.contains(leg)).collect();
        let errors = link::check(workload, &schema, &driven);
        if !errors.is_empty() {
            let place = format!("against the descriptors ({})", schema.origin());
            return Err(mistaken(&errors, &place));
        }
        let scope = prepare::scope(workload, &order.run_id).map_err(|error| mistaken(&[error], "in the workload"))?;
        Ok(Under {
            address,
            client,
            schema,
            scope,
            missing,
            cold,
            created: RefCell::default(),
        })
    }

    /// Whether it can be driven on a leg.
    pub fn offers(&self, leg: Leg) -> bool {
        !self.missing.contains(&leg)
    }

    /// Runs the set-up.
    ///
    /// # Errors
    /// Why nothing can be measured, in words.
    pub async fn set_up(&mut self, order: &Order<'_>, legs: &[Leg]) -> Result<(), Cut> {
        let protocol = setup::protocol(legs);
        let created = self.created.get_mut();
        let done = setup::setup(
            &order.workload,
            &self.client,
            &self.schema,
            protocol,
            &mut self.scope,
            created,
        )
        .await;
        done.map_err(|error| match &error {
            SetupError::Call { layer, .. } if *layer != Layer::Application => {
                Cut::Target(format!("{} could not be set up: {error}", self.address.target))
            }
            SetupError::Call { .. } => Cut::Target(error.to_string()),
            SetupError::Request(_) => Cut::Workload(error.to_string()),
        })
    }

    /// What the doctor says of it, once it is not reached any more.
    pub async fn advice(&self, legs: &[Leg]) -> Option<Caveat> {
        let advice = doctor::advice(&self.client, setup::protocol(legs)).await;
        advice.map(|advice| advice.caveat)
    }

    /// What stays behind.
    pub fn residue(&self) -> Vec<String> {
        self.created.borrow().lines()
    }

    /// As it stands in the record.
    pub fn record(&self) -> LoadTarget {
        LoadTarget {
            name: self.address.name.to_owned(),
            address: self.address.shown.clone(),
            descriptors: self.schema.origin().to_string(),
            loopback: self.address.target.is_loopback(),
            cold_start_ms: self
                .cold
                .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
