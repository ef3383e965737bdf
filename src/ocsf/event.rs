//! An OCSF event under way: attributes by path, before they become a row.
//!
//! For sources of few and varied records, whose attributes lie deep in lists.
//! Takes values under OCSF paths and gives a tree that [`super::columns`] writes
//! as one row. Nothing is set where there is no value, so no attribute is empty.

use std::borrow::Cow;

use super::class::Class;

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text; of a decimal its digits.
    Text(String),
    /// A number of 32 or 64 bits, or epoch milliseconds.
    Integer(i64),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Object),
}

/// An OCSF object: attributes in the order they were set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    attributes: Vec<(Cow<'static, str>, Value)>,
}

impl Object {
    /// Says whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Returns the attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.attributes.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Returns the attribute at a dotted path; lists are not looked into.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let value = self.attributes().find(|(other, _)| *other == name)?.1;
        match (rest, value) {
            (None, _) => Some(value),
            (Some(rest), Value::Object(object)) => object.get(rest),
            _ => None,
        }
    }

    /// Sets the attribute at a dotted path, replacing what stood there.
    pub fn set(&mut self, path: &'static str, value: Value) {
        match path.split_once('.') {
            None => self.put(Cow::Borrowed(path), value),
            Some((name, rest)) => {
                let found = self.attributes.iter().position(|(other, _)| other == name);
                let at = found.unwrap_or_else(|| {
                    self.attributes.push((Cow::Borrowed(name), Value::Object(Self::default())));
                    self.attributes.len() - 1
                });
                if let Some((_, slot)) = self.attributes.get_mut(at) {
                    if !matches!(slot, Value::Object(_)) {
                        *slot = Value::Object(Self::default());
                    }
                    if let Value::Object(object) = slot {
                        object.set(rest, value);
                    }
                }
            }
        }
    }

    /// Sets an attribute of this object by a name that is no path.
    pub fn put(&mut self, name: Cow<'static, str>, value: Value) {
        match self.attributes.iter_mut().find(|(other, _)| *other == name) {
            Some((_, slot)) => *slot = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// Sets a text, if there is one.
    pub fn text<'a>(&mut self, path: &'static str, value: impl Into<Option<Cow<'a, str>>>) {
        if let Some(text) = value.into() {
            self.set(path, Value::Text(text.into_owned()));
        }
    }

    /// Sets a text of ours.
    pub fn constant(&mut self, path: &'static str, value: &str) {
        self.set(path, Value::Text(value.to_owned()));
    }

    /// Sets a number or a time in epoch milliseconds, if there is one.
    pub fn integer(&mut self, path: &'static str, value: impl Into<Option<i64>>) {
        if let Some(value) = value.into() {
            self.set(path, Value::Integer(value));
        }
    }

    /// Sets a truth, if there is one.
    pub fn flag(&mut self, path: &'static str, value: impl Into<Option<bool>>) {
        if let Some(value) = value.into() {
            self.set(path, Value::Flag(value));
        }
    }

    /// Sets a list of texts, if there are any.
    pub fn texts(&mut self, path: &'static str, values: Vec<String>) {
        if !values.is_empty() {
            self.set(path, Value::List(values.into_iter().map(Value::Text).collect()));
        }
    }

    /// Sets a list of objects, leaving out empty ones, if there are any.
    pub fn objects(&mut self, path: &'static str, values: Vec<Self>) {
        let full = values.into_iter().filter(|object| !object.is_empty());
        let list: Vec<Value> = full.map(Value::Object).collect();
        if !list.is_empty() {
            self.set(path, Value::List(list));
        }
    }

    /// Sets class, category, activity and type. `other` is the caption of activity 99.
    pub fn class(&mut self, class: Class, activity_id: i32, other: &str) {
        self.integer("class_uid", i64::from(class.uid()));
        self.constant("class_name", class.name());
        self.integer("category_uid", i64::from(class.category().0));
        self.constant("category_name", class.category().1);
        self.integer("activity_id", i64::from(activity_id));
        self.constant("activity_name", class.activity(activity_id).unwrap_or(other));
        self.integer("type_uid", class.type_uid(activity_id));
        self.constant("type_name", class.type_name(activity_id));
    }

    /// Adds an observable: the attribute it is the value of, the value, and what OCSF calls its type.
    pub fn observable(&mut self, name: &str, value: &str, (kind, kind_id): (&str, i64)) {
        let mut observable = Self::default();
        observable.constant("name", name);
        observable.constant("value", value);
        observable.constant("type", kind);
        observable.integer("type_id", kind_id);
        let found = self.attributes.iter_mut().find(|(name, _)| name == "observables");
        match found {
            Some((_, Value::List(list))) => list.push(Value::Object(observable)),
            _ => self.set("observables", Value::List(vec![Value::Object(observable)])),
        }
    }
}

/// Reads a decimal number that fits exactly into so many digits, as a multiple of its last place.
pub fn decimal(digits: &str, precision: u8, scale: i8) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(scale).ok()?;
    let kept = fraction.trim_end_matches('0');
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !is_number(unsigned) || !is_number(fraction) || kept.len() > scale {
        return None;
    }
    let number: i128 = format!("{whole}{kept:0<scale$}").parse().ok()?;
    (number.unsigned_abs() < 10_u128.pow(u32::from(precision))).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let check = |digits, expected| assert_eq!(decimal(digits, 3, 1), expected, "{digits}");
        check("9.8", Some(98));
        check("10", Some(100));
        check("-0.50", Some(-5));
        check("7.55", None);
        check("100.0", None);
        check("1e1", None);
        check("", None);
        check(".5", None);
    }

    #[test]
    fn sets_by_path_and_leaves_out_what_is_not_there() {
        let mut event = Object::default();
        event.text("a.b", Some(Cow::Borrowed("x")));
        event.text("a.c", None);
        event.integer("a.d.e", 1);
        event.objects("list", vec![Object::default()]);
        assert_eq!(event.get("a.b"), Some(&Value::Text("x".to_owned())));
        assert_eq!(event.get("a.d.e"), Some(&Value::Integer(1)));
        assert_eq!((event.get("a.c"), event.get("list"), event.get("a.b.c")), (None, None, None));
    }
}
