//! Each format over the same rows, hostile text among them.

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
        ("n", Arc::new(Int64Array::from(vec![Some(-1), None, Some(30), Some(4), Some(5), Some(6)]))),
        ("list", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))),
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
    let lines: Vec<_> = text
        .split_inclusive('\n')
        .map(|line| {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            text::visible(line).into_owned() + end
        })
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn table_shows_hostile_text_and_fits_the_screen() {
    check(
        Format::Table,
        Screen::Terminal { width: 72 },
        &expect![[r#"
        text                               n  list                            at
        ────────────────────────────────  ──  ────────  ────────────────────────
        \u{1b}[2J\u{9b}31m\u{202e}evil    -1  [0,null]  2025-01-01T00:00:00.123Z
        =HYPERLINK("http://x","y")            [1,null]
        a,b\u{d}\u{a}"c"                  30
        <img src=x onerror=alert(1)> | …   4  [3,null]
                                           5  [4,null]
        -1+cmd                             6  [5,null]
        (6 rows)
    "#]],
    );
    check(
        Format::Table,
        Screen::Terminal { width: 20 },
        &expect![[r#"
        ── 1 ──
        text  \u{1b}[2J\u{9b}31m\u{202e}evil
        n     -1
        list  [0,null]
        at    2025-01-01T00:00:00.123Z
        ── 2 ──
        text  =HYPERLINK("http://x","y")
        list  [1,null]
        ── 3 ──
        text  a,b\u{d}\u{a}"c"
        n     30
        ── 4 ──
        text  <img src=x onerror=alert(1)> | [click](javascript:x) ![](http://x/y)
        n     4
        list  [3,null]
        ── 5 ──
        n     5
        list  [4,null]
        ── 6 ──
        text  -1+cmd
        n     6
        list  [5,null]
        (6 rows)
    "#]],
    );
}

#[test]
fn table_cuts_nothing_in_a_pipe() {
    check(
        Format::Table,
        Screen::None,
        &expect![[r#"
        text                                                                   n  list                            at
        ────────────────────────────────────────────────────────────────────  ──  ────────  ────────────────────────
        \u{1b}[2J\u{9b}31m\u{202e}evil                                        -1  [0,null]  2025-01-01T00:00:00.123Z
        =HYPERLINK("http://x","y")                                                [1,null]
        a,b\u{d}\u{a}"c"                                                      30
        <img src=x onerror=alert(1)> | [click](javascript:x) ![](http://x/y)   4  [3,null]
                                                                               5  [4,null]
        -1+cmd                                                                 6  [5,null]
        (6 rows)
    "#]],
    );
}

#[test]
fn csv_defuses_formulas_of_text_and_leaves_numbers() {
    check(
        Format::Csv,
        Screen::None,
        &expect![[r#"
        text,n,list,at\u{d}
        \u{1b}[2J\u{9b}31m\u{202e}evil,-1,"[0,null]",2025-01-01T00:00:00.123Z\u{d}
        "'=HYPERLINK(""http://x"",""y"")",,"[1,null]",\u{d}
        "a,b\u{d}
        ""c""",30,,\u{d}
        <img src=x onerror=alert(1)> | [click](javascript:x) ![](http://x/y),4,"[3,null]",\u{d}
        "",5,"[4,null]",\u{d}
        '-1+cmd,6,"[5,null]",\u{d}
    "#]],
    );
    let on_screen = written(Format::Csv, Screen::Terminal { width: 80 }, &batch());
    assert!(!on_screen.contains('\u{1b}'));
}

#[test]
fn json_escapes_what_would_act() {
    check(
        Format::Json,
        Screen::None,
        &expect![[r#"
        [
        {"text":"\u001b[2J\u009b31m\u202eevil","n":-1,"list":[0,null],"at":"2025-01-01T00:00:00.123Z"},
        {"text":"=HYPERLINK(\"http://x\",\"y\")","list":[1,null]},
        {"text":"a,b\r\n\"c\"","n":30},
        {"text":"<img src=x onerror=alert(1)> | [click](javascript:x) ![](http://x/y)","n":4,"list":[3,null]},
        {"text":"","n":5,"list":[4,null]},
        {"text":"-1+cmd","n":6,"list":[5,null]}
        ]
    "#]],
    );
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
    expect![[r#"
        text  n  list  at
        ────  ─  ────  ──
        (0 rows)
    "#]]
    .assert_eq(&written(Format::Table, Screen::None, &empty));
}

#[test]
fn markdown_renders_text_and_nothing_else() {
    check(
        Format::Markdown,
        Screen::None,
        &expect![[r#"
        | text | n | list | at |
        | --- | --- | --- | --- |
        | \\u{1b}\[2J\\u{9b}31m\\u{202e}evil | -1 | \[0,null\] | 2025-01-01T00:00:00.123Z |
        | =HYPERLINK("http&#58;//x","y") |  | \[1,null\] |  |
        | a,b\\u{d}\\u{a}"c" | 30 |  |  |
        | &lt;img src=x onerror=alert(1)&gt; &#124; \[click\](javascript:x) !\[\](http&#58;//x/y) | 4 | \[3,null\] |  |
        |  | 5 | \[4,null\] |  |
        | -1+cmd | 6 | \[5,null\] |  |
    "#]],
    );
}

#[test]
fn rows_past_the_sized_ones_keep_the_columns() {
    let mut texts = vec!["short"; 2 * table::SIZED_ROWS];
    texts.push("a value longer than all before");
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(StringArray::from(texts)) as ArrayRef),
        ("b", Arc::new(StringArray::from(vec!["x"; 2 * table::SIZED_ROWS + 1]))),
    ])
    .unwrap();
    let text = written(Format::Table, Screen::Terminal { width: 80 }, &batch);
    let last: Vec<_> = text.lines().rev().take(3).collect();
    assert_eq!(last, ["(2001 rows)", "a va…  x", "short  x"]);
}

#[test]
fn a_name_that_stands_twice_is_numbered() {
    let field = |name: &str| Field::new(name, arrow::datatypes::DataType::Int64, true);
    let schema = unique_names(&Schema::new(vec![field("a"), field("a"), field("a_2"), field("a")]));
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["a", "a_2", "a_2_2", "a_3"]);
}
