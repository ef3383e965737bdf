//! `org import`, by the built binary against a service that speaks AWS Organizations' protocol.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::archive::Site;

/// What the service is asked for; refuses `denied`.
#[derive(Clone, Copy)]
struct Organization {
    denied: &'static str,
}

async fn answer(State(organization): State<Organization>, headers: HeaderMap, body: String) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let call = target.strip_prefix("AWSOrganizationsV20161128.").unwrap();
    if call == organization.denied {
        let error = json!({"__type": "AccessDeniedException", "Message": "not you"});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    let asked: Value = serde_json::from_str(&body).unwrap();
    let account = |id: &str, name: &str| json!({"Id": id, "Name": name, "Email": format!("{id}@example.com"), "Status": "ACTIVE"});
    let parent = asked["ParentId"].as_str().unwrap_or_default();
    let answer = match (call, parent, asked["NextToken"].as_str()) {
        ("ListRoots", ..) => json!({"Roots": [{"Id": "r-1", "Name": "Root"}]}),
        ("ListOrganizationalUnitsForParent", "r-1", _) => {
            json!({"OrganizationalUnits": [{"Id": "ou-1", "Name": "Workloads"}]})
        }
        ("ListOrganizationalUnitsForParent", "ou-1", _) => {
            json!({"OrganizationalUnits": [{"Id": "ou-2", "Name": "Prod"}]})
        }
        ("ListOrganizationalUnitsForParent", ..) => json!({"OrganizationalUnits": []}),
        ("ListAccountsForParent", "r-1", _) => json!({"Accounts": [account("999900001111", "management")]}),
        // The second page.
        ("ListAccountsForParent", "ou-2", None) => {
            json!({"Accounts": [account("222200001111", "shop, \"prod\"")], "NextToken": "more"})
        }
        ("ListAccountsForParent", "ou-2", Some(_)) => {
            json!({"Accounts": [account("000000001111", "=cmd|x")]})
        }
        ("ListAccountsForParent", ..) => json!({"Accounts": []}),
        ("ListTagsForResource", ..) if asked["ResourceId"] == "222200001111" => {
            json!({"Tags": [{"Key": "team", "Value": "shop"}, {"Key": "name", "Value": "no"}, {"Key": "stage", "Value": "prod"}]})
        }
        ("ListTagsForResource", ..) => json!({"Tags": []}),
        other => panic!("{other:?}"),
    };
    answer.to_string().into_response()
}

/// Starts the service; it lives as long as the runtime.
fn serve(denied: &'static str) -> (tokio::runtime::Runtime, Site) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(Organization { denied });
    drop(runtime.spawn(async move { axum::serve(listener, router).await }));
    let site = Site::new()
        .with("AWS_ENDPOINT_URL_ORGANIZATIONS", &endpoint)
        .with("AWS_REGION", "us-east-1")
        .with("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEKEY000001")
        .with("AWS_SECRET_ACCESS_KEY", "example");
    (runtime, site)
}

#[test]
fn accounts_with_their_units_and_owners_are_what_answers_read() {
    let (_serving, site) = serve("");
    let ran = site.run(&["org", "import", "--output", "accounts.csv"]).ended(0);
    assert!(ran.out.contains("3 accounts written to accounts.csv"), "{ran:?}");
    std::fs::write(site.root().join("ashiato.toml"), "[intel]\naccounts = \"accounts.csv\"\n").unwrap();
    site.put("AWSLogs/111122223333/x.json", b"{\"Records\":[]}");
    site.ingest().ended(0);
    let rows = site.query("select uid, name, ou_path, owner, tags['stage'] as stage, tags['tag_name'] as other from accounts order by uid");
    assert_eq!(
        rows,
        [
            json!({"uid": "000000001111", "name": "=cmd|x", "ou_path": "Root/Workloads/Prod"}),
            json!({"uid": "222200001111", "name": "shop, \"prod\"", "ou_path": "Root/Workloads/Prod", "owner": "shop",
                "stage": "prod", "other": "no"}),
            json!({"uid": "999900001111", "name": "management", "ou_path": "Root"}),
        ]
    );
}

#[test]
fn what_is_refused_is_told_and_no_file_is_left() {
    let (_serving, site) = serve("ListTagsForResource");
    let ran = site.run(&["org", "import"]).ended(1);
    assert!(ran.err.contains("ListTagsForResource") && ran.err.contains("organizations:List*"), "{ran:?}");
    assert!(ran.err.contains("AccessDeniedException: not you"), "{ran:?}");
    assert!(!site.root().join("accounts.csv").exists());
}

#[test]
fn without_credentials_that_is_said_in_one_line() {
    let site = Site::new().with("AWS_REGION", "us-east-1").with("AWS_EC2_METADATA_DISABLED", "true");
    let ran = site.run(&["org", "import"]).ended(1);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert!(ran.err.contains("no credentials"), "{ran:?}");
}
