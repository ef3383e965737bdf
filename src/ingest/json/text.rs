//! What is done with the JSON text of a value: taking escapes and white space out, finding a member.

use std::borrow::Cow;

use super::scan::{Scanner, Span, Stop};

/// Takes the escapes out of a string's text. `None` when it has half a surrogate pair, which no UTF-8 can say.
pub fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        let escape = chars.next()?;
        rest = chars.as_str();
        out.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, left) = unicode(rest)?;
                rest = left;
                character
            }
            other => other,
        });
    }
    out.push_str(rest);
    Some(out)
}

fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let (first, rest) = (unit(text)?, text.get(4..)?);
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let rest = rest.strip_prefix("\\u")?;
    let second = unit(rest)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Some((char::from_u32(code)?, rest.get(4..)?))
}

/// Takes the white space between tokens out of JSON text, when it is printed over several lines.
pub fn compact(json: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\n', json.as_bytes()).is_none() {
        return Cow::Borrowed(json);
    }
    let (mut in_string, mut is_escaped) = (false, false);
    let kept = json.chars().filter(|character| {
        if !in_string && character.is_ascii_whitespace() {
            return false;
        }
        // A backslash stands in strings only, so the character behind it is in one, too.
        in_string ^= *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        true
    });
    Cow::Owned(kept.collect())
}

/// Says whether a text is one whole JSON value, as `unmapped` needs to know.
pub fn is_json(text: &str) -> bool {
    let starts = text.as_bytes().first().is_some_and(|byte| {
        matches!(
            byte,
            b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b' ' | b'0'..=b'9' | b'\t' | b'\n' | b'\r'
        )
    });
    starts && {
        // A number is known to end only by what follows it.
        let ended = format!("{text}\n");
        let mut scanner = Scanner::new(ended.as_bytes(), 0);
        scanner.value().is_ok() && scanner.peek() == Err(Stop::Incomplete)
    }
}

/// Finds the value at a path of keys inside JSON text. The first key of a name wins.
pub fn find<'a>(text: &'a str, path: &[&str]) -> Option<(Span, &'a str)> {
    let mut scanner = Scanner::new(text.as_bytes(), 0);
    let mut path = path.iter();
    let mut wanted = path.next()?;
    scanner.expect(b'{', "no object").ok()?;
    let mut first = true;
    while let Some(key) = scanner.member(&mut first).ok()? {
        if key.of(text) != *wanted {
            scanner.value().ok()?;
            continue;
        }
        match path.next() {
            None => return scanner.value().ok().map(|span| (span, text)),
            Some(next) => {
                wanted = next;
                scanner.expect(b'{', "no object").ok()?;
                first = true;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_text_is_the_same_value() {
        let text = "{\n \"a b\" : [ \"x\\\" \\\\\", 1 ],\n \"c\": { }\n}";
        assert_eq!(compact(text), r#"{"a b":["x\" \\",1],"c":{}}"#);
        assert!(matches!(compact("{ \"a\": 1 }"), Cow::Borrowed(_)));
    }

    #[test]
    fn finds_values_by_path() {
        let text = r#"{"a":{"b":1,"c":"x"},"c":[]}"#;
        assert_eq!(find(text, &["a", "c"]).map(|(span, text)| span.of(text)), Some("x"));
        assert_eq!(find(text, &["c"]).map(|(span, text)| span.json(text)), Some("[]"));
        assert_eq!(find(text, &["a", "d"]), None);
        assert_eq!(find(text, &["c", "d"]), None);
    }

    #[test]
    fn unescape_knows_pairs_and_refuses_halves() {
        assert_eq!(unescape(r#"a\"\\\/\n\u00e9\ud83d\ude00"#).as_deref(), Some("a\"\\/\n\u{e9}\u{1f600}"));
        assert_eq!(unescape(r"\ud83d"), None);
        assert_eq!(unescape(r"\ude00"), None);
    }
}
