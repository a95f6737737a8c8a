//! A file of HTTP rules in the form of a `google.api.Service` (`http.rules`), as API gateways read it. Strict: every mistake
//! is reported at its line and column.

use super::{Binding, Body, Rules, Template};
use crate::scenario::{
    de,
    error::{Problem, ScenarioError},
    field::{Field, Given, Raw},
    in_order,
    source::{Lines, Located, Source, SourceFile, Span},
    tree::{NodeId, Tree},
    yaml,
};
use serde::Deserialize;

/// A file of HTTP rules, free of mistakes as far as the file alone can tell.
#[derive(Debug)]
pub struct HttpFile {
    source: Source,
    rules: Vec<Rule>,
}

/// The bindings of one method.
#[derive(Debug)]
pub(super) struct Rule {
    /// `pkg.Service.Method`.
    pub selector: Located<String>,
    /// The rule's own, then additional ones.
    pub bindings: Vec<WrittenBinding>,
}

/// A binding and where its parts stand.
#[derive(Debug)]
pub(super) struct WrittenBinding {
    pub binding: Binding,
    pub path: Span,
    pub body: Option<Span>,
    pub response_body: Option<Span>,
}

impl HttpFile {
    /// Reads a file.
    ///
    /// # Errors
    /// All its mistakes, in their order.
    pub fn parse(name: &str, text: &str) -> Result<HttpFile, Vec<ScenarioError>> {
        let source = SourceFile::new(name, text);
        if text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        {
            let problem = Problem::new(Lines::new(text).span(0..0), "the file has no rules").help(FORM);
            return Err(in_order(&source, vec![problem]));
        }
        let (tree, mut problems) = yaml::read(&source.text);
        let mut rules = Vec::new();
        if let Some(tree) = tree {
            let mut noted = Vec::new();
            if let Some(written) = de::read::<Service>(&tree, &mut noted) {
                let clean = noted.is_empty();
                let mut lower = Lower {
                    tree: &tree,
                    problems: noted,
                };
                rules = lower.rules(&written, clean);
                noted = lower.problems;
            }
            problems.append(&mut noted);
        }
        if problems.is_empty() {
            Ok(HttpFile { source, rules })
        } else {
            Err(in_order(&source, problems))
        }
    }

    pub(super) fn written(&self) -> &[Rule] {
        &self.rules
    }

    /// By selector; of several rules for one the last counts, as http.proto says.
    pub(super) fn rules(&self) -> Rules {
        let bindings = |rule: &Rule| rule.bindings.iter().map(|written| written.binding.clone()).collect();
        self.rules
            .iter()
            .map(|rule| (rule.selector.value.clone(), bindings(rule)))
            .collect()
    }

    pub(super) fn start(&self) -> Span {
        Lines::new(&self.source.text).span(0..0)
    }

    pub(super) fn errors(&self, problems: Vec<Problem>) -> Vec<ScenarioError> {
        in_order(&self.source, problems)
    }
}

const FORM: &str =
    "write `http:`, below it `rules:`, and a rule such as `- { selector: pkg.Service.Method, get: /v1/things }`";

