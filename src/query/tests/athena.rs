//! What is written for Athena runs as it is, and says the same.

use super::lake::{A, Fixture};

/// Asks and gives the rows, the values of one joined by `|`.
async fn rows(fixture: &Fixture, sql: &str) -> Vec<String> {
    fixture.ask(sql).await.0
}

#[tokio::test]
async fn each_list_is_asked_for_its_own_element() {
    let fixture = Fixture::with_events().await;
    let lists = "(values
        (1, make_array('a', 'b'), 'b'), (2, make_array('b', null), 'a'), (3, make_array(null, 'a'), 'a'), (4, null, 'a'),
        (5, make_array('a'), null), (6, make_array('c'), 'a'), (7, make_array('d', 'a', 'd'), 'd')
      ) as asked(number, list, wanted) where number > 1 order by number";
    let each = format!("select contains(list, wanted) from {lists}");
    assert_eq!(rows(&fixture, &each).await, ["false", "true", "", "", "false", "true"]);
    let one = format!("select contains(list, 'a') from {lists}");
    assert_eq!(rows(&fixture, &one).await, ["false", "true", "", "true", "false", "true"]);
    let empty = "select contains(filter(make_array('a'), x -> x = metadata.uid), 'a') from api_activity";
    assert!(rows(&fixture, empty).await.iter().all(|answer| answer == "false"));
}

#[tokio::test]
async fn functions_have_athenas_names_and_meanings() {
    let fixture = Fixture::with_events().await;
    let cases: [(&str, &str); 42] = [
        ("contains('10.0.0.0/8', '10.1.1.1')", "true"),
        ("count_if(class_uid = 0 and 1 = 1)", "0"),
        ("count_if(class_uid = 0 or 1 = 1)", "1"),
        ("if(class_uid = null is null, 'a', 'b')", "a"),
        ("arbitrary(if(activity_id = 0, 'x'))", ""),
        ("contains(make_array('a'), 'b')", "false"),
        ("contains('GetObject', 'Obj')", "true"),
        (
            "cast('10.0.0.3' as ipaddress) between cast('10.0.0.0' as ipaddress) and cast('10.0.0.255' as ipaddress)",
            "true",
        ),
        ("cast('10.0.0.3' as ipaddress) < cast('9.0.0.0' as ipaddress)", "false"),
        ("cast('2001:DB8::1' as ipaddress) = cast('2001:db8:0::1' as ipaddress)", "true"),
        ("arbitrary(api.operation)", "GetObject"),
        ("count_if(status_id = 1) >= 0", "true"),
        ("max_by(api.operation, time)", "GetObject"),
        ("element_at(make_array('a', 'b'), 2)", "b"),
        ("element_at(unmapped, 'recipientAccountId')", A),
        ("transform(make_array(1, 2), x -> x + 1)", "[2, 3]"),
        ("filter(make_array(1, 2), x -> x > 1)", "[2]"),
        ("none_match(make_array(1, 2), x -> x > 2)", "true"),
        ("contains(make_array(1, 2), 2)", "true"),
        ("if(1 = 1, 'a', 'b') || if(1 = 2, 'a', 'b')", "ab"),
        ("if(1 = 2, 'a') is null", "true"),
        ("try(cast('1' as integer))", "1"),
        ("contains('10.0.0.0/8', cast('10.1.2.3' as ipaddress))", "true"),
        ("contains('10.0.0.0/8', cast('11.1.2.3' as ipaddress))", "false"),
        ("contains('2001:db8::/32', cast('2001:db8:1::1' as ipaddress))", "true"),
        ("contains('10.0.0.0/8', cast('AWS Internal' as ipaddress)) is null", "true"),
        ("date_format(from_unixtime(1770181567), '%Y-%m-%d %H:%i:%s')", "2026-02-04 05:06:07"),
        (
            "from_unixtime(cast(1770181567500 as double) / 1000.0) = from_iso8601_timestamp('2026-02-04T05:06:07.5Z')",
            "true",
        ),
        (
            "date_add('month', 1, from_iso8601_timestamp('2024-01-31')) = timestamp '2024-02-29 00:00:00'",
            "true",
        ),
        ("date_add('day', -1, time_dt) < time_dt", "true"),
        (
            "date_diff('hour', from_iso8601_timestamp('2026-02-04T00:00:00Z'), from_iso8601_timestamp('2026-02-04T05:59:00Z'))",
            "5",
        ),
        ("date_parse('04/02/2026', '%d/%m/%Y') = from_iso8601_timestamp('2026-02-04')", "true"),
        ("to_iso8601(from_unixtime(0))", "1970-01-01T00:00:00Z"),
        ("from_iso8601_date('2026-02-04') = date '2026-02-04'", "true"),
        ("from_iso8601_timestamp('yesterday') is null", "true"),
        ("json_extract_scalar('{\"a\": {\"b\": [1, \"x\"]}}', '$.a.b[1]')", "x"),
        ("json_extract_scalar('{\"a\": {}}', '$.a') is null", "true"),
        ("json_extract_scalar('no json', '$.a') is null", "true"),
        ("json_extract('{\"a\": {\"b\": 1}}', '$.a')", "{\"b\":1}"),
        ("json_extract_scalar(json_parse('{\"a\": 1}'), '$.a')", "1"),
        ("eventday >= date_format(date_add('day', -30000, current_timestamp), '%Y%m%d')", "true"),
        ("time_dt between current_timestamp - interval '30000' day and current_timestamp", "true"),
    ];
    for (expr, expected) in cases {
        let sql = format!("select {expr} from api_activity where metadata.uid = '1'");
        assert_eq!(rows(&fixture, &sql).await, [expected], "{sql}");
    }
}

