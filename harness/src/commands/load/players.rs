//! Who sends: lanes of the load tier, or virtual users. To the rounds they are alike.

use super::{Order, targets::Under};
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use stocktake::{
    client::{Client, Endpoint},
    load::{
        decode::Decoder,
        drive::{self, Plan, Played, Side},
        exchange::{Operation, Prepared},
        journey::{self, JourneyPlan},
        leg::Leg,
        pacer::Share,
        prepare,
        usage::Usage,
        wire::{Lane, Shape},
        workload::{Arrivals, Cell, link},
    },
    scenario::error::ScenarioError,
};

/// For opening the connections of a side.
const CONNECT: Duration = Duration::from_secs(10);

/// One leg on one target.
pub enum Player {
    /// By the load tier.
    Lanes(Side),
    /// By virtual users.
    Users(Users),
}

/// Virtual users on one leg of one target.
pub struct Users {
    leg: Leg,
    target: usize,
    plan: Arc<JourneyPlan>,
    client: Client,
    process: Option<u32>,
}

impl Player {
    /// Which protocol variant.
    pub fn leg(&self) -> Leg {
        match self {
            Player::Lanes(side) => side.leg,
            Player::Users(users) => users.leg,
        }
    }

    /// Position of the target.
    pub fn target(&self) -> usize {
        match self {
            Player::Lanes(side) => side.target,
            Player::Users(users) => users.target,
        }
    }

    /// What it sends.
    pub fn operations(&self) -> &[Operation] {
        match self {
            Player::Lanes(side) => &side.prepared.operations,
            Player::Users(users) => &users.plan.operations,
        }
    }

    /// Runs one round, to its last answer. Blocks: not on a thread that drives tasks.
    ///
    /// # Errors
    /// Why there is no round, in words.
    pub fn play(&mut self, plan: &Plan, stop: &AtomicBool) -> Result<Played, String> {
        match self {
            Player::Lanes(side) => Ok(drive::play(side, plan, stop)),
            Player::Users(users) => users.play(plan, stop),
        }
    }

    /// Closes its connections.
    pub fn close(self) {
        if let Player::Lanes(side) = self {
            for lane in side.lanes {
                lane.close();
            }
        }
    }
}

impl Users {
    fn play(&self, plan: &Plan, stop: &AtomicBool) -> Result<Played, String> {
        let before = self.process.and_then(Usage::of);
        let round = journey::play(&self.plan, &self.client, plan.seed, stop);
        let played = tokio::runtime::Handle::current().block_on(round);
        let played = played.map_err(|error| error.to_string())?;
        let after = self.process.and_then(Usage::of);
        Ok(Played {
            recorder: played.recorder,
            ends: played.ends,
            server_cpu: before.zip(after).and_then(|(before, after)| after.since(&before)),
            began: played.began,
            tripped: false,
            broken: 0,
        })
    }
}

/// A side before it is connected.
pub struct Wanted {
    leg: Leg,
    target: usize,
    process: Option<u32>,
    loopback: bool,
    by: By,
}

enum By {
    Lanes {
        endpoint: Endpoint,
        prepared: Arc<Prepared>,
        decoders: Arc<Vec<Decoder>>,
    },
    Users {
        plan: Arc<JourneyPlan>,
        client: Client,
    },
}

impl Wanted {
    /// Renders and encodes what the side sends.
    ///
    /// # Errors
    /// What cannot be rendered, in words.
    pub fn new(
        order: &Order<'_>,
        cell: &Cell,
        under: &Under<'_>,
        target: usize,
        leg: Leg,
        endpoint: &Endpoint,
    ) -> Result<Wanted, String> {
        let workload = &order.workload;
        let told = |error: ScenarioError| error.render().trim_start_matches("error: ").trim_end().to_owned();
        let by = if workload.users.is_some() {
            let plan = JourneyPlan::new(workload, cell, &under.schema, &under.scope, leg).map_err(told)?;
            By::Users {
                plan: Arc::new(plan),
                client: under.client.clone(),
            }
        } else {
            // The connection adds the metadata of the command line.
            let prepared = prepare::prepare(workload, cell, &under.schema, &under.scope, leg, &[]).map_err(told)?;
            let methods = link::methods(workload, &under.schema);
            let decoder = |method| Decoder::new(method, leg.protocol());
            By::Lanes {
                endpoint: endpoint.clone(),
                prepared: Arc::new(prepared),
                decoders: Arc::new(methods.iter().map(decoder).collect()),
            }
        };
        Ok(Wanted {
            leg,
            target,
            process: under.address.process,
            loopback: under.address.target.is_loopback(),
            by,
        })
    }

    /// Opens its connections; says besides whether the target is on this machine. Blocks.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub fn connect(self, cell: &Cell) -> Result<(Player, bool), String> {
        let (leg, target, process) = (self.leg, self.target, self.process);
        let player = match self.by {
            By::Users { plan, client } => Player::Users(Users {
                leg,
                target,
                plan,
                client,
                process,
            }),
            By::Lanes {
                endpoint,
                prepared,
                decoders,
            } => Player::Lanes(Side {
                leg,
                target,
                lanes: lanes(&endpoint, leg, cell, &prepared)?,
                prepared,
                decoders,
                process,
            }),
        };
        Ok((player, self.loopback))
    }
}

/// One for each thread.
fn lanes(endpoint: &Endpoint, leg: Leg, cell: &Cell, prepared: &Arc<Prepared>) -> Result<Vec<Lane>, String> {
    let threads = cell.threads.max(1);
    let mut lanes = Vec::with_capacity(threads);
    for index in 0..threads {
        // The streams beside the calls are opened once, by the first thread.
        let prepared = match index {
            0 => prepared.clone(),
            _ => Arc::new(Prepared {
                operations: prepared.operations.clone(),
                watches: Vec::new(),
            }),
        };
        let lane = Lane::connect(
            endpoint,
            leg,
            shape(cell, Share { index, of: threads }),
            prepared,
            CONNECT,
        );
        lanes.push(lane.map_err(|error| format!("{}: {error}", leg.title()))?);
    }
    Ok(lanes)
}

/// Connections and streams of a thread. A closed loop opens no more than it fills.
fn shape(cell: &Cell, share: Share) -> Shape {
    let connections = drive::part(cell.connections, share).max(1);
    let streams = cell.streams_per_connection;
    let most = match cell.arrivals {
        Arrivals::InFlight(calls) => drive::part(calls, share).max(1),
        Arrivals::Constant(_) | Arrivals::Poisson(_) | Arrivals::Users { .. } => usize::MAX,
    };
    let connections = connections.min(most);
    Shape {
        connections,
        streams: streams.min(most.div_ceil(connections)),
    }
}
