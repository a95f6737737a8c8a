//! Statuses: codes by name, percent-decoding, details, and what HTTP says where gRPC says nothing.

use super::Code;
use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal,)*) => {
        #[allow(missing_docs, reason = "the names say it")]
        impl Code {
            $(pub const $name: Code = Code($number);)*

            /// All of them, by number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// Such as `NOT_FOUND`; a number that gRPC does not define reads as `UNKNOWN`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "UNKNOWN",
                }
            }

            /// The code of a name.
            pub fn from_name(name: &str) -> Option<Code> {
                match name {
                    $(stringify!($name) => Some(Code::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    OK = 0,
    CANCELLED = 1,
    UNKNOWN = 2,
    INVALID_ARGUMENT = 3,
    DEADLINE_EXCEEDED = 4,
    NOT_FOUND = 5,
    ALREADY_EXISTS = 6,
    PERMISSION_DENIED = 7,
    RESOURCE_EXHAUSTED = 8,
    FAILED_PRECONDITION = 9,
    ABORTED = 10,
    OUT_OF_RANGE = 11,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    DATA_LOSS = 15,
    UNAUTHENTICATED = 16,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
