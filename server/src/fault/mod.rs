//! Faults: the service with one rule broken on purpose, so that a suite can prove that it notices.
//!
//! `table.rs` lists them: name, the rule it breaks, other rules that the same damage cannot help breaking, and what it
//! does. Those about products and watches are a store of their own around the memory store (`Faulty`), so that the code
//! which keeps the rules has no trace of them; those about the wire (`wire.rs`) are asked for where an answer leaves, at
//! the cost of one comparison when there is no fault.

mod bulk;
mod create;
mod list;
mod store;
mod table;
mod update;
mod watch;
pub mod wire;

pub use store::Faulty;
pub use table::Fault;

/// What a fault is called and what it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultInfo {
    /// The fault, to put into the configuration.
    pub fault: Fault,
    /// Its name on the command line.
    pub name: &'static str,
    /// The id of the one rule it breaks.
    pub rule: &'static str,
    /// Ids of rules that its damage inevitably fails too.
    pub also: &'static [&'static str],
    /// What the service does wrong.
    pub text: &'static str,
}

impl Fault {
    /// The fault of this name, such as `list-overlap`.
    pub fn from_name(name: &str) -> Option<Fault> {
        Fault::all()
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.fault)
    }

    /// Whether it is about what gRPC alone has: unknown methods, reflection, health, empty ids, `grpc-status`. All others
    /// act on REST too.
    pub fn is_grpc_only(self) -> bool {
        let info = self.info();
        matches!(
            info.rule,
            "rpc.unknown-method" | "rpc.reflection" | "rpc.health" | "get.empty-id"
        ) || self == Fault::GetUnknownNoStatus
    }

    /// What it is called and what it breaks.
    pub fn info(self) -> &'static FaultInfo {
        // The table is generated in the order of the variants.
        &Fault::all()[self as usize]
    }
}

/// The fault in effect, if any; one byte, copied to wherever a fault can act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Active(pub Option<Fault>);

impl Active {
    /// Whether this fault is in effect.
    #[inline]
    pub fn is(self, fault: Fault) -> bool {
        self.0 == Some(fault)
    }

    /// Whether any fault is in effect.
    #[inline]
    pub fn any(self) -> bool {
        self.0.is_some()
    }
}

/// The connection that a call came over. It is known to faults alone, so it does not travel through the store's methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Counted from 1 in the order of their acceptance.
    pub number: u64,
    /// The number of the newest connection when the call came.
    pub newest: u64,
}

tokio::task_local! {
    static CONNECTION: Connection;
}

impl Connection {
    /// The future of a call, which then finds its connection.
    pub fn scope<F: Future>(self, call: F) -> impl Future<Output = F::Output> {
        CONNECTION.scope(self, call)
    }

    /// The connection of the call that asks.
    fn current() -> Connection {
        CONNECTION.try_with(|connection| *connection).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use inventory_contract::RULES;
    use std::collections::HashSet;

    #[test]
    fn every_rule_has_a_fault_and_every_fault_names_known_rules() {
        let rules: HashSet<&str> = RULES.iter().map(|rule| rule.id).collect();
        let broken: HashSet<&str> = Fault::all().iter().map(|info| info.rule).collect();
        for rule in &rules {
            assert!(broken.contains(rule), "no fault breaks {rule}");
        }
        for info in Fault::all() {
            assert!(rules.contains(info.rule), "{} breaks an unknown rule", info.name);
            for also in info.also {
                assert!(rules.contains(also), "{} names the unknown rule {also}", info.name);
                assert_ne!(*also, info.rule, "{} names its rule twice", info.name);
            }
        }
        assert!(Fault::all().len() >= 75);
    }

    #[test]
    fn names_are_unique_kebab_case_and_lead_back() {
        let mut seen = HashSet::new();
        for info in Fault::all() {
            assert!(seen.insert(info.name), "{} is there twice", info.name);
            assert!(
                info.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{} is not kebab-case",
                info.name
            );
            assert_eq!(Fault::from_name(info.name).unwrap().info(), info);
        }
        assert_eq!(Fault::from_name("no-such-fault"), None);
    }
}
