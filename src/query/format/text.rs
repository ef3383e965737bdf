//! Makes text of a log safe to look at.
//!
//! Whoever can call an API writes into the log: user agents, names, error
//! messages. What would move the cursor, recolour the screen, reverse the
//! reading order or hide is shown as `\u{..}` instead.

use std::borrow::Cow;
use std::fmt::Write;

/// Says whether a character does something other than show itself.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{61c}' | '\u{200e}' | '\u{200f}' // direction marks
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction overrides, isolates
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' // invisible
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns the text with every hidden character written as `\u{..}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Returns JSON text with every hidden character inside its strings as `\uXXXX`.
///
/// Outside of strings JSON has none but white space, which the writer does not use.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_hidden) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if !is_hidden(c) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _infallible = write!(shown, "\\u{unit:04x}");
        }
    }
    Cow::Owned(shown)
}

/// Returns how many columns of a terminal a visible text takes: two for the wide
/// letters of East Asia and for emoji, none for combining marks, one for the rest.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

pub(crate) fn char_columns(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Cuts to the columns of a terminal.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let needed = columns(c.encode_utf8(&mut [0; 4]));
        if needed > room {
            break;
        }
        room -= needed;
        fitted.push(c);
    }
    fitted.push('…');
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_would_act() {
        let check = |text, expected: &str| assert_eq!(visible(text), expected);
        check("plain 足跡", "plain 足跡");
        check("\u{1b}[31mred", "\\u{1b}[31mred");
        check("a\u{202e}b\u{9b}c\r\n", "a\\u{202e}b\\u{9b}c\\u{d}\\u{a}");
        assert_eq!(visible_json("\"\u{9b}\u{e0041}\""), "\"\\u009b\\udb40\\udc41\"");
    }
}
