//! The REST side of methods: `google.api.http` rules from a file, from the target's descriptors, or built in; and the HTTP
//! request that a rule makes of a message. Pure.
//!
//! Rules: https://github.com/googleapis/googleapis/blob/master/google/api/http.proto.

mod file;
mod options;
mod request;
mod template;

pub use file::HttpFile;
pub use request::HttpRequest;
pub use template::Template;
use template::encode;

use super::{FieldKind, MessageType, Method, Schema};
use crate::scenario::error::{Problem, ScenarioError, suggest};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Rules by `pkg.Service.Method`.
pub(super) type Rules = HashMap<String, Arc<[Binding]>>;

/// One way to call a method over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The HTTP method, such as `GET`.
    pub verb: String,
    /// Where.
    pub path: Template,
    /// What of the request is its body.
    pub body: Body,
    /// The field of the response that the body of the answer holds; all of it when there is none.
    pub response_body: Option<String>,
}

/// What of a request message is the body of the HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: what is not in the path is in the query.
    None,
    /// `*`: everything that is not in the path.
    Whole,
    /// One field; the rest is in the query.
    Field(String),
}

/// Which part of a rule a mistake is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Path,
    Body,
    ResponseBody,
}

impl Binding {
    /// What does not fit the method: fields that are not there or cannot stand where the rule puts them.
    fn check(&self, method: &Method) -> Vec<(Part, String)> {
        let mut wrong = Vec::new();
        for variable in self.path.variables() {
            if let Err(text) = check_variable(&method.input, &variable.field) {
                wrong.push((Part::Path, text));
            }
        }
        if method.client_streaming && self.path.variables().next().is_some() {
            let text = "the messages of a client stream share one path, so that it can have no variable";
            wrong.push((Part::Path, text.to_owned()));
        }
        match &self.body {
            Body::Field(name) if method.client_streaming => wrong.push((
                Part::Body,
                format!("a client stream is an array of whole messages: write `body: \"*\"`, not `{name}`"),
            )),
            Body::None if method.client_streaming => wrong.push((
                Part::Path,
                "a client stream travels in the body: write `body: \"*\"`".to_owned(),
            )),
            Body::Field(name) => wrong.extend(missing(&method.input, name).map(|text| (Part::Body, text))),
            Body::None | Body::Whole => {}
        }
        if let Some(name) = &self.response_body {
            wrong.extend(missing(&method.output, name).map(|text| (Part::ResponseBody, text)));
        }
        wrong
    }
}

fn check_variable(ty: &MessageType, path: &[String]) -> Result<(), String> {
    let mut ty = ty.clone();
    let Some((last, parents)) = path.split_last() else {
        return Err("a variable names a field".to_owned());
    };
    for name in parents {
        let field = ty.field(name).ok_or_else(|| unknown(&ty, name))?;
        ty = match field.kind {
            FieldKind::Message(inner) => inner,
            _ => return Err(format!("the field `{name}` of {} is no message", ty.full_name())),
        };
    }
    let field = ty.field(last).ok_or_else(|| unknown(&ty, last))?;
    let what = match field.kind {
        FieldKind::Scalar(_) | FieldKind::Enum(_) => return Ok(()),
        FieldKind::Message(_) => "a message",
        FieldKind::List(_) => "repeated",
        FieldKind::Map(..) => "a map",
    };
    Err(format!(
        "the field `{last}` of {} is {what}, which cannot stand in a path",
        ty.full_name()
    ))
}

fn missing(ty: &MessageType, name: &str) -> Option<String> {
    ty.field(name).is_none().then(|| unknown(ty, name))
}

fn unknown(ty: &MessageType, name: &str) -> String {
    let fields = ty.fields();
    let known = fields.iter().map(|field| field.name.as_str());
    suggest(format!("{} has no field `{name}`", ty.full_name()), name, known)
}

impl Method {
    /// Why it cannot be called over REST; `None` when it can.
    pub fn no_rest(&self) -> Option<String> {
        let name = self.full_name();
        if self.client_streaming && self.server_streaming {
            return Some(format!("{name} streams both ways, which REST cannot"));
        }
        if [&self.input, &self.output]
            .iter()
            .any(|ty| ty.full_name() == "google.api.HttpBody")
        {
            return Some(format!("{name} carries a raw body (google.api.HttpBody)"));
        }
        if !self.http.iter().any(|binding| binding.path.can_be_filled()) {
            return Some(format!("no HTTP rule maps {name}"));
        }
        None
    }

