//! Walks over the syntax tree: which fields of which roots an expression reads, and where its parts stand in the text.

use super::environment;
use cel::{
    Program, Value,
    common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators},
    objects::{Key, Map},
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// The path element for an element of a list, or the value of an index.
pub const ELEMENT: &str = "[]";

/// A chain of selections at a range of bytes of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    pub root: String,
    pub path: Vec<String>,
    pub range: Range<usize>,
}

/// What an expression reads of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// All of it.
    whole: bool,
    /// Parts of it, by field name or [`ELEMENT`].
    parts: BTreeMap<String, Needs>,
}

/// The direct sub-expressions, in the order of evaluation.
pub fn children(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(all) => {
            vec![
                &all.iter_range,
                &all.accu_init,
                &all.loop_cond,
                &all.loop_step,
                &all.result,
            ]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| of_entry(&entry.expr)).collect(),
        Expr::Struct(message) => message.entries.iter().flat_map(|entry| of_entry(&entry.expr)).collect(),
    }
}

fn of_entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// `a.b.c` as it is written, when the expression is nothing else.
pub fn qualified(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.trim_start_matches('.').to_owned()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", qualified(&select.operand)?, select.field)),
        _ => None,
    }
}

/// Whether a qualified name starts like that of a function, such as `math.`.
pub fn is_namespace(qualified: &str) -> bool {
    let Some((namespace, _)) = qualified.split_once('.') else {
        return false;
    };
    environment::FUNCTIONS
        .iter()
        .any(|name| name.split_once('.').is_some_and(|(known, _)| known == namespace))
}

/// A chain of selections: its root and its path, and the indices in it.
struct Chain<'e> {
    root: &'e str,
    path: Vec<String>,
    indices: Vec<&'e IdedExpr>,
}

