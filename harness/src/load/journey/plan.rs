//! What the users of a cell do on one leg, every request made before the clock starts. Pure.

use crate::{
    load::{
        exchange::Operation,
        leg::Leg,
        prepare,
        recorder::Window,
        workload::{Arrivals, Cell, Journey, Workload},
    },
    scenario::{
        error::{Problem, ScenarioError},
        expr::Scope,
        source::Span,
    },
    schema::Schema,
    verify::{calls::Prepared, record::Caveat},
};
use std::time::Duration;

/// The users of a cell on one leg.
pub struct JourneyPlan {
    /// Which leg, one of [`Leg::OF_USERS`].
    pub leg: Leg,
    /// Every step of every journey, as a recorder wants it.
    pub operations: Vec<Operation>,
    /// By operation: its calls, at least one, in the order of its exchanges.
    pub calls: Vec<Vec<Prepared>>,
    /// What users do.
    pub journeys: Vec<Journey>,
    /// How many users, no fewer than journeys.
    pub users: usize,
    /// The time over which they begin, evenly; it lies within the warm-up.
    pub start: Duration,
    /// Which part of a round counts.
    pub window: Window,
}

impl JourneyPlan {
    /// Prepares every request of a cell. `scope` holds `run`, `vars` and the results of the set-up; the client adds the metadata
    /// of the command line.
    ///
    /// # Errors
    /// A cell without users, a leg on which they do not play, or a request that cannot be made, at its place.
    pub fn new(
        workload: &Workload,
        cell: &Cell,
        schema: &Schema,
        scope: &Scope,
        leg: Leg,
    ) -> Result<JourneyPlan, ScenarioError> {
        let refuse = |span: Span, text: String| ScenarioError::new(&workload.source, Problem::new(span, text));
        let (Some(users), Arrivals::Users { count, start }) = (&workload.users, &cell.arrivals) else {
            return Err(refuse(workload.id.span, "this workload has no users".to_owned()));
        };
        if !Leg::OF_USERS.contains(&leg) {
            let known = Leg::OF_USERS.map(Leg::name).join(" and ");
            let text = format!("users do not play on `{}`, only on {known}", leg.name());
            return Err(refuse(users.span, text));
        }
        let prepared = prepare::calls(workload, cell, schema, scope, leg)?;
        let (operations, calls) = prepared.into_iter().unzip();
        Ok(JourneyPlan {
            leg,
            operations,
            calls,
            journeys: users.journeys.clone(),
            users: *count,
            start: *start,
            window: Window {
                warm_up: cell.warm_up,
                measured: cell.duration,
            },
        })
    }

    /// When a user begins, since the round began.
    pub fn begins(&self, user: usize) -> Duration {
        match u32::try_from(self.users) {
            Ok(users) if users > 0 => self.start * u32::try_from(user).unwrap_or(u32::MAX).min(users) / users,
            _ => Duration::ZERO,
        }
    }
}

/// What has to be said of every result of users.
pub fn caveat() -> Caveat {
    Caveat {
        text:
            "closed loop of virtual users: a slow answer keeps the next request from being sent, so queues do not show"
                .to_owned(),
        remedy: "read what a user waits; for what a target can take use `arrivals` with a rate, and `capacity`"
            .to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        load::{exchange::Answer, workload::parse},
        scenario::source::SourceFile,
    };

    const TEXT: &str = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: read-only\n\
        feeders: { ids: { each: \"${{ ['a', 'b'] }}\" } }\n\
        users:\n  count: 4\n  start: 2s\n  journeys:\n    - id: browse\n      weight: 3\n      steps:\n        \
        - { call: ListProducts, request: { page_size: 20 }, think: { from: 100ms, to: 300ms } }\n        \
        - { id: one, call: GetProduct, feed: ids, request: { id: \"${{ feed }}\" }, think: 1s }\n    \
        - id: look\n      steps:\n        - { call: WatchStockChanges, until: { messages: 3 } }\n";

    fn plan(leg: Leg) -> Result<JourneyPlan, ScenarioError> {
        let source = SourceFile::new("x.yaml", TEXT);
        let workload = parse(source, &|_| Err("no file".to_owned())).map_err(|errors| errors[0].render());
        let workload = workload.unwrap();
        let scope = prepare::scope(&workload, "run1").unwrap();
        JourneyPlan::new(&workload, &workload.cells[0], &Schema::built_in(), &scope, leg)
    }

    #[test]
    fn every_step_is_an_operation_with_its_calls() {
        for leg in Leg::OF_USERS {
            let plan = plan(leg).unwrap();
            let ids: Vec<&str> = plan.operations.iter().map(|operation| operation.id.as_str()).collect();
            assert_eq!(ids, ["browse_ListProducts", "browse_one", "look_WatchStockChanges"]);
            let counts: Vec<usize> = plan.calls.iter().map(Vec::len).collect();
            assert_eq!(counts, [1, 2, 1]);
            assert!(
                plan.calls
                    .iter()
                    .flatten()
                    .all(|call| call.call.protocol == leg.protocol())
            );
            assert_eq!(plan.calls[1][1].requests[0].to_text(), "{id: \"b\"}");
            assert!(matches!(plan.operations[2].exchanges[0].answer, Answer::Stream { .. }));
            assert_eq!(plan.journeys[1].steps[0].operation, 2);
        }
    }

    #[test]
    fn users_begin_one_after_the_other_within_the_warm_up() {
        let plan = plan(Leg::Grpc).unwrap();
        let begins: Vec<u64> = (0..4).map(|user| plan.begins(user).as_millis() as u64).collect();
        assert_eq!(begins, [0, 500, 1000, 1500]);
        assert_eq!(plan.window.warm_up, Duration::from_secs(3));
    }

    #[test]
    fn a_leg_without_users_is_refused_by_its_name() {
        let error = plan(Leg::RestH2).err().unwrap().render();
        assert!(
            error.contains("users do not play on `rest-h2`, only on grpc and rest-h1"),
            "{error}"
        );
        assert!(error.contains("--> x.yaml:7:1"), "{error}");
    }
}