    /// Whether it reads only: mapped to GET, marked NO_SIDE_EFFECTS, or one of the well-known services.
    pub fn reads(&self) -> bool {
        let well_known = ["grpc.health.", "grpc.reflection."]
            .iter()
            .any(|prefix| self.service.starts_with(prefix));
        let mapped_to_get = |bindings: &[Binding]| bindings.iter().any(|binding| binding.verb == "GET");
        let mapped = match self.http.is_empty() {
            false => mapped_to_get(&self.http),
            // What the built-in mapping calls reading stays so where the rules at hand leave it out.
            true => built_in().get(&self.selector()).is_some_and(|http| mapped_to_get(http)),
        };
        well_known || self.no_side_effects || mapped
    }

    fn selector(&self) -> String {
        format!("{}.{}", self.service, self.name)
    }
}

/// The rules of the contract, for whoever describes its service.
fn built_in() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let file = HttpFile::parse("proto/inventory.http.yaml", inventory_contract::HTTP_RULES);
        file.map(|file| file.rules()).unwrap_or_default()
    })
}

/// The rules of a schema without a file: the options of its methods, and the built-in ones for what they leave out. The
/// texts say which options could not be used.
pub(super) fn of_descriptors(schema: &Schema) -> (Rules, Vec<String>) {
    let (mut rules, mut notes) = (Rules::new(), Vec::new());
    for service in schema.services() {
        for method in schema.service_methods(&service) {
            let own = match options::read(schema, &method) {
                Ok(own) => own,
                Err(reason) => {
                    notes.push(format!(
                        "the google.api.http option of {} is unusable: {reason}",
                        method.full_name()
                    ));
                    continue;
                }
            };
            let fits = |bindings: &Arc<[Binding]>| bindings.iter().all(|binding| binding.check(&method).is_empty());
            let built_in = || built_in().get(&method.selector()).cloned().filter(fits);
            if let Some(bindings) = own.or_else(built_in) {
                rules.insert(method.selector(), bindings);
            }
        }
    }
    (rules, notes)
}

impl Schema {
    /// The same with the rules of a file, which replace all others.
    ///
    /// # Errors
    /// Rules that do not fit what is described, and a file that maps nothing of it.
    pub fn with_http(&self, file: &HttpFile) -> Result<Schema, Vec<ScenarioError>> {
        let errors = file.check(self);
        if errors.is_empty() {
            Ok(self.with_rules(file.rules()))
        } else {
            Err(errors)
        }
    }
}

impl HttpFile {
    fn check(&self, schema: &Schema) -> Vec<ScenarioError> {
        let mut problems = Vec::new();
        let mut mapped = 0;
        for rule in self.written() {
            let selector = &rule.selector.value;
            let (service, name) = selector.rsplit_once('.').unwrap_or(("", selector));
            let methods = schema.service_methods(service);
            // A file may map more services than a target has.
            if methods.is_empty() {
                continue;
            }
            mapped += 1;
            let Some(method) = methods.iter().find(|method| method.name == name) else {
                let names = methods.iter().map(|method| method.name.as_str());
                let text = suggest(format!("{service} has no method `{name}`"), name, names.clone());
                let help = format!("it has: {}", names.collect::<Vec<_>>().join(", "));
                problems.push(Problem::new(rule.selector.span, text).help(help));
                continue;
            };
            for written in &rule.bindings {
                for (part, text) in written.binding.check(method) {
                    let span = match part {
                        Part::Path => written.path,
                        Part::Body => written.body.unwrap_or(written.path),
                        Part::ResponseBody => written.response_body.unwrap_or(written.path),
                    };
                    problems.push(Problem::new(span, text));
                }
            }
        }
        if mapped == 0 {
            let text = "no rule maps a method that the target describes";
            let services = schema.services().join(", ");
            problems.push(Problem::new(self.start(), text).help(format!("it describes: {services}")));
        }
        self.errors(problems)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
