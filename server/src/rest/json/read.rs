//! Messages that come in.

use crate::inventory::brief;
use inventory_contract::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, UpdateStockRequest, WatchStockRequest,
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Unexpected, Visitor};
use std::{fmt, marker::PhantomData};

/// A message that comes in, as JSON or as query parameters.
pub trait Request: Default {
    /// The names of its fields, in the contract and in JSON.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// Reads the value of the field at this index of `FIELDS`.
    fn read<'de, A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error>;

    /// Sets the field at this index of `FIELDS` from the text of a query parameter; what it should have been if it is none.
    fn set(&mut self, field: usize, text: &str) -> Result<(), &'static str>;

    /// The index of the field that has this name in the contract or in JSON.
    fn field(name: &str) -> Option<usize> {
        Self::FIELDS
            .iter()
            .position(|(proto, json)| name == *json || name == *proto)
    }
}

macro_rules! requests {
    ($($message:ident { $($field:ident $json:literal)* })*) => {$(
        impl Request for $message {
            const FIELDS: &'static [(&'static str, &'static str)] = &[$((stringify!($field), $json)),*];

            fn read<'de, A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
                let mut slots = 0..;
                $(if slots.next() == Some(field) {
                    self.$field = map.next_value_seed(Value(PhantomData))?;
                })*
                Ok(())
            }

            fn set(&mut self, field: usize, text: &str) -> Result<(), &'static str> {
                let mut slots = 0..;
                $(if slots.next() == Some(field) {
                    self.$field = parameter(text)?;
                })*
                Ok(())
            }
        }
    )*};
}

requests! {
    GetProductRequest { id "id" }
    ListProductsRequest { category "category" page "page" page_size "pageSize" in_stock_only "inStockOnly" }
    CreateProductRequest {
        name "name" sku "sku" category "category" price "price" stock_quantity "stockQuantity" description "description"
    }
    UpdateStockRequest { id "id" quantity_change "quantityChange" reason "reason" }
    WatchStockRequest { category "category" threshold "threshold" }
}

/// The type of a field, to read it. Each function gives none for what is no value of the type.
trait Scalar: Default {
    /// What is wanted, for errors.
    const WANTED: &'static str;

    fn of_bool(_: bool) -> Option<Self> {
        None
    }

    fn of_integer(_: i64) -> Option<Self> {
        None
    }

    fn of_float(_: f64) -> Option<Self> {
        None
    }

    fn of_text(text: &str) -> Option<Self>;

    fn of_parameter(text: &str) -> Option<Self> {
        Self::of_text(text)
    }
}

impl Scalar for String {
    const WANTED: &'static str = "a string";

    fn of_text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl Scalar for i32 {
    const WANTED: &'static str = "an integer from -2147483648 to 2147483647";

    fn of_integer(number: i64) -> Option<i32> {
        i32::try_from(number).ok()
    }

    fn of_float(number: f64) -> Option<i32> {
        let whole = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
        whole.then_some(number as i32)
    }

    fn of_text(text: &str) -> Option<i32> {
        quoted(text)
    }
}

impl Scalar for f64 {
    const WANTED: &'static str = "a number, \"NaN\", \"Infinity\" or \"-Infinity\"";

    fn of_integer(number: i64) -> Option<f64> {
        Some(number as f64)
    }

    fn of_float(number: f64) -> Option<f64> {
        Some(number)
    }

    fn of_text(text: &str) -> Option<f64> {
        match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => quoted(text),
        }
    }
}

impl Scalar for bool {
    const WANTED: &'static str = "true or false";

    fn of_bool(value: bool) -> Option<bool> {
        Some(value)
    }

    fn of_text(_: &str) -> Option<bool> {
        None
    }

    fn of_parameter(text: &str) -> Option<bool> {
        match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// A JSON number that stands in quotes or in a query.
fn quoted<T: Scalar>(text: &str) -> Option<T> {
    let first = *text.as_bytes().first()?;
    let last = *text.as_bytes().last()?;
    // The reader below would also take strings and white space.
    if !(first == b'-' || first.is_ascii_digit()) || !last.is_ascii_digit() {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let number = Value::<T>(PhantomData).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(number)
}

fn parameter<T: Scalar>(text: &str) -> Result<T, &'static str> {
    T::of_parameter(text).ok_or(T::WANTED)
}

/// Reads one value.
struct Value<T>(PhantomData<T>);

impl<'de, T: Scalar> DeserializeSeed<'de> for Value<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: Scalar> Visitor<'_> for Value<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<T, E> {
        T::of_bool(value).ok_or_else(|| E::invalid_type(Unexpected::Bool(value), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        T::of_integer(number).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        let value = match i64::try_from(number) {
            Ok(number) => T::of_integer(number),
            // Too large for any integer of the contract.
            Err(_) => T::of_float(number as f64),
        };
        value.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        T::of_float(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        T::of_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(brief(text)), &self))
    }
}

/// JSON that is no message: where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field, as the contract or the caller calls it, where it is known.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// From 1.
    pub line: usize,
    /// In bytes, from 1; 0 where the line has no byte yet.
    pub column: usize,
}

impl Malformed {
    fn new(error: &serde_json::Error, field: Option<String>) -> Malformed {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        Malformed {
            field,
            problem: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
            line,
            column,
        }
    }
}

