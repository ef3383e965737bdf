//! Takes numbers that come as another type than their column's.

use crate::ingest::json::{Item, Kind};
use crate::ingest::source::time::plain_number;
use crate::ocsf::event::decimal;

/// Takes a whole number that is written as text, for a column of 32 bits.
pub fn take_int_of_text(item: Item<'_>, path: &str) -> Option<i64> {
    let found = item.get(path)?;
    let number = plain_number(&found.text()?).filter(|number| i32::try_from(*number).is_ok())?;
    found.take();
    Some(number)
}

/// Takes a number for a column of text.
pub fn take_text_of_number(item: Item<'_>, path: &str) -> Option<String> {
    let found = item.get(path).filter(|found| found.kind() == Kind::Number)?;
    found.take();
    Some(found.json().to_owned())
}

/// Takes a number for a column of so many decimal digits. One that does not fit is rounded and stays where it is.
pub fn take_decimal(item: Item<'_>, path: &str, (precision, scale): (u8, i8)) -> Option<String> {
    let found = item.get(path).filter(|found| found.kind() == Kind::Number)?;
    if decimal(found.json(), precision, scale).is_some() {
        found.take();
        return Some(found.json().to_owned());
    }
    let places = usize::try_from(scale).ok()?;
    let rounded = format!("{:.places$}", found.json().parse::<f64>().ok()?);
    decimal(&rounded, precision, scale).is_some().then_some(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::json::Document;

    fn check<T: std::fmt::Debug + PartialEq>(
        json: &str,
        take: impl Fn(Item<'_>) -> Option<T>,
        expected: &Option<T>,
        is_taken: bool,
    ) {
        let text = format!("{{\"n\":{json}}}");
        let document = Document::read(&text, 0).unwrap();
        assert_eq!(&take(document.root()), expected, "{json}");
        assert_eq!(document.root().is_touched(), is_taken, "{json}");
    }

    #[test]
    fn takes_what_a_column_tells_back_and_nothing_else() {
        check("\"7\"", |item| take_int_of_text(item, "n"), &Some(7), true);
        check("\"07\"", |item| take_int_of_text(item, "n"), &None, false);
        check("0.5", |item| take_text_of_number(item, "n"), &Some("0.5".to_owned()), true);
    }

    #[test]
    fn rounds_what_has_too_many_digits_and_leaves_it() {
        check("9.8", |item| take_decimal(item, "n", (3, 1)), &Some("9.8".to_owned()), true);
        check("4.69999980", |item| take_decimal(item, "n", (3, 1)), &Some("4.7".to_owned()), false);
        check("1e9", |item| take_decimal(item, "n", (3, 1)), &None, false);
        check("-90.738412345", |item| take_decimal(item, "n", (9, 6)), &Some("-90.738412".to_owned()), false);
    }
}
