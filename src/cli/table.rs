//! Prints small tables and names that strangers may have written.

use std::io::Write;

use crate::query::format::text::visible;

/// Returns text that is safe on a terminal, line by line.
pub(crate) fn printable(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Returns the name of something as one line that is safe on a terminal: what it says cannot look like ours.
pub(crate) fn name(text: &str) -> String {
    visible(text).into_owned()
}

/// Prints rows below their headings, numbers to the right.
pub(crate) fn print(out: &mut dyn Write, headings: &[&str], rows: &[Vec<String>]) -> std::io::Result<()> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell).replace('\n', " ")).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.chars().count())).max().unwrap_or(0)
    };
    let is_number = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .all(|cell| cell.starts_with(|first: char| first.is_ascii_digit()))
    };
    // Once a column: a table may have a hundred thousand rows.
    let columns: Vec<(usize, bool)> =
        (0..headings.len()).map(|column| (width(column), is_number(column))).collect();
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (number, (cell, (width, is_number))) in cells.iter().zip(&columns).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            line.push_str(if number > 0 { "  " } else { "" });
            line.push_str(&if *is_number { pad + cell } else { format!("{cell}{pad}") });
        }
        line.trim_end().to_owned()
    };
    let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
    writeln!(out, "{}", line(&headings))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}

/// Says a number of bytes as people do.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
    let count = count as f64;
    match count {
        count if count >= 1e9 => format!("{:.2} GB", count / 1e9),
        count if count >= 1e6 => format!("{:.1} MB", count / 1e6),
        count if count >= 1e3 => format!("{:.1} kB", count / 1e3),
        count => format!("{count} B"),
    }
}

/// Says a moment in epoch milliseconds, to the second.
pub(crate) fn moment(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms)
        .map_or_else(|_| time_ms.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c\td"), "a\\u{1b}[31mb\\u{202e}c\\u{9}d");
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let mut out = Vec::new();
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "200".to_owned()]];
        print(&mut out, &["name", "count"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name  count\na         1\nbcd     200\n");
    }
}
