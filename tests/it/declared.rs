//! Logs from elsewhere: what the page about them says is what happens.

use serde_json::{Value, json};

use crate::archive::{Site, text};

/// The blocks of code in the page, in one language.
fn blocks(language: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs-from-elsewhere.md");
    let page = std::fs::read_to_string(path).unwrap();
    let start = format!("```{language}\n");
    page.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A site whose configuration declares two folders of the archive.
fn site() -> Site {
    let site = Site::new();
    let archive = site.archive().canonicalize().unwrap().display().to_string();
    let declared = blocks("toml")[0].replace("s3://aws-log-archive", &archive);
    std::fs::write(site.root().join("ashiato.toml"), declared).unwrap();
    std::fs::write(site.root().join("firewall.toml"), &blocks("toml")[1]).unwrap();
    site
}

#[test]
fn the_example_of_the_page_gives_the_row_of_the_page() {
    let site = site();
    let [line, expected] = blocks("json").try_into().unwrap();
    site.put("onprem/firewall/2025/01/05.json", line.as_bytes());
    site.ingest().ended(0);
    site.settle().ended(0);
    let rows = site.query("select * from ocsf_network");
    assert_eq!(rows.len(), 1);
    let expected: Value = serde_json::from_str(&expected).unwrap();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&rows[0][name], value, "{name}");
    }
    let constant = |pointer: &str| text(&rows[0], pointer);
    assert_eq!(constant("/metadata/product/name"), "Edge firewall");
    assert_eq!((constant("/accountid"), constant("/region")), ("external".to_owned(), "unknown".to_owned()));
    let files = site.lake_files();
    assert!(files.iter().any(|file| {
        file.starts_with("ext/ocsf-network/region=unknown/accountId=external/eventDay=20250105/")
    }));
}

#[test]
fn what_was_declared_is_nothing_else() {
    let site = site();
    let first = &blocks("json")[0];
    // A record that looks like CloudTrail's is one of the firewall all the same; what has no time is set aside.
    let lookalike = json!({"eventName": "X", "eventSource": "y", "eventTime": "2025-01-05T10:00:00Z"});
    site.put("onprem/firewall/a.json", format!("{first}\n{lookalike}\nnot json\n{first}").as_bytes());
    site.put("onprem/other/b.json", first.as_bytes());
    site.ingest().ended(0);
    assert_eq!(site.query("select * from ocsf_network").len(), 2);
    let reasons: Vec<String> = site.quarantine().iter().map(|entry| text(entry, "/reason")).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("a record without the time that its mapping names"), "{reasons:?}");
}

#[test]
fn a_mapping_that_cannot_be_is_told_at_the_start() {
    let site = site();
    let mapping = blocks("toml")[1].replace("src_endpoint.ip", "src_endpoint.address");
    std::fs::write(site.root().join("firewall.toml"), mapping).unwrap();
    let ran = site.ingest().ended(1);
    assert!(
        ran.err.contains("firewall.toml") && ran.err.contains("src_endpoint.address is no column"),
        "{}",
        ran.err
    );
}
