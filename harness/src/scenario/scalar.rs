//! What a plain scalar means (YAML 1.2 core schema, without the spellings on which YAML versions disagree), and where
//! the characters of a scalar stand in the file.

use super::source::{Lines, Span};
use saphyr_parser::ScalarStyle;

/// The meaning of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// In the range of i64 or u64.
    Int(i128),
    /// With a point or an exponent, `.inf`, `.nan`.
    Float(f64),
    /// Everything else.
    Str,
}

/// A sentence and its help.
type Refusal = (String, String);

/// Reads a plain scalar.
pub fn plain(text: &str) -> Result<Scalar, Refusal> {
    match text {
        "" | "null" | "~" => return Ok(Scalar::Null),
        "true" => return Ok(Scalar::Bool(true)),
        "false" => return Ok(Scalar::Bool(false)),
        ".inf" | "+.inf" => return Ok(Scalar::Float(f64::INFINITY)),
        "-.inf" => return Ok(Scalar::Float(f64::NEG_INFINITY)),
        ".nan" => return Ok(Scalar::Float(f64::NAN)),
        _ => {}
    }
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "yes" | "no" | "on" | "off" | "y" | "n" => {
            let truth = if matches!(lower.as_str(), "yes" | "on" | "y") {
                "true"
            } else {
                "false"
            };
            return Err((
                format!("`{text}` is a boolean in one YAML and a text in the other"),
                format!("write {truth}, or quote the text: \"{text}\""),
            ));
        }
        "true" | "false" | "null" | ".inf" | "+.inf" | "-.inf" | ".nan" => {
            let sentence = format!("`{text}` is written `{lower}`");
            return Err((sentence, format!("write {lower}, or quote the text: \"{text}\"")));
        }
        _ => {}
    }
    number(text)
}

/// Reads a plain key.
pub fn key(text: &str) -> Result<Scalar, Refusal> {
    let quote = || format!("quote the key: \"{text}\"");
    match plain_without_words(text) {
        Ok(Scalar::Str) => Ok(Scalar::Str),
        Ok(Scalar::Null) if text.is_empty() => Err((
            "a key is missing before the `:`".to_owned(),
            "write `key: value`".to_owned(),
        )),
        Ok(_) => Err((format!("a key must be text, `{text}` is not"), quote())),
        Err((sentence, _)) => Err((sentence, quote())),
    }
}

/// `y` and `on` are names of fields, too, and a key is always text.
fn plain_without_words(text: &str) -> Result<Scalar, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "no" | "on" | "off" | "y" | "n" => Ok(Scalar::Str),
        _ => plain(text),
    }
}

fn number(text: &str) -> Result<Scalar, Refusal> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Scalar::Str);
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let quoted = || format!("quote the text: \"{text}\"");
    let based = unsigned.get(..2).filter(|prefix| matches!(*prefix, "0x" | "0o" | "0b"));
    if based.is_some()
        && unsigned.len() > 2
        && unsigned[2..]
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'_')
    {
        return Err((
            format!("`{text}` is not a decimal number"),
            format!("write it in decimal, or {}", quoted()),
        ));
    }
    if unsigned.contains('_') && digits(&unsigned.replace('_', "")) {
        let bare = text.replace('_', "");
        return Err((
            format!("`{text}` is a number in one YAML and a text in the other"),
            format!("write {bare}, or {}", quoted()),
        ));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let well_formed = (whole.is_empty() || digits(whole))
        && fraction.is_none_or(|fraction| fraction.is_empty() || digits(fraction))
        && (!whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty()))
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !well_formed {
        return Ok(Scalar::Str);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        let bare = text.replacen(whole, whole.trim_start_matches('0'), 1);
        let bare = if bare.is_empty() || bare == "-" || bare == "+" {
            "0".to_owned()
        } else {
            bare
        };
        return Err((
            format!("`{text}` with its leading zero is octal in one YAML and decimal in the other"),
            format!("write {bare}, or {}", quoted()),
        ));
    }
    if fraction.is_some() || exponent.is_some() {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Scalar::Float(value)),
            _ => Err((
                format!("`{text}` does not fit into a double"),
                format!("write .inf, or {}", quoted()),
            )),
        };
    }
    match text.parse::<i128>() {
        Ok(value) if value >= i128::from(i64::MIN) && value <= i128::from(u64::MAX) => Ok(Scalar::Int(value)),
        _ => Err((format!("`{text}` does not fit into 64 bits"), quoted())),
    }
}

