//! The parser does not panic, whatever the file says. Two seconds by default; `STOCKTAKE_FUZZ_SECONDS` for more,
//! `STOCKTAKE_FUZZ_SEED` for other files.

use crate::support::random::Random;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use stocktake::{
    load::workload::{self, link},
    scenario::{
        self,
        error::ScenarioError,
        expr::{Expr, Scope, Value},
        source::{SourceFile, Span},
    },
    schema::Schema,
};

/// Pieces that mean something to YAML, to the language or to CEL.
const TOKENS: &[&str] = &[
    "\n",
    "  ",
    "\t",
    ": ",
    ":",
    "- ",
    "? ",
    "#",
    " #",
    "!",
    "!!str ",
    "&a ",
    "*a",
    "<<: ",
    "|",
    "|2\n",
    ">",
    ">-\n",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "\"",
    "'",
    "''",
    "\\",
    "\\u0041",
    "\\x",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\r",
    "\r\n",
    "\0",
    "é",
    "日本",
    "🐱",
    "[",
    "]",
    "{",
    "}",
    ",",
    "${{",
    "}}",
    "${{ run.id }}",
    "012",
    "yes",
    "null",
    "~",
    "1e999",
    "-",
    "5s",
    "500ms",
    "0",
    "-1",
    "99999999999999999999999",
    ".nan",
    "version: 1\n",
    "steps:\n",
    "rows:\n",
    "vars: { a: b }\n",
    "call: A/B\n",
    "wait: watch\n",
    "expect: []\n",
    "background: true\n",
    "repeat: 3\n",
    "response",
    "message",
    "results",
    "row.start",
    "index",
    "probe",
    "(",
    ")",
    ".",
    "==",
    "&&",
    "||",
    "!",
    "?",
    "+",
    "/",
    "%",
    "in ",
    ".all(x, ",
    ".map(x, x",
    ".filter(r, r.a == 1)",
    "has(",
    "size(",
    "'\\n'",
    "r'",
    "b'\\xff'",
    "duration('",
    "timestamp(\"",
    ".matches('(')",
    "1u",
    "0x1F",
    "1.5e300",
    "`a`",
    "//",
    ".?a",
    "[?0]",
    "{'a': 1}",
    "a{b: 1}",
    "-9223372036854775808",
    ".sortBy(x, x)",
    "math.greatest(",
    "\"%d\".format([",
    "lists.range(9)",
    "loop",
];

