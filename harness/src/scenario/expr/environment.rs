//! The functions and types that expressions can use: CEL's standard library, its extensions for strings, lists, math and
//! encodings, and `repeat`.

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelInt, CelString, INT_TYPE, STRING_TYPE},
        value::CowVal,
    },
    extensions,
};
use std::sync::{Arc, LazyLock};

/// The longest text that `repeat` makes, in bytes: more than any message of a call.
const LONGEST_REPEAT: usize = 64 << 20;

/// Words that CEL keeps for itself: they cannot name a step or a variable.
pub const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The names of types, such as in `type(x) == int`.
pub const TYPES: [&str; 14] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "google",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// Functions that are called as `f(x)`, or as `namespace.f(x)`.
pub const FUNCTIONS: [&str; 39] = [
    "base64.decode",
    "base64.encode",
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "lists.range",
    "matches",
    "math.abs",
    "math.bitAnd",
    "math.bitNot",
    "math.bitOr",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "math.bitXor",
    "math.ceil",
    "math.floor",
    "math.greatest",
    "math.isFinite",
    "math.isInf",
    "math.isNaN",
    "math.least",
    "math.round",
    "math.sign",
    "math.sqrt",
    "math.trunc",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "repeat",
    "size",
    "string",
    "strings.quote",
    "timestamp",
    "type",
    "uint",
    "has",
];

/// Functions that are called as `x.f(y)`.
pub const METHODS: [&str; 44] = [
    "charAt",
    "contains",
    "distinct",
    "endsWith",
    "flatten",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "hasValue",
    "indexOf",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    "or",
    "orValue",
    "replace",
    "reverse",
    "size",
    "slice",
    "sort",
    "split",
    "startsWith",
    "substring",
    "trim",
    "upperAscii",
    "value",
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "filter",
    "map",
    "sortBy",
    "greatest",
    "least",
];

/// One environment for all expressions: it never changes.
pub fn shared() -> Arc<Env> {
    static SHARED: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // These fail on a name that is already taken, which the tests would show.
        let added = env
            .add_extension(extensions::strings)
            .and_then(|()| env.add_extension(extensions::lists))
            .and_then(|()| env.add_extension(extensions::math))
            .and_then(|()| env.add_extension(extensions::encoders))
            .and_then(|()| env.add_overload("repeat", "repeat_string_int", vec![STRING_TYPE, INT_TYPE], repeat));
        debug_assert!(added.is_ok(), "{added:?}");
        Arc::new(env)
    });
    SHARED.clone()
}

/// `repeat("ab", 3)` is `"ababab"`.
fn repeat<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let refuse = |message: String| ExecutionError::FunctionError {
        function: "repeat".to_owned(),
        message,
    };
    let (Some(text), Some(count)) = (
        args.first().and_then(|text| text.downcast_ref::<CelString>()),
        args.get(1).and_then(|count| count.downcast_ref::<CelInt>()),
    ) else {
        return Err(refuse("takes a text and a number".to_owned()));
    };
    let (text, count) = (text.inner(), *count.inner());
    let count = usize::try_from(count).map_err(|_| refuse(format!("cannot repeat {count} times")))?;
    if text.len().saturating_mul(count) > LONGEST_REPEAT {
        return Err(refuse(format!(
            "the result would be longer than {} MiB",
            LONGEST_REPEAT >> 20
        )));
    }
    Ok(CowVal::owned(CelString::from(text.repeat(count))))
}
