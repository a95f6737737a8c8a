//! Marks in requests, and the watches that deliver them.

use crate::load::exchange::{MARK_PREFIX, Prepared};
use std::hash::{BuildHasher, Hasher};

/// So many sends back a delivery still finds its mark.
const KEPT: usize = 1 << 16;

/// Hexadecimal digits of a number.
pub(super) const DIGITS: usize = 16;

/// The marks that one lane has sent. Their numbers begin with 32 bits that only this lane has, so that it measures its own sends
/// alone: with intended times of its own.
#[derive(Default)]
pub(super) struct Marks {
    own: u32,
    next: u32,
    /// How many sends of this round are behind `next`.
    sent: u32,
    /// By the low bits of the number: operation and intended time. Empty where no request has a mark.
    kept: Vec<(u32, u64)>,
}

impl Marks {
    pub fn new(prepared: &Prepared) -> Marks {
        let all = prepared.operations.iter().flat_map(|operation| &operation.exchanges);
        let used = all.into_iter().any(|exchange| exchange.mark.is_some());
        // The keys of a hasher are random for each process.
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        Marks {
            own: hasher.finish() as u32,
            next: 0,
            sent: 0,
            kept: if used { vec![(0, 0); KEPT] } else { Vec::new() },
        }
    }

    /// Deliveries of what was sent before now say nothing any more: a round has begun.
    pub fn begin(&mut self) {
        self.sent = 0;
    }

    /// The digits of the next send.
    pub fn next(&mut self, operation: u32, intended: u64) -> [u8; DIGITS] {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.sent = self.sent.saturating_add(1);
        if let Some(kept) = self.kept.get_mut(number as usize % KEPT) {
            *kept = (operation, intended);
        }
        let whole = u64::from(self.own) << 32 | u64::from(number);
        let mut digits = [0; DIGITS];
        for (at, digit) in digits.iter_mut().enumerate() {
            let four = (whole >> (60 - 4 * at)) as u8 & 15;
            *digit = if four < 10 { b'0' + four } else { b'a' + four - 10 };
        }
        digits
    }

    /// Operation and intended time of each send of this round that a message names.
    pub fn find(&self, mut message: &[u8], mut found: impl FnMut(u32, u64)) {
        let prefix = MARK_PREFIX.as_bytes();
        while let Some(at) = message.windows(prefix.len()).position(|window| window == prefix) {
            message = &message[at + prefix.len()..];
            let digits = message
                .get(..DIGITS)
                .and_then(|digits| std::str::from_utf8(digits).ok());
            let Some(number) = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
                continue;
            };
            let age = self.next.wrapping_sub(number as u32);
            let is_own = (number >> 32) as u32 == self.own && age >= 1 && age <= self.sent.min(KEPT as u32);
            if let Some((operation, intended)) = self.kept.get(number as u32 as usize % KEPT).filter(|_| is_own) {
                found(*operation, *intended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::exchange::{Answer, Exchange, Operation, Order};

    fn marks() -> Marks {
        let exchange = Exchange {
            method: "POST".into(),
            path: "/".into(),
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            answer: Answer::Message,
            mark: Some(0),
        };
        let operation = Operation {
            id: "a".into(),
            weight: 1,
            exchanges: vec![exchange],
            order: Order::Sequential,
            accepted: Vec::new(),
            timeout: std::time::Duration::from_secs(1),
        };
        Marks::new(&Prepared {
            operations: vec![operation],
            watches: Vec::new(),
        })
    }

    fn found(marks: &Marks, message: &[u8]) -> Vec<(u32, u64)> {
        let mut all = Vec::new();
        marks.find(message, |operation, intended| all.push((operation, intended)));
        all
    }

    fn message(digits: [u8; DIGITS]) -> Vec<u8> {
        [b"\x0a\x05 st-mark-".as_slice(), &digits, b" \x10\x07"].concat()
    }

    #[test]
    fn a_delivery_finds_its_send() {
        let mut marks = marks();
        marks.begin();
        let (first, second) = (message(marks.next(3, 500)), message(marks.next(4, 900)));
        assert_eq!(found(&marks, &first), [(3, 500)]);
        assert_eq!(found(&marks, &[second, first].concat()), [(4, 900), (3, 500)]);
    }

    #[test]
    fn what_is_not_of_this_round_and_lane_is_not_found() {
        let (mut one, mut other) = (marks(), marks());
        one.begin();
        other.begin();
        let old = message(one.next(1, 10));
        assert_eq!(found(&other, &old), []);
        one.begin();
        assert_eq!(found(&one, &old), []);
        let first = message(one.next(1, 20));
        for number in 0..KEPT as u64 {
            one.next(1, 100 + number);
        }
        assert_eq!(found(&one, &first), [], "65,536 sends later it is forgotten");
        assert_eq!(found(&one, b"st-mark-zzzzzzzzzzzzzzzz st-mark-12"), []);
    }
}