#[tokio::test]
async fn a_list_is_a_row_an_element_beside_its_own_row() {
    let fixture = Fixture::with_events().await;
    const LISTS: &str =
        "(values ('both', make_array('a', 'b')), ('none', make_array()), ('null', null)) as s(id, l)";
    let cases: [(&str, &[&str]); 8] = [
        ("select id || x from LISTS cross join unnest(l) as t(x) order by 1", &["botha", "bothb"]),
        ("select s.id || t.x from LISTS, unnest(s.l) as t(x) order by 1", &["botha", "bothb"]),
        (
            "select id || coalesce(x, '-') from LISTS left join unnest(l) as t(x) on true order by 1",
            &["botha", "bothb", "none-", "null-"],
        ),
        ("select x from LISTS join unnest(l) as t(x) on t.x <> 'a'", &["b"]),
        (
            "select x || cast(n as varchar) from LISTS cross join unnest(l) with ordinality as t(x, n) order by 1",
            &["a1", "b2"],
        ),
        (
            "select k || v from (select map(make_array('k'), make_array('v')) as m) as s cross join unnest(m) as t(k, v)",
            &["kv"],
        ),
        (
            "select id || y from LISTS, unnest(make_array(named_struct('i', l))) as t(x), unnest(t.x.i) as t(y) order by 1",
            &["botha", "bothb"],
        ),
        (
            "with a as (select t.x.n, x.m as k from (values (make_array(named_struct('n', 1, 'm', 2)))) as s(l), unnest(l) as t(x)) select a.n + a.k from a",
            &["3"],
        ),
    ];
    for (sql, expected) in cases {
        let sql = sql.replace("LISTS", LISTS);
        assert_eq!(rows(&fixture, &sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn what_is_no_unit_format_or_path_is_said() {
    let fixture = Fixture::with_events().await;
    for (expr, expected) in [
        ("date_add('fortnight', 1, current_timestamp)", "'fortnight' is no unit of time"),
        ("date_format(current_timestamp, '%Q')", "'%Q' is no format"),
        ("json_extract_scalar('{}', 'a.b')", "'a.b' is no JSON path"),
    ] {
        let error = fixture.error(&format!("select {expr}")).await;
        assert!(error.contains(expected), "{error}");
    }
}
