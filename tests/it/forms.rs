//! The forms of an answer, over a lake in which attackers wrote whatever they could: in every form and language it is text.

use serde_json::{Value, json};

use crate::archive::{ACCOUNT, REGION, Site, file, gzip, key};

/// What an attacker writes where the API lets them.
const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "=cmd|' /C calc'!A0",
    "' or 1=1 --",
    "a\u{202e}gnp.exe\u{2066}b\u{200b}",
    "`x` | [here](https://evil.example) ![p](http://evil.example/p.png) @everyone #1 **b** www.evil.example",
    "]]></style></title><!--\r\n# heading\r\n---\n",
];

const BUCKET: &str = "customer-exports";

const KEY: &str = "AKIAEXAMPLEKEY000001";

/// All hostile strings at once, and a name of ten thousand letters.
fn hostile(number: usize) -> String {
    match HOSTILE.get(number) {
        Some(text) => (*text).to_owned(),
        None => "x".repeat(10_000),
    }
}

/// Calls of a user whose every text is hostile; each gets a session with a hostile name.
fn records() -> Vec<Value> {
    let one = |number: usize| {
        let text = hostile(number);
        let (operation, source, request) = match number % 3 {
            0 => ("CreateUser", "iam", json!({"userName": text})),
            1 => ("PutBucketPolicy", "s3", json!({"bucketName": text, "bucketPolicy": text})),
            _ => (
                "AssumeRole",
                "sts",
                json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{text}"), "roleSessionName": text}),
            ),
        };
        let response = json!({
            "credentials": {"accessKeyId": format!("ASIAEXAMPLEKEY{number:06}"), "expiration": "Jan 5, 2025, 11:00:00 PM"},
            "assumedRoleUser": {"arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{text}/{text}"), "assumedRoleId": "AROA:x"},
        });
        let is_session = operation == "AssumeRole";
        let is_failed = number % 2 == 1;
        json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser", "principalId": text, "arn": format!("arn:aws:iam::{ACCOUNT}:user/{}", hostile(0)),
                "accountId": ACCOUNT, "accessKeyId": KEY, "userName": hostile(0),
            },
            "eventTime": format!("2025-01-05T10:{number:02}:00Z"),
            "eventSource": format!("{source}.amazonaws.com"),
            "eventName": operation,
            "awsRegion": REGION,
            "sourceIPAddress": "198.51.100.7",
            "userAgent": text,
            "errorCode": if is_failed && !is_session { json!(text) } else { Value::Null },
            "errorMessage": if is_failed && !is_session { json!(text) } else { Value::Null },
            "requestParameters": request,
            "responseElements": if is_session { response } else { Value::Null },
            "requestID": format!("00000000-0000-4000-9000-{number:012}"),
            "eventID": format!("00000000-0000-4000-8000-{number:012}"),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        })
    };
    let mut records: Vec<Value> = (0..=HOSTILE.len()).map(one).collect();
    // The one change that a finding is about: its bucket has a name, all else is hostile.
    let mut opening = one(1);
    opening["eventTime"] = json!("2025-01-05T10:20:00Z");
    opening["eventID"] = json!("00000000-0000-4000-8000-000000000099");
    opening["errorCode"] = Value::Null;
    opening["errorMessage"] = Value::Null;
    opening["requestParameters"] = json!({
        "bucketName": BUCKET,
        "bucketPolicy": {"Statement": [{"Sid": hostile(0), "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]},
    });
    records.push(opening);
    records
}

/// A finding about the policy that was put, with hostile texts.
fn finding() -> Value {
    let at = "2025-01-05T10:30:00.000Z";
    json!({
        "version": "0", "id": "8e5622f9-d81c-4d81-612a-9319e7ee2506",
        "detail-type": "Security Hub Findings - Imported", "source": "aws.securityhub",
        "account": ACCOUNT, "time": at, "region": REGION, "resources": [],
        "detail": {"findings": [{
            "SchemaVersion": "2018-10-08",
            "Id": format!("arn:aws:securityhub:{REGION}:{ACCOUNT}:security-control/S3.2/finding/1"),
            "ProductArn": format!("arn:aws:securityhub:{REGION}::product/aws/securityhub"),
            "ProductName": hostile(0), "GeneratorId": "security-control/S3.2", "AwsAccountId": ACCOUNT,
            "Types": ["Software and Configuration Checks"],
            "FirstObservedAt": at, "CreatedAt": at, "UpdatedAt": at,
            "Severity": {"Label": "HIGH", "Normalized": 70},
            "Title": HOSTILE.join(" "), "Description": hostile(1),
            "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::{BUCKET}"), "Region": REGION, "Partition": "aws"}],
            "Compliance": {"Status": "FAILED", "SecurityControlId": "S3.2"},
            "WorkflowState": "NEW", "Workflow": {"Status": "NEW"}, "RecordState": "ACTIVE",
        }]},
    })
}

