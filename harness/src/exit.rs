//! The exit codes: one table for every command.

/// How a command ends. Where several apply the one that comes first in [`Exit::precedence`] wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: as expected.
    Passed,
    /// 1: judged and failed.
    Failed,
    /// 2: wrong input: usage, scenario, file.
    Input,
    /// 3: could not be judged: target unreachable or lost, everything skipped.
    NotJudged,
    /// 4: measured, but no conclusion: too few samples, generator saturated.
    Inconclusive,
    /// 130: ended by SIGINT.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// The code for the operating system.
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Input => 2,
            Exit::NotJudged => 3,
            Exit::Inconclusive => 4,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// The exit of a code in a record; what no record has could not be judged.
    pub fn of_code(code: i32) -> Exit {
        let all = [
            Exit::Passed,
            Exit::Failed,
            Exit::Input,
            Exit::NotJudged,
            Exit::Inconclusive,
            Exit::Interrupted,
            Exit::Terminated,
        ];
        all.into_iter()
            .find(|exit| i32::from(exit.code()) == code)
            .unwrap_or(Exit::NotJudged)
    }

    /// The exit of several parts: 130/143 before 2 before 1 before 3 before 4 before 0.
    pub fn worst(self, other: Exit) -> Exit {
        if other.precedence() > self.precedence() {
            other
        } else {
            self
        }
    }

    fn precedence(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Inconclusive => 1,
            Exit::NotJudged => 2,
            Exit::Failed => 3,
            Exit::Input => 4,
            Exit::Interrupted | Exit::Terminated => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::{self, *};

    #[test]
    fn the_worst_of_two_follows_the_table() {
        let order = [Passed, Inconclusive, NotJudged, Failed, Input, Interrupted];
        for (i, low) in order.iter().enumerate() {
            for high in &order[i..] {
                assert_eq!(low.worst(*high), *high);
                assert_eq!(high.worst(*low), *high);
            }
        }
        assert_eq!([Passed, Failed, Input, NotJudged].map(Exit::code), [0, 1, 2, 3]);
        assert_eq!([Inconclusive, Interrupted, Terminated].map(Exit::code), [4, 130, 143]);
        for exit in order {
            assert_eq!(Exit::of_code(exit.code().into()), exit);
        }
    }
}
