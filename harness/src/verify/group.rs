//! What runs together: the cases of one scenario on one protocol. How many streams they have open, how long they take at
//! least, and whether they would disturb a scenario that guards streams.

use super::{
    engine::{DEFAULT_DEADLINE, split},
    matrix::Case,
};
use crate::scenario::model::{Action, Background, Effects, Scenario, Step, TemplateNode};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// The cases of one scenario on one protocol: they share a set-up and run in order.
#[derive(Clone, Debug)]
pub struct Group {
    /// At least one.
    pub cases: Vec<Case>,
    /// Background streams open at once.
    pub streams: usize,
    /// How long it waits on purpose; the rest of its time only a run can tell.
    pub waits: Duration,
}

impl Group {
    /// Its scenario.
    pub fn scenario(&self) -> Option<&Scenario> {
        self.cases.first().map(|case| &*case.scenario)
    }
}

/// The groups of a matrix, in its order.
pub fn groups(matrix: &[Case]) -> Vec<Group> {
    let same = |a: &Case, b: &Case| Arc::ptr_eq(&a.scenario, &b.scenario) && a.protocol == b.protocol;
    let groups = matrix.chunk_by(same).map(|cases| Group {
        cases: cases.to_vec(),
        streams: cases.first().map_or(0, |case| open_streams(&case.scenario)),
        waits: cases.iter().map(|case| waits(&case.scenario)).sum(),
    });
    groups.collect()
}

/// How many background streams a case of the scenario has open at once; a computed repeat counts as too many.
pub fn open_streams(scenario: &Scenario) -> usize {
    let mut open: HashMap<&str, usize> = HashMap::new();
    // Streams without a name stay open to the end of the case.
    let (mut nameless, mut most) = (0usize, 0);
    for step in &scenario.steps {
        match &step.action {
            Action::Background(background) => {
                let count = repeats(background);
                match &step.id {
                    Some(id) => *open.entry(&id.value).or_default() = count,
                    None => nameless = nameless.saturating_add(count),
                }
                let now = open.values().fold(nameless, |sum, count| sum.saturating_add(*count));
                most = most.max(now);
            }
            Action::Cancel { steps } => {
                for of in steps {
                    open.remove(of.value.as_str());
                }
            }
            _ => {}
        }
    }
    most
}

fn repeats(background: &Background) -> usize {
    match background.repeat.as_ref().map(|count| &count.node) {
        None => 1,
        Some(TemplateNode::Int(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
        Some(_) => usize::MAX,
    }
}

/// How long a case of the scenario listens after what it has waited for, or until a short deadline of its own.
fn waits(scenario: &Scenario) -> Duration {
    let short = |deadline: Option<Duration>| deadline.filter(|deadline| *deadline < DEFAULT_DEADLINE);
    let of = |step: &Step| match &step.action {
        Action::Wait(wait) => Some(wait.settle),
        Action::Background(background) => short(background.spec.deadline),
        Action::Call(call) => short(call.spec.deadline).filter(|_| call.repeat.is_none()),
        _ => None,
    };
    scenario.steps.iter().filter_map(of).sum()
}

/// A method: its service and its name.
pub type Named = (String, String);

/// What feeds the streams that a scenario opens: the methods that its probes call. `None`: a stream has no probe, so any
/// write may feed it.
pub fn feeds(scenario: &Scenario) -> Option<HashSet<Named>> {
    let mut methods = HashSet::new();
    for step in scenario.setup.iter().chain(&scenario.steps) {
        if let Action::Background(background) = &step.action {
            let probe = &background.ready.as_ref()?.probe;
            methods.extend(split(scenario, &probe.method.value));
        }
    }
    Some(methods)
}

/// Whether a scenario leaves alone what feeds the streams of others.
pub fn is_quiet(scenario: &Scenario, feeds: Option<&HashSet<Named>>) -> bool {
    match feeds {
        None => scenario.effects == Effects::ReadOnly,
        Some(feeds) => scenario
            .calls()
            .into_iter()
            .filter_map(|spec| split(scenario, &spec.method.value))
            .all(|method| !feeds.contains(&method)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scenario::{parse, source::SourceFile};

    fn scenario(body: &str) -> Scenario {
        let head = "version: 1\nid: x\nname: x\neffects: writes\nservice: inventory.InventoryService\nsteps:\n";
        parse(SourceFile::new("x.yaml", format!("{head}{body}"))).unwrap()
    }

    const WATCH: &str = "  - id: NAME\n    call: WatchStockChanges\n    background: true\n    ready:\n      \
        probe: { call: UpdateStock }\n      until: message.new_quantity == 1\n";

    #[test]
    fn a_cancelled_stream_gives_its_place_to_the_next() {
        let watch = |name: &str| WATCH.replace("NAME", name);
        let (a, b, c) = (watch("a"), watch("b"), watch("c"));
        assert_eq!(open_streams(&scenario(&format!("{a}{b}  - cancel: [a, b]\n{c}"))), 2);
        assert_eq!(open_streams(&scenario(&format!("{a}{b}{c}  - cancel: [a, b]\n"))), 3);
        let many = "  - id: a\n    call: WatchStockChanges\n    background: true\n    repeat: 32\n";
        assert_eq!(open_streams(&scenario(many)), 32);
        let computed = many.replace("32", "\"${{ 16 * 2 }}\"");
        assert_eq!(open_streams(&scenario(&format!("{computed}{b}"))), usize::MAX);
    }

    #[test]
    fn a_group_waits_as_long_as_it_settles_and_as_its_short_deadlines() {
        let watch = WATCH.replace("NAME", "a");
        let wait = "  - wait: a\n    until: message.new_quantity == 1\n    settle: 250ms\n";
        let short = "  - call: GetProduct\n    deadline: 1s\n  - call: GetProduct\n    deadline: 1m\n";
        let found = waits(&scenario(&format!("{watch}{wait}{wait}{short}")));
        assert_eq!(found, Duration::from_millis(1_500));
    }

    #[test]
    fn beside_a_guard_nobody_calls_what_feeds_its_streams() {
        let fed = feeds(&scenario(&WATCH.replace("NAME", "a"))).unwrap();
        let creates = scenario("  - call: CreateProduct\n");
        let updates =
            scenario("  - call: CreateProduct\n    defer:\n      - call: inventory.InventoryService/UpdateStock\n");
        assert!(is_quiet(&creates, Some(&fed)) && !is_quiet(&updates, Some(&fed)));
        // Without a probe nobody knows what feeds a stream: only who writes nothing is quiet.
        let bare = scenario("  - id: a\n    call: WatchStockChanges\n    background: true\n");
        assert!(feeds(&bare).is_none() && !is_quiet(&creates, None));
    }
}
