//! The JSON paths of `json_extract`: `$.a.b[0]["c d"]`.

use serde_json::Value;

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

/// A path into a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// Reads a path; `None` when it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = if let Some(name) = rest.strip_prefix('.') {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let (name, behind) = name.split_at_checked(end)?;
                (Step::Member(name.to_owned()), behind)
            } else {
                let (inside, behind) = bracket(rest.strip_prefix('[')?)?;
                (inside, behind)
            };
            if step == Step::Member(String::new()) {
                return None;
            }
            steps.push(step);
            rest = behind;
        }
        Some(Self(steps))
    }

    /// Returns what stands there.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Element(number) => value.get(number),
        })
    }
}

/// Reads what is inside a bracket, and what is behind it.
fn bracket(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(name) = text.strip_prefix(quote) {
            let (name, behind) = name.split_once(quote)?;
            return Some((Step::Member(name.to_owned()), behind.strip_prefix(']')?));
        }
    }
    let (number, behind) = text.split_once(']')?;
    Some((Step::Element(number.parse().ok()?), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        let value = serde_json::json!({"a": {"b": [{"c d": 1}, 2]}, "e.f": 3, "g": "x"});
        let find = |path: &str| JsonPath::read(path).unwrap().find(&value).map(ToString::to_string);
        assert_eq!(find("$.a.b[0][\"c d\"]").as_deref(), Some("1"));
        assert_eq!(find("$['a']['b'][1]").as_deref(), Some("2"));
        assert_eq!(find("$[\"e.f\"]").as_deref(), Some("3"));
        assert_eq!(find("$.g").as_deref(), Some("\"x\""));
        assert_eq!(find("$.a.b[7]"), None);
        assert_eq!(find("$.nothing.at.all"), None);
        assert_eq!(find("$").as_deref(), Some(value.to_string().as_str()));
        for wrong in ["", "a.b", "$a", "$.", "$..a", "$[", "$[x]", "$['a'", "$.a["] {
            assert_eq!(JsonPath::read(wrong), None, "{wrong}");
        }
    }
}
