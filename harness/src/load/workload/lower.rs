//! From what is written to what runs: the validation pass. Collects every mistake.

mod arrivals;
mod cells;
mod feeder;
mod judged;
mod operation;
mod setting;
mod users;

use super::{model::Workload, written};
use crate::{
    load::leg::Leg,
    scenario::{
        error::{Problem, suggest},
        field::{Field, Given},
        lower::{Dialect, Lower, Place},
        model::{Effects, Step},
        source::{Located, Source},
        tree::{Kind, Tree},
        written::{self as scenario_written, Step as WrittenStep},
    },
};
use std::collections::BTreeSet;

/// Legs where a file does not say.
const LEGS: [Leg; 3] = [Leg::Grpc, Leg::RestH1, Leg::RestH2];
/// The seed where a file does not say.
const SEED: u64 = 1;

/// Workloads, as far as names are concerned.
const WORKLOAD: Dialect = Dialect {
    what: "workload",
    run: &["id"],
    roots: &["vars", "run", "factor", "feed", "variant", "mark"],
    elsewhere: &[
        (
            "factor",
            "it has the values of a cell: read it in feeders, watches, operations and settings, in a file with `factors`",
        ),
        (
            "feed",
            "it is one value of a feeder: read it in the request of an operation with `feed:`",
        ),
        (
            "variant",
            "it is one of `variants`: read it in the request of an operation that has them",
        ),
        (
            "mark",
            "it is new at each send: read it in the request of an operation, as a whole value",
        ),
        (
            "row",
            "a workload has no rows: its requests read `feed`, `variant` and `factor`",
        ),
    ],
};

/// What settings can read.
const SETTING: &str = "a setting can read `factor` only, in a file with `factors`";

/// Reads a file that lies beside the workload, by its name.
pub type Beside<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The pass over one file.
struct Pass<'a, 't> {
    lower: Lower<'a, 't>,
    beside: Beside<'a>,
    /// Nothing was wrong before this pass.
    clean: bool,
    has_factors: bool,
}

/// Lowers a file, `clean` when nothing was wrong with it so far. The workload is complete only when there is no problem.
pub fn lower(
    tree: &Tree<'_>,
    written: &written::Workload,
    source: &Source,
    beside: Beside<'_>,
    clean: bool,
) -> (Option<Workload>, Vec<Problem>) {
    let mut pass = Pass {
        lower: Lower::new(tree, &WORKLOAD, written.service.is_written()),
        beside,
        clean,
        has_factors: written.factors.is_written(),
    };
    let workload = pass.workload(written, source);
    (workload, pass.lower.problems)
}

impl Pass<'_, '_> {
    fn workload(&mut self, written: &written::Workload, source: &Source) -> Option<Workload> {
        self.required(written);
        self.lower.version(&written.version);
        let id = self.lower.id(&written.id);
        let name = written.name.given().map(|name| self.lower.one_line("name", name));
        let service = written.service.given().map(|service| self.lower.service(service));
        let factors = self.factors(&written.factors);
        let vars = self.lower.vars(&written.vars);
        let setup = self.setup(&written.setup);
        let feeders = self.feeders(&written.feeders);
        let watches = self.watches(&written.watches);
        let mut operations = self.operations(&written.operations, &feeders);
        let users = written.users.given();
        let users = users.and_then(|users| self.users(users, written, &feeders, &mut operations));
        let legs = self.legs(&written.legs, written.users.is_written());
        let cells = self.cells(written, &factors, &watches, users.as_ref());
        let objective = self.objective(&written.objective);
        let claim = written.claim.given().and_then(|claim| self.claim(claim, &legs));
        self.unused(&factors, &feeders, &operations);
        let effects = match *written.effects.value()? {
            scenario_written::Effects::ReadOnly => Effects::ReadOnly,
            scenario_written::Effects::Writes => Effects::Writes,
        };
        Some(Workload {
            source: source.clone(),
            id: id?,
            name: name?,
            effects,
            service,
            seed: written.seed.value().copied().unwrap_or(SEED),
            vars,
            setup,
            feeders: feeders.into_iter().map(|feeder| feeder.model).collect(),
            watches: watches.into_iter().map(|watch| watch.model).collect(),
            operations,
            users: users.map(|users| users.model),
            legs,
            cells,
            objective,
            claim,
        })
    }

    fn problem(&mut self, problem: Problem) {
        self.lower.problem(problem);
    }

    fn required(&mut self, written: &written::Workload) {
        self.lower.required_keys(&[
            (written.version.is_written(), "version", "write `version: 1`"),
            (written.id.is_written(), "id", "write `id: a_name_of_its_own`"),
            (written.name.is_written(), "name", "say in one line what is measured"),
            (
                written.effects.is_written(),
                "effects",
                "write `effects: read-only` or `effects: writes`",
            ),
            (
                written.operations.is_written() || written.users.is_written(),
                "operations",
                "list what is measured",
            ),
            (
                written.arrivals.is_written() || written.users.is_written(),
                "arrivals",
                "write `arrivals: { constant: 100 }` for requests a second, or `{ in_flight: 16 }`",
            ),
        ]);
    }