fn site() -> Site {
    let site = Site::new();
    site.put(&key(REGION, "a"), &gzip(&file(&records())));
    site.put("security-events/2025/01/05/10/security-events-1.gz", &gzip(finding().to_string().as_bytes()));
    site.ingest().ended(0);
    site
}

/// Fails where a character could act on whoever looks.
#[track_caller]
fn check_visible(text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(text.find(acts), None, "{text}");
}

/// The elements of a page.
const ELEMENTS: [&str; 42] = [
    "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "div", "p",
    "h1", "h2", "span", "code", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "a", "ul",
    "li", "svg", "g", "rect", "text", "line", "circle", "path", "defs", "marker", "pre", "b", "small",
    "strong", "em",
];

/// Their attributes.
const ATTRIBUTES: [&str; 41] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "scope",
    "data-label",
    "id",
    "href",
    "width",
    "height",
    "role",
    "aria-label",
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "cx",
    "cy",
    "r",
    "rx",
    "d",
    "marker-end",
    "viewBox",
    "refX",
    "refY",
    "markerWidth",
    "markerHeight",
    "orient",
    "dir",
    "colspan",
    "rowspan",
    "title",
    "open",
    "media",
    "align",
    "translate",
    "tabindex",
];

/// Fails where a page has an element or an attribute that is not ours, leaves one open, or refers to anything outside.
#[track_caller]
fn check_html(html: &str) {
    let rest = html.strip_prefix("<!doctype html>\n").expect("a doctype");
    let (before, after) = rest.split_once("<style>").expect("a style");
    let (style, after) = after.split_once("</style>").expect("its end");
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    let mut open: Vec<&str> = Vec::new();
    for part in [before, after] {
        let mut pieces = part.split('<');
        let first = pieces.next().unwrap();
        assert!(!first.contains('>'), "a stray > in {first:?}");
        for piece in pieces {
            let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("no tag: {piece:?}"));
            assert!(!text.contains(['>', '"']), "not escaped: {text:?}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closes another: {piece:?}");
                continue;
            }
            let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            let attributes_end = attributes.strip_suffix('/').unwrap_or(attributes);
            let is_closed = name.ends_with('/') || attributes_end.len() < attributes.len();
            attributes = attributes_end;
            assert!(ELEMENTS.contains(&name.trim_end_matches('/')), "<{tag}>");
            while !attributes.trim().is_empty() {
                let (attribute, value) =
                    attributes.trim_start().split_once("=\"").unwrap_or_else(|| panic!("<{tag}>"));
                let (value, more) = value.split_once('"').unwrap_or_else(|| panic!("<{tag}>"));
                assert!(ATTRIBUTES.contains(&attribute), "{attribute} in <{tag}>");
                assert!(attribute != "href" || value.starts_with("#e"), "<{tag}>");
                assert!(more.is_empty() || more.starts_with(' '), "<{tag}>");
                attributes = more;
            }
            if name != "meta" && !is_closed {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""), "a policy");
}

