//! From text to a checked program: bounds, CEL's syntax errors in plain words, unknown functions.

use super::{environment, walk};
use crate::scenario::error::{short, suggest};
use cel::{
    Program,
    common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo},
};
use std::ops::Range;

/// Bytes of an expression.
pub const LONGEST: usize = 4096;
/// Brackets inside each other.
pub const DEEPEST: usize = 20;
/// Brackets that fit on any caller's stack.
const SHALLOW: usize = 4;
/// Bytes of an expression that fits on any caller's stack.
const SHORT: usize = 1000;
/// Stack for everything that is not longer than [`LONGEST`].
const OWN_STACK: usize = 32 << 20;
/// Operators, commas and selections.
pub const MOST_OPERATORS: usize = 400;
/// Operations inside each other: cel evaluates one in up to 40 KiB of stack (debug build), and a worker thread has 2 MiB.
pub const MOST_LEVELS: usize = 24;
/// Comprehensions inside each other.
pub const MOST_LOOPS: usize = 3;

/// What is said when the library panics.
pub const GAVE_UP: &str = "cannot be read; write it in a simpler form";

/// A mistake at a range of bytes of the expression.
pub struct Mistake {
    pub range: Range<usize>,
    pub text: String,
    pub help: Option<String>,
}

impl Mistake {
    pub fn whole(expression: &str, text: &str) -> Mistake {
        Mistake {
            range: 0..expression.len(),
            text: format!("this expression {text}"),
            help: None,
        }
    }

    fn at(range: Range<usize>, text: impl Into<String>) -> Mistake {
        Mistake {
            range,
            text: text.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
}

/// Compiles and checks everything that needs no knowledge of the scenario.
pub fn compile(text: &str) -> Result<Program, Mistake> {
    within_bounds(text)?;
    let program = match is_shallow(text) {
        true => parse(text)?,
        false => on_own_stack(text)?,
    };
    Checks {
        text,
        info: program.source_info(),
    }
    .visit(program.expression(), 0, 0)?;
    Ok(program)
}

fn parse(text: &str) -> Result<Program, Mistake> {
    environment::shared().compile(text).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        let (line, column, message) = match first {
            Some(error) => (error.pos.0, error.pos.1, error.msg),
            None => (1, 1, String::new()),
        };
        in_words(text, offset(text, line, column), &message)
    })
}

/// Whether an expression can be parsed on what a caller has left of its stack. Each bracket and each `?` may need 200 KiB
/// (debug build); they count in texts, too, since a text without its closing quote is parsed as an expression.
fn is_shallow(text: &str) -> bool {
    text.len() <= SHORT && text.matches(['(', '[', '{', '?']).count() <= SHALLOW
}

/// A thread with stack for the 96 levels at which cel's parser stops by itself.
fn on_own_stack(text: &str) -> Result<Program, Mistake> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(OWN_STACK);
        let thread = builder.spawn_scoped(scope, || parse(text)).ok();
        match thread.and_then(|thread| thread.join().ok()) {
            Some(parsed) => parsed,
            None => Err(Mistake::whole(text, GAVE_UP)),
        }
    })
}

/// Counts what decides how deep the parser and the evaluation go.
fn within_bounds(text: &str) -> Result<(), Mistake> {
    if text.trim().is_empty() {
        return Err(Mistake::whole(text, "is empty"));
    }
    if text.len() > LONGEST {
        let sentence = format!("is longer than {LONGEST} bytes");
        return Err(Mistake::whole(text, &sentence).help("split it, with `vars` for its parts"));
    }
    let mut depth = 0usize;
    let mut operators = 0usize;
    for (at, c) in visible(text) {
        match c {
            '(' | '[' | '{' => {
                depth += 1;
                operators += 1;
                if depth > DEEPEST {
                    let sentence = format!("brackets are nested deeper than {DEEPEST}");
                    return Err(Mistake::at(at..at + 1, sentence));
                }
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '.' | ',' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '!' | '?' | ':' | '&' | '|' => operators += 1,
            _ => {}
        }
    }
    operators += text.split_whitespace().filter(|word| *word == "in").count();
    if operators > MOST_OPERATORS {
        let sentence = format!("has more than {MOST_OPERATORS} operators");
        return Err(Mistake::whole(text, &sentence).help("split it, with `vars` for its parts"));
    }
    Ok(())
}

/// The characters outside of string literals (CEL's lexis: one or three quotes, `r` before them for no escapes).
pub fn visible(text: &str) -> Vec<(usize, char)> {
    let mut visible = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if !matches!(c, '"' | '\'') {
            visible.push((at, c));
            at += c.len_utf8();
            continue;
        }
        let quote = match c {
            '"' if text[at..].starts_with("\"\"\"") => "\"\"\"",
            '"' => "\"",
            _ if text[at..].starts_with("'''") => "'''",
            _ => "'",
        };
        let prefix = text[..at].trim_end_matches(['b', 'B']);
        let raw = prefix.ends_with(['r', 'R']);
        at += quote.len();
        while at < text.len() && !text[at..].starts_with(quote) {
            let mut chars = text[at..].chars();
            let mut length = chars.next().map_or(1, char::len_utf8);
            if !raw && text[at..].starts_with('\\') {
                length += chars.next().map_or(0, char::len_utf8);
            }
            at += length;
        }
        at = (at + quote.len()).min(text.len());
    }
    visible
}

