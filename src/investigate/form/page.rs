//! A writer of HTML and SVG that cannot forget to escape.
//!
//! Takes names of elements and attributes as constants of the program, and everything else as text. Promises:
//! - text and values of attributes are escaped, whoever wrote them, and hidden characters are shown as `\u{…}`;
//! - what was opened is closed, since an element is a call with its content as a closure;
//! - only [`Page::constant`] writes as it is, and takes nothing that was made at run time.

use crate::query::format::text::visible;

/// The value of an attribute.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A constant of the program.
    Is(&'static str),
    /// Text, made harmless when it is written.
    Text(String),
    /// A number of pixels.
    Px(u32),
    /// Thousandths of the width, written as a per cent.
    Permille(u32),
}

/// HTML under way.
#[derive(Debug, Default)]
pub(super) struct Page {
    html: String,
}

impl Page {
    /// Writes a constant as it is.
    pub(super) fn constant(&mut self, html: &'static str) {
        self.html.push_str(html);
    }

    /// Writes text.
    pub(super) fn text(&mut self, text: &str) {
        self.html.push_str(&escaped(text));
    }

    /// Writes an element with attributes and its content.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, Value)],
        content: impl FnOnce(&mut Self),
    ) {
        self.html.push('<');
        self.html.push_str(name);
        for (attribute, value) in attributes {
            self.html.push(' ');
            self.html.push_str(attribute);
            self.html.push_str("=\"");
            match value {
                Value::Is(constant) => self.html.push_str(constant),
                Value::Text(text) => self.html.push_str(&escaped(text)),
                Value::Px(number) => self.html.push_str(&number.to_string()),
                Value::Permille(number) => {
                    self.html.push_str(&format!("{}.{}%", number / 10, number % 10));
                }
            }
            self.html.push('"');
        }
        self.html.push('>');
        content(self);
        self.html.push_str("</");
        self.html.push_str(name);
        self.html.push('>');
    }

    /// Writes an element that holds nothing but text.
    pub(super) fn tagged(&mut self, name: &'static str, class: &'static str, text: &str) {
        if class.is_empty() {
            self.element(name, &[], |page| page.text(text));
        } else {
            self.element(name, &[("class", Value::Is(class))], |page| page.text(text));
        }
    }

    /// Returns what was written.
    pub(super) fn into_html(self) -> String {
        self.html
    }
}

fn escaped(text: &str) -> String {
    let text = visible(text);
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_wherever_it_stands() {
        let hostile = "\"'><img src=x onerror=1>&\u{202e}\u{1b}[2J";
        let mut page = Page::default();
        page.element("p", &[("title", Value::Text(hostile.to_owned()))], |page| page.text(hostile));
        let harmless = "&quot;&#39;&gt;&lt;img src=x onerror=1&gt;&amp;\\u{202e}\\u{1b}[2J";
        assert_eq!(page.into_html(), format!("<p title=\"{harmless}\">{harmless}</p>"));
    }
}
