//! What may be asked, and how.

use super::lake::{A, Event, Fixture, NEW_YEAR, event};
use crate::lake::Table;
use crate::query::{Params, QueryLimits, library, run};

#[tokio::test]
async fn the_dialect_reads_what_investigators_write() {
    let fixture = Fixture::with_events().await;
    let user = format!("arn:aws:iam::{A}:user/alice");
    let cases: [(&str, &str); 17] = [
        ("actor.user.uid", &user),
        ("unmapped['recipientAccountId']", A),
        ("upper(unmapped['recipientAccountId'] || 'x')", "111122223333X"),
        ("unmapped['nothing'] is null", "true"),
        ("map_keys(unmapped)[1]", "recipientAccountId"),
        ("cardinality(unmapped)", "1"),
        ("\"api\".\"operation\"", "GetObject"),
        ("lower(api.operation)", "getobject"),
        ("regexp_like(actor.user.uid, 'user/al.*')", "true"),
        ("time_dt >= date '2025-01-01'", "true"),
        ("time_dt = timestamp '2025-01-01T00:00:00Z'", "true"),
        ("time_dt - interval '1' day < time_dt", "true"),
        ("case when api.operation like 'Get%' then 'read' else 'write' end", "read"),
        ("user.name is null", "true"),
        ("coalesce(resources[1].uid, 'none')", "none"),
        ("any_match(resources, R -> R.owner.account.uid = 'x') is null", "true"),
        ("count(*) filter (where api.operation = 'GetObject')", "1"),
    ];
    for (expr, expected) in cases {
        let sql = format!("select {expr} from api_activity where metadata.uid = '1'");
        let (values, _) = fixture.ask(&sql).await;
        assert_eq!(values, [expected], "{sql}");
    }
    let (rows, _) = fixture
        .ask("with a as (select * from api_activity) select a.metadata.uid from a where a.unmapped['recipientAccountId'] = '444455556666' order by 1; ")
        .await;
    assert_eq!(rows, ["2", "4"]);
}

#[tokio::test]
async fn statements_that_change_anything_are_refused() {
    let fixture = Fixture::with_events().await;
    for sql in [
        "drop table api_activity",
        "select * into t from api_activity",
        "create table t as select 1",
        "create view v as select 1",
        "create external table t stored as csv location '/etc/passwd'",
        "insert into api_activity select * from api_activity",
        "delete from api_activity",
        "update api_activity set status = 'x'",
        "truncate table api_activity",
        "copy (select 1) to '/tmp/x.csv'",
        "explain analyze copy (select 1) to '/tmp/x.csv'",
        "explain analyze insert into api_activity select * from api_activity",
        "set datafusion.execution.batch_size = 1",
        "reset datafusion.execution.batch_size",
        "prepare p as select 1",
        "begin transaction",
        "use public",
        "install x",
        "attach 'x' as y",
    ] {
        let error = fixture.error(sql).await;
        assert!(error.starts_with("refused ") || error.starts_with("read the statement"), "{sql}: {error}");
    }
    let error = fixture.error("drop table api_activity").await;
    assert_eq!(
        error,
        "refused drop table: the lake is read-only, only select, explain, show and describe run"
    );
    let error = fixture.error("select * from '/etc/passwd'").await;
    assert!(error.starts_with("no table"), "{error}");
    for sql in ["select 1; drop table api_activity", "selekt 1", ""] {
        assert!(fixture.error(sql).await.starts_with("read the statement"), "{sql}");
    }
}

#[tokio::test]
async fn the_lake_can_be_looked_around_in() {
    let fixture = Fixture::with_events().await;
    for sql in [
        "explain select 1",
        "explain analyze select count(*) from cloudtrail",
        "show tables",
        "describe cloudtrail",
        "show columns from api_activity",
    ] {
        assert!(!fixture.ask(sql).await.0.is_empty(), "{sql}");
    }
    let (tables, _) = fixture
        .ask("select table_name from information_schema.tables where table_schema = 'public' order by 1")
        .await;
    let all = "account_change accounts api_activity authentication cloudtrail compliance_finding configuration_item \
               data_activity data_security_finding detection_finding finding_history finding_states findings flows footprints indicators ip_lease \
               ocsf_account_change ocsf_api_activity ocsf_authentication ocsf_network session_edge touches vpc_flow \
               vulnerability_finding";
    assert_eq!(tables.join(" "), all);
}

#[tokio::test]
async fn a_wrong_name_is_answered_with_the_right_ones() {
    let fixture = Fixture::with_events().await;
    let error = fixture.error("select 1 from api_activty").await;
    assert_eq!(
        error,
        "no table lake.public.api_activty; there are api_activity, data_activity, account_change, \
         authentication, vpc_flow, vulnerability_finding, compliance_finding, detection_finding, \
         data_security_finding, configuration_item, ocsf_api_activity, ocsf_account_change, \
         ocsf_authentication, ocsf_network, cloudtrail, findings, finding_history, footprints, touches, \
         session_edge, ip_lease, flows, finding_states, accounts, indicators"
    );
    let error = fixture.error("select acountid from api_activity").await;
    assert!(error.contains("Did you mean 'api_activity.accountid'"), "{error}");
    let error = fixture.error("select actor.user.nam from api_activity").await;
    assert!(error.starts_with("plan the query"), "{error}");
}

