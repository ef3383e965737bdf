use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::Int32Type;
use expect_test::{Expect, expect};

use super::*;

/// What an attacker writes into a user agent.
const HOSTILE: [&str; 6] = [
    "\u{1b}[2J\u{9b}31m\u{202e}evil",
    "=HYPERLINK(\"http://x\",\"y\")",
    "a,b\r\n\"c\"",
    "<img src=x onerror=alert(1)> | [click](javascript:x) ![](http://x/y)",
    "",
    "-1+cmd",
];

fn batch() -> RecordBatch {
    let lists = (0..6).map(|n| (n != 2).then(|| vec![Some(n), None]));
    let times = TimestampMillisecondArray::from(vec![Some(1_735_689_600_123), None, None, None, None, None]);
    RecordBatch::try_from_iter([
        ("text", Arc::new(StringArray::from(HOSTILE.to_vec())) as ArrayRef),
        (
            "n",
            Arc::new(Int64Array::from(vec![
                Some(-1),
                None,
                Some(30),
                Some(4),
                Some(5),
                Some(6),
            ])),
        ),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ),
        ("at", Arc::new(times.with_timezone("UTC"))),
    ])
    .unwrap()
}

fn written(format: Format, screen: Screen, batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    let mut writer = RowWriter::text(format, batch.schema_ref(), screen, &mut out).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn check(format: Format, screen: Screen, expected: &Expect) {
    let text = written(format, screen, &batch());
    if format != Format::Csv {
        let acts = |c: char| c != '\n' && text::is_hidden(c);
        assert_eq!(text.chars().find(|c| acts(*c)), None, "{format:?}");
    }
    expected.assert_eq(&text.replace('\r', "␍"));
}

#[test]
fn table_shows_hostile_text_and_fits_the_screen() {
    check(Format::Table, Screen::Terminal { width: 72 }, &expect![[""]]);
    check(Format::Table, Screen::Terminal { width: 20 }, &expect![[""]]);
}

#[test]
fn table_cuts_nothing_in_a_pipe() {
    check(Format::Table, Screen::None, &expect![[""]]);
}

#[test]
fn csv_defuses_formulas_of_text_and_leaves_numbers() {
    check(Format::Csv, Screen::None, &expect![[""]]);
    let on_screen = written(Format::Csv, Screen::Terminal { width: 80 }, &batch());
    assert!(!on_screen.contains('\u{1b}'));
}

#[test]
fn json_escapes_what_would_act() {
    check(Format::Json, Screen::None, &expect![[""]]);
    let lines = written(Format::Jsonl, Screen::None, &batch());
    for (line, hostile) in lines.lines().zip(HOSTILE) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["text"], hostile);
    }
    let whole: serde_json::Value =
        serde_json::from_str(&written(Format::Json, Screen::None, &batch())).unwrap();
    assert_eq!(whole.as_array().unwrap().len(), HOSTILE.len());
}

#[test]
fn an_empty_answer_is_still_whole() {
    let empty = batch().slice(0, 0);
    assert_eq!(written(Format::Json, Screen::None, &empty), "[]\n");
    assert_eq!(written(Format::Jsonl, Screen::None, &empty), "");
    assert_eq!(written(Format::Csv, Screen::None, &empty), "text,n,list,at\r\n");
    expect![[""]].assert_eq(&written(Format::Table, Screen::None, &empty));
}

#[test]
fn markdown_renders_text_and_nothing_else() {
    check(Format::Markdown, Screen::None, &expect![[""]]);
}

#[test]
fn rows_past_the_sized_ones_keep_the_columns() {
    let mut texts = vec!["short"; table::SIZED_ROWS];
    texts.push("a value longer than all before");
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(StringArray::from(texts)) as ArrayRef),
        ("b", Arc::new(StringArray::from(vec!["x"; table::SIZED_ROWS + 1]))),
    ])
    .unwrap();
    let text = written(Format::Table, Screen::Terminal { width: 80 }, &batch);
    let last: Vec<_> = text.lines().rev().take(3).collect();
    assert_eq!(last, ["(1001 rows)", "a va…  x", "short  x"]);
}

#[test]
fn a_name_that_stands_twice_is_numbered() {
    let field = |name: &str| Field::new(name, arrow::datatypes::DataType::Int64, true);
    let schema = unique_names(&Schema::new(vec![
        field("a"),
        field("a"),
        field("a_2"),
        field("a"),
    ]));
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["a", "a_2", "a_2_2", "a_3"]);
}