fn mutate(random: &mut Random, files: &[String], text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] = random.next() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 if at < bytes.len() => {
                let end = (at + 1 + random.below(12)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => bytes.truncate(at),
            4 => {
                // A line doubled, dropped or moved.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                if !lines.is_empty() {
                    let line = lines.remove(random.below(lines.len()));
                    for _ in 0..random.below(3) {
                        lines.insert(random.below(lines.len() + 1), line);
                    }
                }
                bytes = lines.concat().into_bytes();
            }
            5 => {
                // A piece of another file.
                let other = random.of(files).as_bytes();
                let start = random.below(other.len());
                let end = (start + random.below(80)).min(other.len());
                bytes.splice(at..at, other[start..end].iter().copied());
            }
            6 => {
                // The same token many times: depth.
                let token = random.of(TOKENS).repeat(1 + random.below(150));
                bytes.splice(at..at, token.bytes());
            }
            _ => {
                let token = random.of(TOKENS);
                bytes.splice(at..at, token.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn files(folders: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    files.sort();
    files
}

fn seed() -> u64 {
    let seed = std::env::var("STOCKTAKE_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    seed.unwrap_or(0x5eed_cafe).max(1)
}

fn budget() -> Duration {
    let seconds = std::env::var("STOCKTAKE_FUZZ_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// What the guards around the libraries say when one of them panics.
fn is_sound(text: &str) -> bool {
    !text.contains("gave up on this file") && !text.contains("cannot be read; write it in a simpler form")
}

/// Reads mutated files until the time is over.
fn hammer(files: &[String], read: impl Fn(&str) -> Result<(), Vec<ScenarioError>>) {
    let mut random = Random(seed());
    let start = Instant::now();
    let mut tried = 0;
    while tried < 50 || start.elapsed() < budget() {
        let original = random.of(files).clone();
        let text = mutate(&mut random, files, &original);
        if let Err(errors) = read(&text) {
            assert!(!errors.is_empty(), "refused without a word:\n{text}");
            for error in errors {
                let shown = error.render();
                assert!(
                    shown.starts_with("error: ") && is_sound(&shown),
                    "{shown}\nof\n{text:?}"
                );
                let span = error.span;
                assert!(
                    span.line >= 1 && span.column >= 1 && span.start <= span.end && span.end <= text.len(),
                    "{span:?}\n{text:?}"
                );
            }
        }
        tried += 1;
    }
}

#[test]
fn no_file_makes_the_parser_panic() {
    let files = files(&["tests/cases/parse", "tests/cases/invalid"]);
    hammer(&files, |text| {
        scenario::parse(SourceFile::new("fuzz.yaml", text)).map(drop)
    });
}

#[test]
fn no_file_makes_the_reader_of_workloads_panic() {
    let files = files(&["tests/cases/invalid-load", "../scenarios/load"]);
    let schema = Schema::built_in();
    hammer(&files, |text| {
        let source = SourceFile::new("fuzz.yaml", text);
        let workload = workload::parse(source, &|name| Ok(format!("id,{name}\n1,2\n")))?;
        assert!(workload.cells.iter().all(|cell| cell.wrong().is_none()) && !workload.cells.is_empty());
        match link::check(&workload, &schema, &workload.legs) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(errors),
        }
    });
}

#[test]
fn no_expression_makes_the_evaluation_panic() {
    let seeds = [
        "response.items.all(r, r.status.code == \"OK\" && r.n > 1)",
        "size(response.name) >= 3 ? response.n * 2 : -response.n / 0",
        "response.items.filter(r, r.n % 2 == 0).map(r, r.n).exists(n, n in [1, 2, 3])",
        "\"a\" + response.name.replace(\"a\", \"b\").substring(1, 2) + string(response.n)",
        "duration(\"1.5s\") + duration(\"1h\") < duration(\"2h\") && timestamp(\"2024-01-01T00:00:00Z\").getFullYear() == 2024",
        "math.greatest(response.n, 2) + int(response.d) - lists.range(3).size()",
        "has(response.name) && response.?other.orValue(1) == 1 && response.items[0].n == 1",
        "\"%s %d %.2f %x\".format([response.name, response.n, response.d, 255]) + base64.encode(b\"a\") + repeat(\"ab\", 2)",
        "response.items.sortBy(r, -r.n).map(r, r.n).slice(0, 1).flatten().distinct() == [9223372036854775807]",
    ];
    let seeds: Vec<String> = seeds.map(str::to_owned).to_vec();
    let item = |n: i64| -> Value {
        let status: Value = std::collections::HashMap::from([("code", "OK")]).into();
        std::collections::HashMap::from([("n", Value::Int(n)), ("status", status)]).into()
    };
    let response: Value = std::collections::HashMap::from([
        ("name", Value::from("añb")),
        ("n", Value::Int(i64::MIN)),
        ("u", Value::UInt(u64::MAX)),
        ("d", Value::Float(1e300)),
        ("null", Value::Null),
        ("items", Value::List(vec![item(1), item(2), item(i64::MAX)].into())),
    ])
    .into();
    let scope = Scope {
        values: [("response".to_owned(), response)].into(),
    };
    let mut random = Random(seed() ^ 0xce1);
    let start = Instant::now();
    let mut tried = 0;
    while tried < 50 || start.elapsed() < budget() {
        let original = random.of(&seeds).clone();
        let text = mutate(&mut random, &seeds, &original);
        let span = Span {
            line: 1,
            column: 1,
            ..Span::default()
        };
        match Expr::compile(&text, span) {
            Ok(expr) => {
                let outcomes = [expr.eval(&scope).err(), expr.holds(&scope).err()];
                for error in outcomes.into_iter().flatten() {
                    assert!(is_sound(&error.text), "{text:?}: {}", error.text);
                }
                assert!(expr.selects().iter().all(|select| !select.root.is_empty()), "{text:?}");
            }
            Err(problem) => assert!(is_sound(&problem.text), "{text:?}: {}", problem.text),
        }
        tried += 1;
    }
}
