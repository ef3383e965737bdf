//! What is known beside the logs, asked in SQL.

use std::path::Path;

use super::lake::Fixture;
use crate::intel::{Intel, IntelPlaces, Network};
use crate::query::{Params, run};

fn places(folder: &Path) -> IntelPlaces {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let databases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intel");
    let range = r#"{"prefixes":[{"ip_prefix":"3.5.0.0/19","region":"eu-west-1","service":"S3"}]}"#;
    IntelPlaces {
        mmdb: vec![databases.join("city.mmdb"), databases.join("asn.mmdb")],
        aws_ip_ranges: Some(write("ip-ranges.json", range)),
        corporate: vec![Network::read("81.2.69.160/27").unwrap()],
        indicators: vec![write("bad.txt", "198.51.100.0/24 # scanner\nevil.example\n")],
        accounts: Some(write("accounts.csv", "id,name,team,env\n111122223333,prod,payments,live\n")),
    }
}

/// Asks with everything known; the rows' first column.
async fn ask(sql: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::with_events().await;
    let engine = fixture.engine().with_intel(Intel::read(&places(folder.path())).unwrap());
    let mut rows = run(&engine, sql, &Params::default()).await.unwrap();
    let mut values = Vec::new();
    while let Some(batch) = rows.next().await.unwrap() {
        let column = batch.column(0);
        values.extend(
            (0..batch.num_rows())
                .map(|row| arrow::util::display::array_value_to_string(column, row).unwrap()),
        );
    }
    values
}

#[tokio::test]
async fn an_address_is_described_by_all_that_knows_it() {
    let describe = "concat_ws(' ', i.kind, i.country, i.country_basis, i.city, i.asn, i.as_name, i.aws_service, \
                    i.aws_region, i.indicator, i.indicator_list, i.indicator_label)";
    let cases = [
        ("81.2.69.142", "public GB Test-City DATE London 20712 Example Hosting"),
        ("81.2.69.165", "corporate GB Test-City DATE London 20712 Example Hosting"),
        ("2a02:dd01::1", "public SE Test-City DATE"),
        ("9.9.9.9", "public US registry 64500 Text Form"),
        ("3.5.1.1", "aws US registry S3 eu-west-1"),
        ("198.51.100.7", "special 198.51.100.0/24 bad.txt scanner"),
        ("c2.evil.example", "unknown evil.example bad.txt"),
        ("AWS Internal", "service"),
        ("10.0.0.1", "private"),
    ];
    for (address, expected) in cases {
        let sql = format!("select {describe} from (select ip_info('{address}') as i)");
        let told = ask(&sql).await.remove(0);
        // The databases were built on some day.
        let told = told
            .split(' ')
            .map(|word| if word.starts_with("20") && word.len() == 10 { "DATE" } else { word });
        assert_eq!(told.collect::<Vec<_>>().join(" "), expected, "{address}");
    }
    assert_eq!(ask("select ip_info(null) is null").await, ["true"]);
    let by_row = "select ip_info(a).kind from (values ('10.0.0.1'), (null), ('8.8.8.8')) as t(a)";
    assert_eq!(ask(by_row).await, ["private", "", "public"]);
}

#[tokio::test]
async fn accounts_and_indicators_are_tables() {
    let sql = "select a.owner || ' ' || a.tags['env'] from api_activity e join accounts a on a.uid = e.accountid limit 1";
    assert_eq!(ask(sql).await, ["payments live"]);
    assert_eq!(
        ask("select kind || ' ' || value from indicators order by 1").await,
        ["address 198.51.100.0/24", "domain evil.example"]
    );
}

#[tokio::test]
async fn without_any_file_kind_and_registry_are_known_and_the_tables_are_empty() {
    let fixture = Fixture::with_events().await;
    let (rows, _) =
        fixture.ask("select ip_info('8.8.8.8').country || ip_info('8.8.8.8').country_basis").await;
    assert_eq!(rows, ["USregistry"]);
    assert_eq!(fixture.ask("select count(*) from accounts").await.0, ["0"]);
}