/// The byte of a line and a column, both from 1, the column in characters.
fn offset(text: &str, line: isize, column: isize) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
}

/// ANTLR's messages, for people.
fn in_words(text: &str, at: usize, message: &str) -> Mistake {
    let rest = text.get(at..).unwrap_or_default();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let symbol: String = if word.is_empty() {
        rest.chars().take(1).collect()
    } else {
        word
    };
    let range = at..at + symbol.len();
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    if rest.trim().is_empty() {
        let end = text.trim_end().len();
        let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
        return Mistake::at(end - last..end, "the expression ends too early");
    }
    if message.contains("recursion") || message == "UNKNOWN" {
        return Mistake::whole(text, "is nested too deep");
    }
    if message.starts_with("token recognition error") && rest.starts_with(['"', '\'']) {
        let line = rest.split('\n').next().unwrap_or_default();
        return Mistake::at(at..at + line.trim_end().len(), "this text has no closing quote");
    }
    if message.starts_with("invalid string literal") || message.starts_with("invalid bytes literal") {
        return Mistake::at(range, "this text has an escape that CEL does not know")
            .help("write `\\\\` for a backslash");
    }
    if message.starts_with("invalid int")
        || message.starts_with("invalid uint")
        || message.starts_with("invalid double")
    {
        return Mistake::at(range, "this number does not fit into 64 bits");
    }
    if message.starts_with("reserved identifier") {
        return Mistake::at(range, format!("`{symbol}` is a reserved word of CEL"));
    }
    let unexpected = Mistake::at(range, format!("unexpected `{symbol}` in the expression"));
    match symbol.as_str() {
        "=" => unexpected.help("compare with `==`"),
        "&" | "and" => unexpected.help("write `&&`"),
        "|" | "or" => unexpected.help("write `||`"),
        "not" => unexpected.help("write `!`"),
        "$" => unexpected.help("this is already an expression: write it without `${{ }}`"),
        "#" => unexpected.help("a comment in an expression starts with `//`"),
        _ if message.contains("argument must be a simple name") || message.contains("invalid") => Mistake {
            text: message.to_owned(),
            ..unexpected
        },
        _ => unexpected,
    }
}

/// What functions of other languages are called here.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(
        match name
            .rsplit_once('.')
            .filter(|(target, _)| *target != "math")
            .map_or(name, |(_, method)| method)
        {
            "len" | "length" | "count" => "size(x)",
            "math.max" | "max" => "math.greatest(a, b)",
            "math.min" | "min" => "math.least(a, b)",
            "abs" => "math.abs(x)",
            "lower" | "toLowerCase" | "to_lowercase" => "x.lowerAscii()",
            "upper" | "toUpperCase" | "to_uppercase" => "x.upperAscii()",
            "includes" => "x.contains(y)",
            "any" | "some" => "list.exists(x, condition)",
            "every" => "list.all(x, condition)",
            "range" => "lists.range(n)",
            "str" => "string(x)",
            "float" => "double(x)",
            _ => return None,
        },
    )
}

struct Checks<'p> {
    text: &'p str,
    info: &'p SourceInfo,
}

