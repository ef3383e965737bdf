//! Tags as labels: a text `key=value` for each.

use crate::ingest::json::{Item, Kind};

/// Takes the tags at a path, an object of texts or a list of objects with a key and a value. A key with an equals
/// sign in it could not be told from its value, so then all stay where they are.
pub fn take_labels(item: Item<'_>, path: &str) -> Vec<String> {
    let Some(tags) = item.get(path) else { return Vec::new() };
    let labels = labels_of(tags);
    if !labels.is_empty() {
        tags.take();
    }
    labels
}

/// Returns tags as labels, all of them or none.
pub fn labels_of(tags: Item<'_>) -> Vec<String> {
    let labels: Option<Vec<String>> = match tags.kind() {
        Kind::Object => tags.children().map(member).collect(),
        Kind::Array => tags.elements().map(pair).collect(),
        _ => None,
    };
    labels.unwrap_or_default()
}

fn member(tag: Item<'_>) -> Option<String> {
    let key = tag.key().filter(|key| key.kind == Kind::Plain)?.of(tag.text_around());
    label(key, &tag.text()?)
}

/// A tag of a list, in which nothing else may stand.
fn pair(tag: Item<'_>) -> Option<String> {
    let part = |names: [&str; 2]| names.into_iter().find_map(|name| tag.member(name)).and_then(Item::text);
    let label = label(&part(["key", "name"])?, &part(["value", "value"])?)?;
    (tag.children().count() == 2).then_some(label)
}

fn label(key: &str, value: &str) -> Option<String> {
    (!key.contains('=')).then(|| format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::json::Document;

    fn check(json: &str, expected: &[&str]) {
        let text = format!("{{\"tags\":{json}}}");
        let document = Document::read(&text, 0).unwrap();
        assert_eq!(take_labels(document.root(), "Tags"), expected, "{json}");
        assert_eq!(document.root().is_touched(), !expected.is_empty(), "{json}");
    }

    #[test]
    fn takes_tags_of_either_form_whole_or_not_at_all() {
        check(r#"{"a":"1","b":"x=y"}"#, &["a=1", "b=x=y"]);
        check(r#"[{"key":"a","value":"1"},{"name":"b","value":""}]"#, &["a=1", "b="]);
        check(r#"{"a=b":"1"}"#, &[]);
        check(r#"{"a":1}"#, &[]);
        check(r#"[{"key":"a","value":"1","more":true}]"#, &[]);
        check("7", &[]);
    }
}