/// Fails where Markdown has markup outside of code spans that is not ours.
#[track_caller]
fn check_markdown(markdown: &str) {
    let mut columns = 0;
    for line in markdown.lines() {
        let is_heading = line.starts_with("# ") || line.starts_with("## ");
        assert!(is_heading || !line.starts_with(['#', '=', '+', '>', '~']), "{line}");
        assert_eq!(line.matches('`').count() % 2, 0, "a span without end: {line}");
        let outside: String = line.split('`').step_by(2).collect();
        let outside = outside.replacen("**", "", 2);
        assert!(!outside.contains(['<', '>', '[', ']', '@', '*', '_', '~', '\\', '!']), "{outside}");
        assert!(!outside.contains("://") && !outside.contains("www."), "{outside}");
        assert!(is_heading || !outside.contains('#'), "{outside}");
        // A table has as many pipes in each row; elsewhere there are none.
        let pipes = line.matches('|').count();
        if columns != 0 && pipes != 0 {
            assert_eq!(pipes, columns, "{line}");
        }
        columns = pipes;
        assert!(pipes == 0 || line.starts_with('|'), "{line}");
    }
}

#[test]
fn what_attackers_write_is_text_in_every_form() {
    let site = site();
    for (subject, lang) in [(KEY, "en"), (KEY, "ja"), ("latest", "en")] {
        let form = |form: &str| {
            let words = ["investigate", subject, "--format", form, "--lang", lang];
            site.run(&words).ended(0).out
        };
        let (terminal, markdown, html) = (form("terminal"), form("markdown"), form("html"));
        [&terminal, &markdown, &html].into_iter().for_each(|text| check_visible(text));
        check_markdown(&markdown);
        check_html(&html);
        // It is there, harmless, or nothing was tested.
        for text in
            ["&lt;script&gt;alert(1)&lt;/script&gt;", "\\u{1b}[2J", "\\u{202e}gnp.exe", "&#39; or 1=1 --"]
        {
            assert!(html.contains(text), "{text} in {html}");
        }
        for text in ["<script>alert(1)</script>", "\\u{1b}[2J", "\\u{202e}gnp.exe", "=cmd"] {
            assert!(markdown.contains(text) && terminal.contains(text), "{text} in {markdown}{terminal}");
        }
        assert!(html.contains(&"x".repeat(200)), "a name of ten thousand letters is shown in part: {html}");
        assert!(!html.contains(&"x".repeat(5_000)), "and cut: {html}");
    }
    let json = site.run(&["investigate", KEY, "--format", "json"]).ended(0).out;
    check_visible(&json);
    let answer: Value = serde_json::from_str(&json).unwrap();
    let id = answer["root"]["id"].as_str().unwrap_or_default();
    assert!(id.ends_with(&hostile(0)), "JSON has it as it is: {id}");
}

#[test]
fn a_hostile_subject_is_text_too() {
    let site = site();
    for subject in [HOSTILE[1], HOSTILE[7], "\u{1b}[2J\u{202e}x"] {
        for form in ["terminal", "markdown", "html"] {
            let out = site.run(&["investigate", subject, "--format", form]).ended(0).out;
            check_visible(&out);
            match form {
                "html" => check_html(&out),
                "markdown" => check_markdown(&out),
                _ => {}
            }
        }
    }
}

#[test]
fn the_answer_stands_first_in_both_languages() {
    let site = site();
    let html = |lang| site.run(&["investigate", "latest", "--format", "html", "--lang", lang]).ended(0).out;
    let english = html("en");
    let japanese = html("ja");
    assert!(english.contains("<html lang=\"en\">") && japanese.contains("<html lang=\"ja\">"));
    let lead = |html: &str| {
        html.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap().to_owned()
    };
    assert!(lead(&english).contains("PutBucketPolicy"), "{english}");
    assert!(
        lead(&japanese).contains("PutBucketPolicy") && lead(&japanese).contains("呼び出しました"),
        "{japanese}"
    );
    for heading in ["誰が", "時系列", "証跡"] {
        assert!(japanese.contains(heading), "{heading} in {japanese}");
    }
    assert_eq!(english.matches("<svg").count(), 2, "the chain and the timeline are drawn");
    let terminal = site.run(&["investigate", "latest", "--lang", "ja"]).ended(0).out;
    assert!(terminal.lines().any(|line| line == "原因"), "{terminal}");
}

#[test]
#[should_panic(expected = "onclick")]
fn the_check_of_pages_sees_an_attribute_that_is_not_ours() {
    check_html("<!doctype html>\n<html><style></style><p onclick=\"x\">a</p></html>");
}

#[test]
#[should_panic(expected = "evil")]
fn the_check_of_markdown_sees_a_link() {
    check_markdown("see [here](http://evil.example)");
}