impl Checks<'_> {
    fn at(&self, expression: &IdedExpr, text: String) -> Mistake {
        Mistake::at(walk::extent(expression, self.info, self.text), text)
    }

    fn visit(&self, expression: &IdedExpr, levels: usize, loops: usize) -> Result<(), Mistake> {
        if walk::qualified(expression).is_some() {
            // `a.b.c` is looked up in one go.
            return Ok(());
        }
        if levels >= MOST_LEVELS {
            let sentence = format!("has more than {MOST_LEVELS} operations inside each other");
            return Err(Mistake::whole(self.text, &sentence).help("split it, with `vars` for its parts"));
        }
        let loops = match &expression.expr {
            Expr::Comprehension(_) if loops >= MOST_LOOPS => {
                return Err(self.at(expression, format!("loops are nested deeper than {MOST_LOOPS}")));
            }
            Expr::Comprehension(_) => loops + 1,
            Expr::Struct(_) => {
                let mistake = self.at(expression, "messages cannot be made in an expression".to_owned());
                return Err(mistake.help("write a map: {\"name\": value}"));
            }
            Expr::Unspecified => return Err(Mistake::whole(self.text, "cannot be read")),
            Expr::Call(call) => {
                self.function(expression, call)?;
                loops
            }
            _ => loops,
        };
        for child in walk::children(expression) {
            self.visit(child, levels + 1, loops)?;
        }
        Ok(())
    }

    fn function(&self, expression: &IdedExpr, call: &CallExpr) -> Result<(), Mistake> {
        let name = call.func_name.trim_start_matches('.');
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            // An operator, or what a macro has become.
            return Ok(());
        }
        let qualified = call
            .target
            .as_deref()
            .and_then(walk::qualified)
            .map(|target| format!("{target}.{name}"));
        let is_known = match (&call.target, &qualified) {
            (_, Some(qualified)) if environment::FUNCTIONS.contains(&qualified.as_str()) => true,
            (Some(_), _) => environment::METHODS.contains(&name),
            (None, _) => environment::FUNCTIONS.contains(&name),
        };
        if is_known {
            if matches!(
                name,
                "all" | "exists" | "exists_one" | "existsOne" | "filter" | "map" | "sortBy" | "has"
            ) || qualified.as_deref().is_some_and(|name| name.starts_with("math.@"))
            {
                // A macro with the right arguments is no call any more.
                let mistake = self.at(expression, format!("`{name}` is called with wrong arguments"));
                return Err(mistake.help("write `list.all(x, condition)`, `has(x.field)`"));
            }
            return self.literal_pattern(expression, call);
        }
        let range = self
            .info
            .offset_for(expression.id)
            .map_or(0, |(start, _)| start as usize);
        let before = self.text.get(..range).unwrap_or_default().trim_end();
        let range = before.len() - before.len().min(name.len())..before.len();
        let known: Vec<&str> = match (&call.target, &qualified) {
            (Some(_), Some(qualified)) if walk::is_namespace(qualified) && elsewhere(qualified).is_none() => {
                let text = suggest(
                    format!("unknown function `{qualified}`"),
                    qualified,
                    environment::FUNCTIONS,
                );
                return Err(Mistake::at(range, text));
            }
            (Some(_), _) => environment::METHODS.to_vec(),
            (None, _) => environment::FUNCTIONS.to_vec(),
        };
        let text = format!("unknown function `{}`", short(name));
        if let Some(own) = elsewhere(qualified.as_deref().unwrap_or(name)) {
            return Err(Mistake::at(range, text).help(format!("in CEL it is `{own}`")));
        }
        let mistake = Mistake::at(range, suggest(text, name, known));
        match (
            &call.target,
            environment::METHODS.contains(&name),
            environment::FUNCTIONS.contains(&name),
        ) {
            (None, true, _) => Err(mistake.help(format!("call it on a value: `x.{name}(…)`"))),
            (Some(_), _, true) => Err(mistake.help(format!("call it as `{name}(…)`"))),
            _ => Err(mistake),
        }
    }

    /// A pattern that is written out is checked before anything is sent.
    fn literal_pattern(&self, expression: &IdedExpr, call: &CallExpr) -> Result<(), Mistake> {
        if call.func_name != "matches" {
            return Ok(());
        }
        let Some(IdedExpr {
            expr: Expr::Literal(LiteralValue::String(pattern)),
            ..
        }) = call.args.last()
        else {
            return Ok(());
        };
        match regex::Regex::new(pattern.inner()) {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                let argument = call.args.last().unwrap_or(expression);
                Err(self.at(argument, format!("this is no regular expression: {reason}")))
            }
        }
    }
}
