//! What somebody must have agreed to before anything is written to a target that is not this machine.

use super::Refusal;
use std::sync::Arc;
use stocktake::{
    cli::VerifyArgs,
    client::{Protocol, Target},
    scenario::model::Scenario,
    verify::{matrix::Case, residue::estimate},
};

/// Nothing is written to a target that is not this machine unless somebody agreed.
pub fn writes(target: &Target, args: &VerifyArgs) -> Result<(), Refusal> {
    if target.is_loopback() || args.read_only || args.allow_writes {
        return Ok(());
    }
    Err(Refusal::input(format!(
        "{target} is not on this machine and scenarios write: agree with --allow-writes, or judge with --read-only"
    )))
}

/// Nothing is written where more could stay behind than somebody agreed to, over all protocols together; `beside` is what is
/// written beside the cases.
pub fn residue(
    target: &Target,
    args: &VerifyArgs,
    matrix: &[Case],
    protocols: &[Protocol],
    beside: u64,
) -> Result<(), Refusal> {
    if target.is_loopback() || args.read_only {
        return Ok(());
    }
    let mut seen: Vec<(*const Scenario, Protocol)> = Vec::new();
    let mut most = beside;
    for case in matrix.iter().filter(|case| protocols.contains(&case.protocol)) {
        let key = (Arc::as_ptr(&case.scenario), case.protocol);
        if !seen.contains(&key) {
            seen.push(key);
            most = most.saturating_add(estimate(&case.scenario));
        }
    }
    if most > args.max_residue {
        return Err(Refusal::input(format!(
            "up to {most} things could stay behind on {target}, more than --max-residue {}: raise it, or run less with --filter or --tag",
            args.max_residue
        )));
    }
    Ok(())
}
