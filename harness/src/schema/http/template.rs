//! Path templates of `google.api.http` rules: their grammar, and how a request fills them in
//! (https://github.com/googleapis/googleapis/blob/master/google/api/http.proto, "Path template syntax").

use std::fmt;

/// A path template, such as `/v1/{name=shelves/*}/books:search`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Segment>,
    /// After the `:`.
    verb: Option<String>,
}

/// Between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Sent as it stands.
    Literal(String),
    /// `*`: one segment.
    One,
    /// `**`: the rest of the path.
    Rest,
    /// `{field.path=pattern}`.
    Variable(Variable),
}

/// A part of the path that a field of the request fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Names of fields, from the outermost in.
    pub field: Vec<String>,
    /// `*` where the template has none.
    pattern: Vec<Segment>,
}

impl Template {
    /// Reads a template; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Template, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("the path `{text}` does not begin with `/`"));
        };
        if let Some(bad) = rest.chars().find(|c| c.is_whitespace() || matches!(c, '?' | '#')) {
            return Err(format!("a path has no `{}`", bad.escape_default()));
        }
        let (path, verb) = match verb_at(rest)? {
            Some(at) => (&rest[..at], Some(literal(&rest[at + 1..], "the verb after `:`")?)),
            None => (rest, None),
        };
        // `/` alone is the path of a root; the grammar asks for a segment, the gateways do not.
        let segments = match path {
            "" => Vec::new(),
            path => split(path)?.into_iter().map(segment).collect::<Result<Vec<_>, _>>()?,
        };
        let template = Template {
            text: text.to_owned(),
            segments,
            verb,
        };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), String> {
        let before_last = self.segments.split_last().map_or(&[][..], |(_, before)| before);
        let has_rest = |segment: &Segment| match segment {
            Segment::Rest => true,
            Segment::Variable(variable) => variable.pattern.contains(&Segment::Rest),
            Segment::Literal(_) | Segment::One => false,
        };
        if before_last.iter().any(has_rest) {
            return Err("`**` stands for the rest of the path: nothing but a verb can follow it".to_owned());
        }
        let mut seen: Vec<&[String]> = Vec::new();
        for variable in self.variables() {
            if seen.contains(&variable.field.as_slice()) {
                return Err(format!("the variable `{}` stands twice in the path", variable.name()));
            }
            seen.push(&variable.field);
        }
        Ok(())
    }

    /// Its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(variable) => Some(variable),
            Segment::Literal(_) | Segment::One | Segment::Rest => None,
        })
    }

    /// Whether fields of a request can fill it in: a wildcard outside of a variable is nothing that a request says.
    pub fn can_be_filled(&self) -> bool {
        !self
            .segments
            .iter()
            .any(|segment| matches!(segment, Segment::One | Segment::Rest))
    }

    /// The path of a request, percent-encoded; `value` gives the text of a variable.
    ///
    /// # Errors
    /// What cannot stand in the path: an empty segment, or a text that does not fit the pattern of its variable.
    pub fn fill(&self, mut value: impl FnMut(&Variable) -> Result<String, String>) -> Result<String, String> {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Variable(variable) => {
                    let text = value(variable)?;
                    variable.push(&text, &mut path)?;
                }
                Segment::One | Segment::Rest => {
                    return Err(format!(
                        "the wildcard in `{self}` stands for nothing that the request says"
                    ));
                }
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        if let Some(verb) = &self.verb {
            path.push(':');
            path.push_str(verb);
        }
        Ok(path)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Variable {
    /// Such as `book.name`.
    pub fn name(&self) -> String {
        self.field.join(".")
    }

    /// A text that fits its pattern, with `name` for each wildcard.
    pub fn sample(&self, name: &str) -> String {
        let part = |segment: &Segment| match segment {
            Segment::Literal(text) => text.clone(),
            _ => name.to_owned(),
        };
        self.pattern.iter().map(part).collect::<Vec<_>>().join("/")
    }

    /// Whether it is exactly one segment of the path: then a `/` in its value is encoded.
    fn is_single(&self) -> bool {
        self.pattern == [Segment::One]
    }

    fn push(&self, text: &str, path: &mut String) -> Result<(), String> {
        if self.is_single() {
            if text.is_empty() {
                return Err(format!("`{}` is empty, and a segment of a path cannot be", self.name()));
            }
            encode(text, b"-_.~", path);
            return Ok(());
        }
        if !fits(&self.pattern, text) {
            let pattern: Vec<&str> = self.pattern.iter().map(Segment::text).collect();
            return Err(format!(
                "`{}` is {text:?}, which does not fit `{}`",
                self.name(),
                pattern.join("/")
            ));
        }
        encode(text, b"-_.~/", path);
        Ok(())
    }
}

impl Segment {
    /// As it stands in the pattern of a variable.
    fn text(&self) -> &str {
        match self {
            Segment::Literal(text) => text,
            Segment::One => "*",
            Segment::Rest => "**",
            Segment::Variable(_) => "{}",
        }
    }
}

fn fits(pattern: &[Segment], text: &str) -> bool {
    let mut parts = text.split('/');
    for segment in pattern {
        let part = match segment {
            // Zero or more segments, empty ones aside: a path that begins or ends with `/` is another one.
            Segment::Rest => return text.is_empty() || parts.all(|part| !part.is_empty()),
            _ => parts.next(),
        };
        let fits = match (segment, part) {
            (_, None | Some("")) => false,
            (Segment::Literal(literal), Some(part)) => literal == part,
            (_, Some(_)) => true,
        };
        if !fits {
            return false;
        }
    }
    parts.next().is_none()
}

/// Percent-encodes all but ASCII letters, digits and `kept`.
pub fn encode(text: &str, kept: &[u8], out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Where the verb begins: at a `:` in the last segment, outside of braces.
fn verb_at(path: &str) -> Result<Option<usize>, String> {
    let mut inside = false;
    let mut found = None;
    for (at, c) in path.char_indices() {
        match c {
            '{' => inside = true,
            '}' => inside = false,
            '/' if !inside && found.is_some() => return Err("a verb (`:…`) can only end a path".to_owned()),
            ':' if !inside && found.is_some() => return Err("a path has one verb (`:…`) at most".to_owned()),
            ':' if !inside => found = Some(at),
            _ => {}
        }
    }
    Ok(found)
}

/// The segments of a path: slashes within braces do not count.
fn split(path: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, c) in path.char_indices() {
        match (c, inside) {
            ('{', false) => inside = true,
            ('{', true) => return Err("a variable cannot hold another one".to_owned()),
            ('}', true) => inside = false,
            ('}', false) => return Err("`}` closes nothing".to_owned()),
            ('/', false) => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("`{` is not closed".to_owned());
    }
    parts.push(&path[start..]);
    Ok(parts)
}

fn segment(text: &str) -> Result<Segment, String> {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return plain(text);
    };
    let (field, pattern) = match inner.split_once('=') {
        Some((field, pattern)) => (field, pattern.split('/').map(plain).collect::<Result<Vec<_>, _>>()?),
        None => (inner, vec![Segment::One]),
    };
    let before_last = pattern.split_last().map_or(&[][..], |(_, before)| before);
    if before_last.contains(&Segment::Rest) {
        return Err("`**` stands for the rest of the path: nothing but a verb can follow it".to_owned());
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !field.split('.').all(is_name) {
        return Err(format!("`{field}` is no path of fields, such as `book.name`"));
    }
    Ok(Segment::Variable(Variable {
        field: field.split('.').map(str::to_owned).collect(),
        pattern,
    }))
}

fn plain(text: &str) -> Result<Segment, String> {
    Ok(match text {
        "*" => Segment::One,
        "**" => Segment::Rest,
        text => Segment::Literal(literal(text, "a segment of the path")?),
    })
}

/// A literal: what a segment of a path may hold (RFC 3986 section 3.3) without what the grammar of templates means
/// something by.
fn literal(text: &str, what: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()+,;@%".contains(c);
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(text.to_owned()),
        Some('{' | '}') => Err(format!("`{text}`: a variable is a whole segment")),
        Some('*') => Err(format!("`{text}`: a wildcard is a whole segment")),
        Some(bad) => {
            let mut encoded = String::new();
            encode(&bad.to_string(), b"", &mut encoded);
            Err(format!("`{bad}` cannot stand in a path: write {encoded}"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Fills each variable with the text after its name.
    fn filled(template: &str, values: &[(&str, &str)]) -> Result<String, String> {
        Template::parse(template).unwrap().fill(|variable| {
            let found = values.iter().find(|(name, _)| *name == variable.name());
            Ok(found.unwrap().1.to_owned())
        })
    }

    #[test]
    fn variables_are_filled_in_and_encoded() {
        for (template, values, path) in [
            ("/v1/products", &[][..], "/v1/products"),
            ("/", &[], "/"),
            ("/v1/products:bulkImport", &[], "/v1/products:bulkImport"),
            (
                "/v1/products/{id}:updateStock",
                &[("id", "p-1")],
                "/v1/products/p-1:updateStock",
            ),
            (
                "/v1/{a.b}/x/{c_d}",
                &[("a.b", "a b/c"), ("c_d", "ü?#%:~")],
                "/v1/a%20b%2Fc/x/%C3%BC%3F%23%25%3A~",
            ),
            (
                "/v1/{name=shelves/*/books/*}:read",
                &[("name", "shelves/a b/books/2")],
                "/v1/shelves/a%20b/books/2:read",
            ),
            ("/v1/{name=**}", &[("name", "a/b/c d")], "/v1/a/b/c%20d"),
            ("/v1/{name=x/**}", &[("name", "x/b")], "/v1/x/b"),
            ("/v1/{id=*}", &[("id", "a/b")], "/v1/a%2Fb"),
        ] {
            assert_eq!(filled(template, values).as_deref(), Ok(path), "{template}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_path() {
        for (template, value, part) in [
            ("/v1/{a}", "", "`a` is empty"),
            ("/v1/{a=x/*}", "y/1", "does not fit `x/*`"),
            ("/v1/{a=x/*}", "x", "does not fit"),
            ("/v1/{a=x/*}", "x/1/2", "does not fit"),
            ("/v1/{a=x/*}", "x/", "does not fit"),
            ("/v1/{a=x/**}", "x//y", "does not fit"),
        ] {
            let error = filled(template, &[("a", value)]).unwrap_err();
            assert!(error.contains(part), "{template} {value}: {error}");
        }
        let wildcard = Template::parse("/v1/*/x").unwrap();
        assert!(!wildcard.can_be_filled());
        assert!(wildcard.fill(|_| Ok(String::new())).is_err());
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, part) in [
            ("v1/x", "does not begin with `/`"),
            ("/v1/x y", "has no ` `"),
            ("/v1/x?y", "has no `?`"),
            ("/v1//x", "is empty"),
            ("/v1/x/", "is empty"),
            ("/v1/x:", "the verb after `:` is empty"),
            ("/v1/a:b/c", "can only end a path"),
            ("/v1/a:b:c", "one verb"),
            ("/v1/{a", "not closed"),
            ("/v1/a}", "closes nothing"),
            ("/v1/{a={b}}", "cannot hold another"),
            ("/v1/x{a}", "a variable is a whole segment"),
            ("/v1/a*", "a wildcard is a whole segment"),
            ("/v1/{}", "no path of fields"),
            ("/v1/{1a}", "no path of fields"),
            ("/v1/{a.}", "no path of fields"),
            ("/v1/{a=}", "is empty"),
            ("/v1/**/x", "rest of the path"),
            ("/v1/{a=**}/x", "rest of the path"),
            ("/v1/{a=**/x}", "rest of the path"),
            ("/v1/{a}/{a}", "stands twice"),
            ("/v1/é", "write %C3%A9"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