    /// What a place of the file can read beside `vars`, `run` and the set-up.
    fn place<'p>(&self, extra: &'p [&'p str]) -> Place<'p> {
        Place {
            extra,
            ..Place::default()
        }
    }

    /// `factor`, in a file that has factors.
    fn factor(&self) -> &'static [&'static str] {
        if self.has_factors { &["factor"] } else { &[] }
    }

    fn setup(&mut self, setup: &Field<Vec<Field<written::SetupStep>>>) -> Vec<Step> {
        let steps: Vec<_> = setup.value().into_iter().flatten().filter_map(Field::given).collect();
        let steps: Vec<Given<WrittenStep>> = steps.into_iter().map(as_step).collect();
        let ids = steps.iter().filter_map(|step| step.value.id.value().cloned());
        self.lower.all_ids.extend(ids);
        let mut lowered = Vec::new();
        for step in &steps {
            let span = self.lower.tree.span(step.node);
            if !step.value.call.is_written() {
                if !self.lower.is_misspelt(step.node, "call") {
                    let span = crate::scenario::source::Span {
                        end: span.start + 1,
                        ..span
                    };
                    self.problem(Problem::new(span, "this step has no `call`").help("name a method"));
                }
                continue;
            }
            if let Some(id) = step.value.id.given()
                && WORKLOAD.elsewhere.iter().any(|(name, _)| *name == id.value)
            {
                let text = format!(
                    "`{}` cannot be the name of a step: expressions read something else under it",
                    id.value
                );
                let span = self.lower.tree.span(id.node);
                self.problem(Problem::new(span, text));
            }
            lowered.extend(self.lower.step(step, true, false));
        }
        lowered
    }

    fn legs(&mut self, legs: &Field<Vec<Field<String>>>, of_users: bool) -> Vec<Leg> {
        let Some(given) = legs.given() else {
            return if of_users {
                Leg::OF_USERS.to_vec()
            } else {
                LEGS.to_vec()
            };
        };
        let mut named: Vec<Leg> = Vec::new();
        for word in given.value.iter().filter_map(Field::given) {
            let Some(leg) = self.leg(word) else { continue };
            if of_users && !Leg::OF_USERS.contains(&leg) {
                let text = format!("users do not play on `{}`", leg.name());
                let problem = Problem::new(self.lower.tree.span(word.node), text);
                self.problem(problem.help(format!("they play on {}", Leg::OF_USERS.map(Leg::name).join(" and "))));
            } else if named.contains(&leg) {
                self.problem(Problem::new(self.lower.tree.span(word.node), "this leg stands twice"));
            } else {
                named.push(leg);
            }
        }
        if given.value.is_empty() {
            let problem = Problem::new(self.lower.tree.span(given.key), "`legs` is empty: nothing would run");
            self.problem(problem.help("write `[grpc, rest-h1]`, or leave it out"));
        }
        named
    }

    fn leg(&mut self, word: &Given<String>) -> Option<Leg> {
        let leg = Leg::of_name(&word.value);
        if leg.is_none() {
            let names = Leg::ALL.map(Leg::name);
            let text = suggest(format!("unknown leg `{}`", word.value), &word.value, names);
            let problem = Problem::new(self.lower.tree.span(word.node), text);
            self.problem(problem.help(format!("the legs are {}", names.join(", "))));
        }
        leg
    }

    /// Names that nothing reads: a mistake, or a cell that is measured twice. Behind other mistakes they say nothing.
    fn unused(
        &mut self,
        factors: &[cells::Factor],
        feeders: &[feeder::Known],
        operations: &[super::model::OperationSpec],
    ) {
        if !self.clean || !self.lower.problems.is_empty() {
            return;
        }
        let whole = self.lower.read.contains(&("factor".to_owned(), None));
        let unread: Vec<Located<String>> = factors
            .iter()
            .filter(|factor| {
                !whole
                    && !self
                        .lower
                        .read
                        .contains(&("factor".to_owned(), Some(factor.name.value.clone())))
            })
            .map(|factor| factor.name.clone())
            .collect();
        for name in unread {
            let problem = Problem::new(name.span, format!("nothing reads the factor `{}`", name.value));
            self.problem(problem.help(format!(
                "read it as `${{{{ factor.{} }}}}`: else its cells are all the same",
                name.value
            )));
        }
        let used: BTreeSet<usize> = operations.iter().filter_map(|operation| operation.feed).collect();
        for (at, feeder) in feeders.iter().enumerate() {
            if !used.contains(&at) {
                let name = &feeder.model.name;
                let problem = Problem::new(name.span, format!("no operation uses the feeder `{}`", name.value));
                self.problem(problem.help(format!("write `feed: {}` in one", name.value)));
            }
        }
    }
}

/// A set-up step as the step of a scenario that it is.
fn as_step(step: &Given<written::SetupStep>) -> Given<WrittenStep> {
    let written = &step.value;
    Given {
        key: step.key,
        node: step.node,
        value: WrittenStep {
            id: written.id.clone(),
            call: written.call.clone(),
            request: written.request.clone(),
            requests: written.requests.clone(),
            metadata: written.metadata.clone(),
            repeat: written.repeat.clone(),
            concurrency: written.concurrency.clone(),
            deadline: written.timeout.clone(),
            ..WrittenStep::default()
        },
    }
}

/// Whether a node is there without a value.
fn is_null(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Scalar {
            value: crate::scenario::scalar::Scalar::Null,
            ..
        }
    )
}