#[tokio::test]
async fn parameters_are_values_and_never_text() {
    let fixture = Fixture::with_events().await;
    let hostile = "' or 1=1 --";
    fixture
        .hot(
            Table::Authentication,
            "h9",
            &[Event { user: hostile.to_owned(), ..event("9", NEW_YEAR, A, "eu-west-1") }],
        )
        .await;
    let ask = async |sql: &str, params: Params| fixture.ask_with(sql, &params).await.map(|(rows, _)| rows);
    let by_user = "select metadata.uid from cloudtrail where actor.user.uid = $user";
    let none = Params::default();
    assert_eq!(ask(by_user, none.clone().with("user", hostile)).await.unwrap(), ["9"]);
    assert!(ask(by_user, none.clone().with("user", "x' or 'a'='a")).await.unwrap().is_empty());
    let shown = ask("select $1 || lower($text)", none.clone().with("1", hostile).with("text", "A")).await;
    assert_eq!(shown.unwrap(), ["' or 1=1 --a"]);
    let by_time = "select metadata.uid from api_activity
         where time >= $from and time_dt >= $from and ($user is null or accountid = $user) limit $n";
    let params = none.clone().with("from", "2025-01-02").with("user", A).with("n", "5");
    assert_eq!(ask(by_time, params).await.unwrap(), ["3"]);
    let error = |result: Result<_, crate::query::QueryError>| {
        Result::<Vec<String>, _>::unwrap_err(result).to_string()
    };
    assert_eq!(
        error(ask(by_user, none.clone()).await),
        "no value for $user; give each with --param name=value"
    );
    assert_eq!(
        error(ask(by_user, none.clone().with("user", "x").with("usr", "y")).await),
        "the query has no parameter usr; it has $user"
    );
    let by_number = "select 1 from api_activity where time > $t";
    assert_eq!(error(ask(by_number, none.with("t", "soon")).await), "the value of $t is no Int64");
}

#[tokio::test]
async fn parameters_prune_files_as_literals_do() {
    let fixture = Fixture::with_events().await;
    let sql = "select metadata.uid from cloudtrail where time >= $a and time < $b and accountid = $c";
    let params = Params::read(["a=2025-01-02", "b=2025-01-03", "c=111122223333"]).unwrap();
    let (rows, stats) = fixture.ask_with(sql, &params).await.unwrap();
    assert_eq!(rows, ["3"]);
    assert_eq!((stats.files_opened, stats.files_visible), (1, 6));
}

#[tokio::test]
async fn a_sort_larger_than_memory_goes_to_the_disk() {
    let fixture = Fixture::new().await;
    let events: Vec<_> = (0..40_000_i64)
        .map(|n| Event {
            user: format!("{:0200}", (n * 7919) % 40_000),
            ..event(&n.to_string(), NEW_YEAR + n, A, "eu-west-1")
        })
        .collect();
    for (number, events) in events.chunks(10_000).enumerate() {
        fixture.hot(Table::ApiActivity, &format!("h{number}"), events).await;
    }
    let spill = fixture.folder.path().join("spill");
    let limits =
        QueryLimits { memory_bytes: 6 << 20, spill_dir: Some(spill.clone()), ..QueryLimits::default() };
    let engine = fixture.engine_with(limits.clone());
    let sql = "select actor.user.uid as u, metadata.uid from api_activity order by u";
    let mut rows = run(&engine, sql, &Params::default()).await.unwrap();
    let mut count = 0;
    while let Some(batch) = rows.next().await.unwrap() {
        count += batch.num_rows();
    }
    assert_eq!(count, 40_000);
    // Proof that it did: without a disk to go to, the same sort fails.
    let engine = fixture.engine_with(QueryLimits { spill_bytes_max: 0, ..limits });
    let mut rows = run(&engine, sql, &Params::default()).await.unwrap();
    let error = loop {
        match rows.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the sort fitted into memory, so the test proves nothing"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the query needs more disk than it may spill to");
}

#[tokio::test]
async fn every_question_of_the_library_runs() {
    let fixture = Fixture::with_events().await;
    for question in library::questions() {
        let params = question.params.iter().fold(Params::default(), |params, (name, _)| match *name {
            "window_start" => params.with(name, "2025-01-01"),
            "window_end" => params.with(name, "2025-01-02T00:00Z"),
            "severity_id" => params.with(name, "3"),
            _ => params.with(name, "' or 1=1 --"),
        });
        let (_, stats) = fixture.ask_with(question.sql, &params).await.unwrap_or_else(|error| {
            panic!("{}: {error}: {:?}", question.id, std::error::Error::source(&error))
        });
        let is_bounded = question.unbounded.is_some() || stats.files_opened <= 4;
        assert!(is_bounded, "{} is not bounded in time", question.id);
    }
}

#[tokio::test]
async fn an_error_shows_hostile_values_and_lets_none_act() {
    let fixture = Fixture::new().await;
    let hostile = Event { user: "\u{1b}[2J".to_owned(), ..event("1", NEW_YEAR, A, "eu-west-1") };
    fixture.hot(Table::ApiActivity, "h", &[hostile]).await;
    let error = fixture.error("select cast(actor.user.uid as bigint) from api_activity").await;
    assert!(error.contains("\\u{1b}[2J"), "{error}");
    assert!(!error.contains('\u{1b}'));
}