/// Where the bytes of a scalar's text stand in the file: one offset for each byte of the text, and one for its end.
///
/// Exact for all visible characters; blanks that YAML folds stand somewhere in the fold.
pub fn trail(lines: &Lines<'_>, span: Span, style: ScalarStyle, text: &str) -> Vec<usize> {
    let source = lines.text().get(..span.end).unwrap_or_default();
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let mut at = span.start + usize::from(quoted);
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for wanted in text.chars() {
        if !wanted.is_whitespace() {
            // Folds, indentation and escaped blanks that were not matched.
            while let Some((found, length)) = decoded(source, at, style) {
                if !found.is_whitespace() {
                    break;
                }
                at += length;
            }
        }
        offsets.extend(std::iter::repeat_n(at, wanted.len_utf8()));
        match decoded(source, at, style) {
            Some((found, length)) if found == wanted => at += length,
            _ => {}
        }
    }
    offsets.push(at);
    offsets
}

/// The character at a place of the file with its escape resolved, and how many bytes it takes.
fn decoded(source: &str, at: usize, style: ScalarStyle) -> Option<(char, usize)> {
    let rest = source.get(at..)?;
    let mut chars = rest.chars();
    let first = chars.next()?;
    match (style, first) {
        (ScalarStyle::SingleQuoted, '\'') if chars.next() == Some('\'') => Some(('\'', 2)),
        (ScalarStyle::DoubleQuoted, '\\') => {
            let escape = chars.next()?;
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let value = match escape {
                '0' => '\0',
                'a' => '\x07',
                'b' => '\x08',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\x0b',
                'f' => '\x0c',
                'r' => '\r',
                'e' => '\x1b',
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                'x' | 'u' | 'U' => {
                    let code = rest
                        .get(2..2 + digits)
                        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
                    code.and_then(char::from_u32).unwrap_or('\u{fffd}')
                }
                other => other,
            };
            Some((value, 1 + escape.len_utf8() + digits))
        }
        _ => Some((first, first.len_utf8())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_the_core_schema() {
        for (text, value) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("true", Scalar::Bool(true)),
            ("-3", Scalar::Int(-3)),
            ("+3", Scalar::Int(3)),
            ("0", Scalar::Int(0)),
            ("18446744073709551615", Scalar::Int(u64::MAX.into())),
            ("9.99", Scalar::Float(9.99)),
            (".5", Scalar::Float(0.5)),
            ("1e3", Scalar::Float(1000.0)),
            ("-.inf", Scalar::Float(f64::NEG_INFINITY)),
            ("1.2.3", Scalar::Str),
            ("12:30", Scalar::Str),
            ("500ms", Scalar::Str),
            ("-", Scalar::Str),
            (".", Scalar::Str),
            ("1e", Scalar::Str),
            ("0xg", Scalar::Str),
        ] {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn spellings_on_which_yaml_versions_disagree_are_refused() {
        for text in [
            "012", "-007", "00", "yes", "No", "ON", "y", "True", "NULL", "0x1F", "0o17", "1_000", "1e999", "01.5",
        ] {
            assert!(plain(text).is_err(), "{text}");
        }
        assert!(plain("18446744073709551616").unwrap_err().0.contains("64 bits"));
        assert!(plain("-007").unwrap_err().1.contains("write -7"));
    }

    #[test]
    fn keys_are_text() {
        assert_eq!(key("y"), Ok(Scalar::Str));
        for text in ["1", "true", "null", "", "012"] {
            assert!(key(text).is_err(), "{text}");
        }
    }

    fn check_trail(source: &str, style: ScalarStyle, text: &str) {
        let lines = Lines::new(source);
        let offsets = trail(&lines, lines.span(0..source.len()), style, text);
        assert_eq!(offsets.len(), text.len() + 1);
        for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            assert_eq!(decoded(source, offsets[at], style).unwrap().0, c, "{source:?} at {at}");
        }
    }

    #[test]
    fn the_trail_leads_through_escapes_folds_and_indentation() {
        check_trail("ab cd", ScalarStyle::Plain, "ab cd");
        check_trail("ab\n   cd\n\n  e", ScalarStyle::Plain, "ab cd\ne");
        check_trail("'it''s é'", ScalarStyle::SingleQuoted, "it's é");
        check_trail(
            r#""a\"b\u00e9\n\
   c""#,
            ScalarStyle::DoubleQuoted,
            "a\"bé\nc",
        );
        check_trail("ab\n    cd\n", ScalarStyle::Literal, "ab\ncd\n");
    }
}