/// The message that a JSON text is.
pub fn message<M: Request>(text: &[u8]) -> Result<M, Malformed> {
    let mut wrong = None;
    let mut json = serde_json::Deserializer::from_slice(text);
    let message = Message {
        wrong: &mut wrong,
        message: PhantomData,
    };
    let read = message.deserialize(&mut json);
    let read = read.and_then(|message| json.end().map(|()| message));
    read.map_err(|error| Malformed::new(&error, wrong))
}

/// Reads a message, and says which field was wrong.
struct Message<'a, M> {
    wrong: &'a mut Option<String>,
    message: PhantomData<M>,
}

impl<'de, M: Request> DeserializeSeed<'de> for Message<'_, M> {
    type Value = M;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<M, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, M: Request> Visitor<'de> for Message<'_, M> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let mut message = M::default();
        let mut seen = 0_u32;
        while let Some(field) = map.next_key_seed(Name::<M> {
            wrong: &mut *self.wrong,
            message: PhantomData,
        })? {
            let (name, json) = M::FIELDS[field];
            let read = if seen & (1 << field) == 0 {
                message.read(field, &mut map)
            } else {
                Err(A::Error::custom(format_args!("the field `{json}` is there twice")))
            };
            if let Err(error) = read {
                *self.wrong = Some(name.to_owned());
                return Err(error);
            }
            seen |= 1 << field;
        }
        Ok(message)
    }
}

/// Reads the name of a field.
struct Name<'a, M> {
    wrong: &'a mut Option<String>,
    message: PhantomData<M>,
}

impl<'de, M: Request> DeserializeSeed<'de> for Name<'_, M> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<M: Request> Visitor<'_> for Name<'_, M> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        M::field(name).ok_or_else(|| {
            *self.wrong = Some(brief(name).to_owned());
            E::custom(format_args!(
                "unknown field `{}`, expected one of {}",
                brief(name),
                names::<M>()
            ))
        })
    }
}

/// The names of the fields of a message in JSON, for errors.
pub fn names<M: Request>() -> String {
    let names: Vec<&str> = M::FIELDS.iter().map(|(_, json)| *json).collect();
    names.join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::tests::fields, *};

    fn draft(json: &str) -> Result<CreateProductRequest, Malformed> {
        message(json.as_bytes())
    }

    #[test]
    fn requests_have_the_fields_of_the_contract() {
        fn check<M: Request>(name: &str) {
            let here: Vec<(String, String)> = M::FIELDS
                .iter()
                .map(|(proto, json)| ((*proto).to_owned(), (*json).to_owned()))
                .collect();
            assert_eq!(here, fields(name), "{name}");
        }
        check::<GetProductRequest>("GetProductRequest");
        check::<ListProductsRequest>("ListProductsRequest");
        check::<CreateProductRequest>("CreateProductRequest");
        check::<UpdateStockRequest>("UpdateStockRequest");
        check::<WatchStockRequest>("WatchStockRequest");
    }

    #[test]
    fn doubles_come_in_exactly_in_every_form() {
        for (json, price) in [
            ("0.1", 0.1),
            ("1e-7", 1e-7),
            ("5", 5.0),
            ("-0", 0.0),
            ("\"1.5e3\"", 1500.0),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            // Where a quick reader is off by one bit.
            ("122.41629403378658500", 122.416_294_033_786_58),
            ("4.35679e-317", 4.35679e-317),
            ("\"Infinity\"", f64::INFINITY),
            ("\"-Infinity\"", f64::NEG_INFINITY),
            ("null", 0.0),
        ] {
            assert_eq!(draft(&format!("{{\"price\": {json}}}")).unwrap().price, price, "{json}");
        }
        assert!(draft("{\"price\": \"NaN\"}").unwrap().price.is_nan());
        for json in [
            "\"nan\"",
            "\"inf\"",
            "\"\"",
            "\" 1\"",
            "\"1 \"",
            "\"0x1\"",
            "\"1_0\"",
            "1e999",
            "\"1e999\"",
            "true",
            "[]",
        ] {
            let wrong = draft(&format!("{{\"price\": {json}}}")).unwrap_err();
            assert_eq!(wrong.field.as_deref(), Some("price"), "{json}");
        }
    }

    #[test]
    fn integers_come_in_whole_and_in_range_in_every_form() {
        for (json, stock) in [
            ("2147483647", i32::MAX),
            ("-2147483648", i32::MIN),
            ("5.0", 5),
            ("1e2", 100),
            ("\"7\"", 7),
            ("\"-2.5e1\"", -25),
            ("-0", 0),
            ("null", 0),
        ] {
            for name in ["stockQuantity", "stock_quantity"] {
                assert_eq!(
                    draft(&format!("{{\"{name}\": {json}}}")).unwrap().stock_quantity,
                    stock,
                    "{json}"
                );
            }
        }
        for json in [
            "2147483648",
            "-2147483649",
            "1e10",
            "18446744073709551615",
            "0.5",
            "\"\"",
            "\"+1\"",
            "\"01\"",
            "\"\\\"1\\\"\"",
            "false",
            "{}",
        ] {
            let wrong = draft(&format!("{{\"stockQuantity\": {json}}}")).unwrap_err();
            assert_eq!(wrong.field.as_deref(), Some("stock_quantity"), "{json}");
        }
    }

    #[test]
    fn a_long_text_is_not_repeated_in_an_error() {
        let long = "x".repeat(1000);
        for json in [format!("{{\"price\": \"{long}\"}}"), format!("{{\"{long}\": 1}}")] {
            let wrong = draft(&json).unwrap_err();
            assert!(
                wrong.problem.len() < 400 && wrong.field.unwrap().len() < 200,
                "{}",
                wrong.problem
            );
        }
    }
}