/// A `google.api.Service`; all but `http` is for others to read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Service {
    http: Field<Http>,
    #[serde(rename = "type")]
    kind: Field<String>,
    config_version: Field<Raw>,
    name: Field<Raw>,
    title: Field<Raw>,
    id: Field<Raw>,
    producer_project_id: Field<Raw>,
    apis: Field<Raw>,
    types: Field<Raw>,
    enums: Field<Raw>,
    documentation: Field<Raw>,
    backend: Field<Raw>,
    quota: Field<Raw>,
    authentication: Field<Raw>,
    context: Field<Raw>,
    usage: Field<Raw>,
    endpoints: Field<Raw>,
    control: Field<Raw>,
    logs: Field<Raw>,
    metrics: Field<Raw>,
    monitored_resources: Field<Raw>,
    billing: Field<Raw>,
    logging: Field<Raw>,
    monitoring: Field<Raw>,
    system_parameters: Field<Raw>,
    publishing: Field<Raw>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Http {
    rules: Field<Vec<Field<HttpRule>>>,
    /// About how a server decodes paths.
    fully_decode_reserved_expansion: Field<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HttpRule {
    selector: Field<String>,
    get: Field<String>,
    put: Field<String>,
    post: Field<String>,
    delete: Field<String>,
    patch: Field<String>,
    custom: Field<Custom>,
    body: Field<String>,
    response_body: Field<String>,
    additional_bindings: Field<Vec<Field<HttpRule>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Custom {
    kind: Field<String>,
    path: Field<String>,
}

struct Lower<'a, 't> {
    tree: &'a Tree<'t>,
    problems: Vec<Problem>,
}

impl Lower<'_, '_> {
    /// `clean`: nothing is wrong so far, so that what is missing is really missing.
    fn rules(&mut self, service: &Service, clean: bool) -> Vec<Rule> {
        if let Field::Given(kind) = &service.kind
            && kind.value != "google.api.Service"
        {
            let text = format!("a `{}` holds no HTTP rules", kind.value);
            self.note(
                Problem::new(self.tree.span(kind.node), text).help("write `type: google.api.Service`, or leave it out"),
            );
        }
        let rules = service.http.value().and_then(|http| http.rules.value());
        let rules = rules.map_or(&[][..], Vec::as_slice);
        if rules.is_empty() && clean {
            let problem = Problem::new(self.start_of(Tree::ROOT), "the file has no rules").help(FORM);
            self.note(problem);
        }
        rules
            .iter()
            .filter_map(Field::given)
            .filter_map(|rule| self.rule(rule))
            .collect()
    }

    fn rule(&mut self, rule: &Given<HttpRule>) -> Option<Rule> {
        let selector = self.selector(rule);
        let mut bindings: Vec<WrittenBinding> = self.binding(rule).into_iter().collect();
        for more in rule.value.additional_bindings.value().into_iter().flatten() {
            let Some(more) = more.given() else { continue };
            if let Field::Given(nested) = &more.value.additional_bindings {
                let text = "additional bindings have no additional bindings themselves";
                self.note(Problem::new(self.tree.span(nested.key), text).help("list them one beside the other"));
            }
            if let Field::Given(selector) = &more.value.selector {
                let text = "an additional binding belongs to the method of its rule";
                self.note(Problem::new(self.tree.span(selector.key), text).help("leave the `selector` out"));
            }
            bindings.extend(self.binding(more));
        }
        let selector = selector?;
        Some(Rule { selector, bindings })
    }

    fn selector(&mut self, rule: &Given<HttpRule>) -> Option<Located<String>> {
        let Field::Given(selector) = &rule.value.selector else {
            if !rule.value.selector.is_written() {
                let problem = Problem::new(self.start_of(rule.node), "the rule names no method");
                self.note(problem.help("write `selector: pkg.Service.Method`"));
            }
            return None;
        };
        let span = self.tree.span(selector.node);
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let value = selector.value.clone();
        if !value.contains('.') || !value.split('.').all(is_name) {
            let text = format!("`{value}` is not the full name of a method");
            self.note(Problem::new(span, text).help("write it with its service, such as `pkg.Service.Method`"));
        }
        Some(Located { value, span })
    }

    fn binding(&mut self, given: &Given<HttpRule>) -> Option<WrittenBinding> {
        let rule = &given.value;
        let mut patterns: Vec<(String, &Given<String>)> = [
            ("GET", &rule.get),
            ("PUT", &rule.put),
            ("POST", &rule.post),
            ("DELETE", &rule.delete),
            ("PATCH", &rule.patch),
        ]
        .into_iter()
        .filter_map(|(verb, path)| Some((verb.to_owned(), path.given()?)))
        .collect();
        patterns.extend(rule.custom.given().and_then(|custom| self.custom(custom)));
        let written = [&rule.get, &rule.put, &rule.post, &rule.delete, &rule.patch];
        let count = written.iter().filter(|path| path.is_written()).count() + usize::from(rule.custom.is_written());
        let ways = "`get`, `put`, `post`, `delete`, `patch` or `custom`";
        if count != 1 {
            let text = match count {
                0 => "the rule has no path".to_owned(),
                _ => format!("the rule has {count} paths"),
            };
            let help = match count {
                0 => format!("write one of {ways}"),
                _ => format!("write one of {ways}, and the others under `additional_bindings`"),
            };
            let problem = Problem::new(self.start_of(given.node), text).help(help);
            self.note(problem);
            return None;
        }
        let (verb, written) = patterns.into_iter().next()?;
        let path = self.tree.span(written.node);
        let template = match Template::parse(&written.value) {
            Ok(template) => template,
            Err(text) => {
                let help = "a path is such as `/v1/things/{id}:verb`; `{name=things/*}` stands for several segments";
                self.note(Problem::new(path, text).help(help));
                return None;
            }
        };
        let body = match rule.body.given() {
            None => Body::None,
            Some(body) if verb == "GET" || verb == "HEAD" => {
                let problem = Problem::new(self.tree.span(body.key), format!("a {verb} has no body"));
                self.note(problem.help("leave it out: fields that are not in the path travel in the query"));
                Body::None
            }
            Some(body) if body.value == "*" => Body::Whole,
            Some(body) => Body::Field(self.field(body, "a body is `\"*\"` or one field of the request")),
        };
        let response_body = rule.response_body.given();
        let response = response_body.map(|field| self.field(field, "a response body is one field of the response"));
        Some(WrittenBinding {
            binding: Binding {
                verb,
                path: template,
                body,
                response_body: response,
            },
            path,
            body: rule.body.given().map(|body| self.tree.span(body.node)),
            response_body: response_body.map(|field| self.tree.span(field.node)),
        })
    }

    /// A method of HTTP that has no key of its own.
    fn custom<'r>(&mut self, custom: &'r Given<Custom>) -> Option<(String, &'r Given<String>)> {
        let (Some(kind), Some(path)) = (custom.value.kind.given(), custom.value.path.given()) else {
            if !custom.value.kind.is_written() || !custom.value.path.is_written() {
                let problem = Problem::new(self.tree.span(custom.key), "a custom pattern needs `kind` and `path`");
                self.note(problem.help("write `custom: { kind: HEAD, path: /v1/things }`"));
            }
            return None;
        };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'+-.^_`|~".contains(c);
        if kind.value == "*" {
            // Any method will do for a server; a client has to choose one.
            return Some(("POST".to_owned(), path));
        }
        if kind.value.is_empty() || !kind.value.chars().all(token) {
            let text = format!("`{}` is no method of HTTP", kind.value);
            self.note(Problem::new(self.tree.span(kind.node), text).help("such as `HEAD`"));
        }
        Some((kind.value.clone(), path))
    }

    fn field(&mut self, field: &Given<String>, help: &str) -> String {
        if field.value.is_empty() || field.value.contains(['.', '*']) {
            let text = format!("`{}` is no field of a message", field.value);
            self.note(Problem::new(self.tree.span(field.node), text).help(help));
        }
        field.value.clone()
    }

    /// The first character of a node.
    fn start_of(&self, node: NodeId) -> Span {
        let span = self.tree.span(node);
        Span {
            end: span.start,
            ..span
        }
    }

    fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