fn chain(expression: &IdedExpr) -> Option<Chain<'_>> {
    match &expression.expr {
        Expr::Ident(name) => Some(Chain {
            root: name.trim_start_matches('.'),
            path: Vec::new(),
            indices: Vec::new(),
        }),
        Expr::Select(select) => {
            let mut chain = chain(&select.operand)?;
            chain.path.push(select.field.clone());
            Some(chain)
        }
        Expr::Call(call) => {
            let [operand, index] = call.args.as_slice() else {
                return None;
            };
            match call.func_name.as_str() {
                operators::INDEX | operators::OPT_INDEX => {
                    let mut chain = chain(operand)?;
                    chain.path.push(ELEMENT.to_owned());
                    chain.indices.push(index);
                    Some(chain)
                }
                operators::OPT_SELECT => {
                    let Expr::Literal(LiteralValue::String(field)) = &index.expr else {
                        return None;
                    };
                    let mut chain = chain(operand)?;
                    chain.path.push(field.inner().to_owned());
                    Some(chain)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// What a local variable stands for: a place below a root, or nothing that can be named.
type Alias = Option<(String, Vec<String>)>;

/// Visits all chains whose root lies outside of the expression. `range` is called for a chain over which a comprehension
/// loops, `read` for every other one.
struct Chains<'e, R: FnMut(&'e IdedExpr, &str, &[String]), L: FnMut(&'e IdedExpr, &str, &[String])> {
    locals: Vec<(&'e str, Alias)>,
    read: R,
    range: L,
}

impl<'e, R: FnMut(&'e IdedExpr, &str, &[String]), L: FnMut(&'e IdedExpr, &str, &[String])> Chains<'e, R, L> {
    /// The place that a chain means, when it is below a root.
    fn resolve(&self, chain: &Chain<'_>) -> Alias {
        match self.locals.iter().rev().find(|(name, _)| *name == chain.root) {
            None => Some((chain.root.to_owned(), chain.path.clone())),
            Some((_, alias)) => {
                let (root, above) = alias.as_ref()?;
                Some((root.clone(), above.iter().chain(&chain.path).cloned().collect()))
            }
        }
    }

    fn visit(&mut self, expression: &'e IdedExpr) {
        if let Some(chain) = chain(expression) {
            for index in &chain.indices {
                self.visit(index);
            }
            if let Some((root, path)) = self.resolve(&chain) {
                (self.read)(expression, &root, &path);
            }
            return;
        }
        match &expression.expr {
            Expr::Comprehension(all) => {
                let looped = chain(&all.iter_range);
                let element = looped
                    .as_ref()
                    .and_then(|chain| self.resolve(chain))
                    .map(|(root, mut path)| {
                        (self.range)(&all.iter_range, &root, &path);
                        path.push(ELEMENT.to_owned());
                        (root, path)
                    });
                match looped {
                    Some(chain) => chain.indices.into_iter().for_each(|index| self.visit(index)),
                    None => self.visit(&all.iter_range),
                }
                self.visit(&all.accu_init);
                let start = chain(&all.accu_init).and_then(|chain| self.resolve(&chain));
                let outside = self.locals.len();
                self.locals.push((&all.iter_var, element));
                if let Some(second) = &all.iter_var2 {
                    self.locals.push((second, None));
                }
                self.locals.push((&all.accu_var, start));
                self.visit(&all.loop_cond);
                self.visit(&all.loop_step);
                self.visit(&all.result);
                self.locals.truncate(outside);
            }
            Expr::Call(call) => {
                let is_namespace = call.target.as_deref().and_then(qualified).is_some_and(|target| {
                    environment::FUNCTIONS.contains(&format!("{target}.{}", call.func_name).as_str())
                });
                if let (Some(target), false) = (&call.target, is_namespace) {
                    self.visit(target);
                }
                call.args.iter().for_each(|argument| self.visit(argument));
            }
            _ => children(expression).into_iter().for_each(|child| self.visit(child)),
        }
    }
}

/// All chains of selections below a root; see [`super::Expr::selects`].
pub fn selects(program: &Program, text: &str) -> Vec<Select> {
    let found = std::cell::RefCell::new(Vec::new());
    let note = |expression: &IdedExpr, root: &str, path: &[String]| {
        if environment::TYPES.contains(&root) {
            return;
        }
        let range = extent(expression, program.source_info(), text);
        let select = Select {
            root: root.to_owned(),
            path: path.to_vec(),
            range,
        };
        let mut found = found.borrow_mut();
        if !found.contains(&select) {
            found.push(select);
        }
    };
    Chains {
        locals: Vec::new(),
        read: note,
        range: note,
    }
    .visit(program.expression());
    let mut found = found.into_inner();
    found.sort_by_key(|select| (select.range.start, select.range.end));
    found
}

/// What an expression reads of each root.
pub fn needs(expression: &IdedExpr) -> BTreeMap<String, Needs> {
    let roots = std::cell::RefCell::new(BTreeMap::<String, Needs>::new());
    let note = |root: &str, path: &[String], whole: bool| {
        let mut roots = roots.borrow_mut();
        let mut needs = roots.entry(root.to_owned()).or_default();
        for part in path {
            needs = needs.parts.entry(part.clone()).or_default();
        }
        match whole {
            true => needs.whole = true,
            false => {
                needs.parts.entry(ELEMENT.to_owned()).or_default();
            }
        }
    };
    Chains {
        locals: Vec::new(),
        read: |_: &IdedExpr, root: &str, path: &[String]| note(root, path, true),
        range: |_: &IdedExpr, root: &str, path: &[String]| note(root, path, false),
    }
    .visit(expression);
    roots.into_inner()
}

/// A value without the parts that are not needed.
pub fn project(value: &Value, needs: &Needs) -> Value {
    if needs.whole {
        return value.clone();
    }
    let element = needs.parts.get(ELEMENT);
    match (value, element) {
        (Value::List(items), Some(element)) => {
            Value::List(Arc::new(items.iter().map(|item| project(item, element)).collect()))
        }
        (Value::Map(fields), None) => {
            let needed = needs.parts.iter().filter_map(|(name, needs)| {
                let key = Key::String(Arc::new(name.clone()));
                let value = project(fields.map.get(&key)?, needs);
                Some((key, value))
            });
            Value::Map(Map {
                map: Arc::new(needed.collect()),
            })
        }
        _ => value.clone(),
    }
}

/// The bytes of the text that an expression was made from.
pub fn extent(expression: &IdedExpr, info: &SourceInfo, text: &str) -> Range<usize> {
    let mut range = text.len()..0;
    grow(expression, info, text, &mut range);
    if range.start > range.end {
        return 0..text.len();
    }
    // A bracket that is cut off belongs to the expression with everything up to its other half.
    let pairs = pairs(text);
    loop {
        let before = range.clone();
        for (open, close) in &pairs {
            let (opens, closes) = (range.contains(open), range.contains(close));
            if opens && !closes {
                range.end = range.end.max(close + 1);
            } else if closes && !opens {
                range.start = range.start.min(*open);
            }
        }
        if range == before {
            return range;
        }
    }
}

fn grow(expression: &IdedExpr, info: &SourceInfo, text: &str, range: &mut Range<usize>) {
    if let Some((start, stop)) = info.offset_for(expression.id) {
        let (mut start, mut end) = (start as usize, (stop as usize + 1).min(text.len()));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        match &expression.expr {
            Expr::Select(select) if !select.test => {
                let rest = text.get(end..).unwrap_or_default();
                let blank = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '?').len();
                end += (blank + select.field.len()).min(rest.len());
            }
            Expr::Call(call) if call.func_name == operators::OPT_SELECT => {
                let field = call.args.last().and_then(|field| match &field.expr {
                    Expr::Literal(LiteralValue::String(field)) => Some(field.inner().len()),
                    _ => None,
                });
                let rest = text.get(end..).unwrap_or_default();
                let blank = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '?').len();
                end += (blank + field.unwrap_or(0)).min(rest.len());
            }
            // The place of a call is its bracket; the name stands before it.
            Expr::Call(_) | Expr::Select(_) if text.get(start..).is_some_and(|rest| rest.starts_with('(')) => {
                let before = text.get(..start).unwrap_or_default().trim_end();
                start = before.trim_end_matches(is_name).len();
            }
            Expr::Struct(message) => {
                let before = text.get(..start).unwrap_or_default().trim_end();
                start = before.len() - message.type_name.len().min(before.len());
            }
            _ => {}
        }
        range.start = range.start.min(text.floor_char_boundary(start));
        range.end = range.end.max(text.ceil_char_boundary(end));
    }
    for child in children(expression) {
        grow(child, info, text, range);
    }
}

/// All pairs of brackets outside of texts.
fn pairs(text: &str) -> Vec<(usize, usize)> {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for (at, c) in super::syntax::visible(text) {
        match c {
            '(' | '[' | '{' => open.push(at),
            ')' | ']' | '}' => pairs.extend(open.pop().map(|open| (open, at))),
            _ => {}
        }
    }
    pairs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn compiled(text: &str) -> Program {
        environment::shared().compile(text).unwrap()
    }

    fn listed(text: &str) -> Vec<String> {
        let program = compiled(text);
        let show = |select: Select| {
            let path: String = select.path.iter().map(|part| format!(" {part}")).collect();
            format!("{}{path} = {}", select.root, &text[select.range])
        };
        selects(&program, text).into_iter().map(show).collect()
    }

    #[test]
    fn chains_are_maximal_and_calls_cut_them() {
        assert_eq!(listed("a.b.c == d"), ["a b c = a.b.c", "d = d"]);
        assert_eq!(
            listed("size(a.b) > 0 && a.b.startsWith(c.d)"),
            ["a b = a.b", "a b = a.b", "c d = c.d"]
        );
        assert_eq!(listed("x[0].y[i.j]"), ["x [] y [] = x[0].y[i.j]", "i j = i.j"]);
        assert_eq!(
            listed("has(a.b) ? a.?b.orValue(1) : 2"),
            ["a b = has(a.b)", "a b = a.?b"]
        );
        assert_eq!(listed("(a + b).c"), ["a = a", "b = b"]);
    }

    #[test]
    fn a_variable_of_a_comprehension_stands_for_the_elements() {
        assert_eq!(
            listed("results.filter(r, r.status.code == \"OK\").size() <= row.left"),
            [
                "results = results",
                "results [] = r",
                "results [] status code = r.status.code",
                "row left = row.left"
            ]
        );
        assert_eq!(
            listed("messages.all(m, m.items.exists(i, i.id == m.id))"),
            [
                "messages = messages",
                "messages [] items = m.items",
                "messages [] items [] id = i.id",
                "messages [] id = m.id"
            ]
        );
        assert_eq!(listed("a.map(x, x + 1).all(y, y.z > 0)"), ["a = a", "a [] = x"]);
        assert_eq!(listed("math.abs(a.b) + lists.range(3).size()"), ["a b = a.b"]);
        assert_eq!(listed("type(a) == int"), ["a = a"]);
    }

    #[test]
    fn only_what_is_read_is_needed() {
        let all = compiled("results.all(r, r.status == \"OK\")");
        let needs = needs(all.expression());
        let results = &needs["results"];
        assert!(!results.whole && results.parts[ELEMENT].parts["status"].whole);
        let record = |status: &str| -> Value {
            let fields = [("status", status), ("response", "long")];
            std::collections::HashMap::from(fields.map(|(name, text)| (name.to_owned(), text.to_owned()))).into()
        };
        let full = Value::List(Arc::new(vec![record("OK"), record("ABORTED")]));
        let Value::List(items) = project(&full, results) else {
            panic!("a list stays a list")
        };
        let Value::Map(first) = &items[0] else {
            panic!("a map stays a map")
        };
        assert_eq!((items.len(), first.map.len()), (2, 1));
    }

    #[test]
    fn the_extent_is_the_text_of_the_node() {
        for (text, part) in [
            ("a && (b.c + f(1, 2)).d == 5", "(b.c + f(1, 2)).d == 5"),
            (
                "x || y.filter(r, r.s == ')').size() > 1",
                "y.filter(r, r.s == ')').size() > 1",
            ),
            ("x || !has(a.b)", "!has(a.b)"),
            ("x || [1, 2].exists(y, y == z)", "[1, 2].exists(y, y == z)"),
        ] {
            let program = cel::Program::compile(text).unwrap();
            let Expr::Call(call) = &program.expression().expr else {
                panic!("{text}")
            };
            let range = extent(call.args.last().unwrap(), program.source_info(), text);
            assert_eq!(&text[range], part);
        }
    }
}
