//! Evidence: CloudTrail's digest chains, good and broken, and what an export takes along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ashiato::ingest::archive::Archive;
use ashiato::investigate::evidence::{
    Evidence, ExportError, Folder, Parts, PublicKeys, QueryText, RowSet, Verifier, export,
};
use base64::Engine as _;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::archive::{ACCOUNT, REGION, Site, blocking, event_id, file, files_below, gzip, record, text};
use crate::s3::FakeS3;

const BUCKET: &str = "example-log-archive";
const FINGERPRINT: &str = "00112233445566778899aabbccddeeff";

/// A trail that signs what it writes, one digest an hour from noon on.
struct Trail {
    key: RsaKeyPair,
    objects: BTreeMap<String, (Vec<u8>, Option<String>)>,
    hour: u32,
    previous: Option<(String, String, String)>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Trail {
    fn new() -> Self {
        let key = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evidence/test-key.pk8")).unwrap();
        let key = RsaKeyPair::from_pkcs8(&key).unwrap();
        Self { key, objects: BTreeMap::new(), hour: 12, previous: None }
    }

    /// Writes a log of these records in the present hour and returns its key.
    fn log(&mut self, name: &str, numbers: &[u32]) -> String {
        let records: Vec<Value> = numbers.iter().map(|number| record(*number)).collect();
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2025/01/05/{ACCOUNT}_CloudTrail_{REGION}_20250105T{}10Z_{name}.json.gz",
            self.hour - 1
        );
        self.objects.insert(key.clone(), (gzip(&file(&records)), None));
        key
    }

    /// Writes the digest of an hour and returns its key.
    fn digest(&mut self, logs: &[&str]) -> String {
        let end = format!("2025-01-05T{}:00:07Z", self.hour);
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2025/01/05/{ACCOUNT}_CloudTrail-Digest_{REGION}_trail_{REGION}_20250105T{}0007Z.json.gz",
            self.hour
        );
        self.hour += 1;
        let previous = |part: fn(&(String, String, String)) -> &String| self.previous.as_ref().map(part);
        let logs: Vec<Value> = logs.iter().map(|log| {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(self.objects[*log].0.as_slice()), &mut plain).unwrap();
            json!({"s3Bucket": BUCKET, "s3Object": log, "hashValue": hex(&Sha256::digest(plain)), "hashAlgorithm": "SHA-256"})
        }).collect();
        let document = json!({
            "awsAccountId": ACCOUNT, "digestStartTime": "", "digestEndTime": end,
            "digestS3Bucket": BUCKET, "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT, "digestSignatureAlgorithm": "SHA256withRSA",
            "previousDigestS3Bucket": BUCKET, "previousDigestS3Object": previous(|previous| &previous.0),
            "previousDigestHashValue": previous(|previous| &previous.1), "previousDigestHashAlgorithm": "SHA-256",
            "previousDigestSignature": previous(|previous| &previous.2), "logFiles": logs,
        })
        .to_string();
        let hash = hex(&Sha256::digest(&document));
        let before = previous(|previous| &previous.2).map_or("null", String::as_str);
        let signed = format!("{end}\n{BUCKET}/{key}\n{hash}\n{before}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        let signature = hex(&signature);
        self.objects.insert(key.clone(), (gzip(document.as_bytes()), Some(signature.clone())));
        self.previous = Some((key.clone(), hash, signature));
        key
    }

    /// The answer of `list-public-keys`.
    fn public_keys(&self, path: &Path) {
        let value = base64::engine::general_purpose::STANDARD.encode(self.key.public());
        let list =
            json!({"PublicKeyList": [{"Value": value, "Fingerprint": FINGERPRINT, "ValidityStartTime": 0}]});
        std::fs::write(path, list.to_string()).unwrap();
    }

    /// Copies the bucket into a folder.
    fn copy(&self, site: &Site) {
        for (key, (bytes, signature)) in &self.objects {
            site.put(key, bytes);
            if let Some(signature) = signature {
                let metadata = json!({"x-amz-meta-signature": signature}).to_string();
                site.put(&format!("{key}.metadata.json"), metadata.as_bytes());
            }
        }
        self.public_keys(&site.root().join("keys.json"));
    }
}

/// Three hours: logs a and b in the first, c in the second, none in the third.
struct Story {
    trail: Trail,
    logs: [String; 3],
    digests: [String; 3],
}

fn story() -> Story {
    let mut trail = Trail::new();
    let (a, b) = (trail.log("a", &[1, 2]), trail.log("b", &[3]));
    let first = trail.digest(&[&a, &b]);
    let c = trail.log("c", &[4]);
    let second = trail.digest(&[&c]);
    let third = trail.digest(&[]);
    Story { trail, logs: [a, b, c], digests: [first, second, third] }
}

/// What the verb says of each log: verdict, why, and how the chain is.
fn judge(site: &Site, logs: &[String], code: i32) -> Vec<(String, String, String)> {
    let paths: Vec<String> = logs.iter().map(|log| format!("archive/{log}")).collect();
    let mut words = vec!["evidence", "verify", "--json", "--public-keys", "keys.json"];
    words.extend(paths.iter().map(String::as_str));
    verdicts(&site.run(&words).ended(code).out)
}

fn verdicts(out: &str) -> Vec<(String, String, String)> {
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|one| (text(&one, "/verdict"), one["reason"].to_string(), text(&one, "/chain/state"))).collect()
}

/// Alters a copy and compares what is said of logs a, b and c.
#[track_caller]
fn check(alter: impl FnOnce(&Story, &Site), expected: [(&str, &str, &str); 3], code: i32) {
    let (story, site) = (story(), Site::new());
    story.trail.copy(&site);
    alter(&story, &site);
    let found = judge(&site, &story.logs, code);
    for ((verdict, why, chain), expected) in found.iter().zip(expected) {
        assert_eq!((verdict.as_str(), chain.as_str()), (expected.0, expected.2), "{found:#?}");
        assert!(why.contains(expected.1), "{found:#?}");
    }
}

fn remove(site: &Site, key: &str) {
    std::fs::remove_file(site.archive().join(key)).unwrap();
}

const GOOD: (&str, &str, &str) = ("verified", "", "whole");

#[test]
fn a_good_chain_is_verified() {
    check(|_, _| {}, [GOOD, GOOD, GOOD], 0);
}

#[test]
fn a_log_that_was_edited_is_altered() {
    let edit = |story: &Story, site: &Site| site.put(&story.logs[1], &gzip(&file(&[record(9)])));
    check(edit, [GOOD, ("altered", "its SHA-256 is", "whole"), GOOD], 3);
    let cut =
        |story: &Story, site: &Site| site.put(&story.logs[1], &story.trail.objects[&story.logs[1]].0[..40]);
    check(cut, [GOOD, ("altered", "cannot be unpacked", "whole"), GOOD], 3);
}

#[test]
fn a_log_packed_anew_is_still_what_was_written() {
    let repack = |_: &Story, site: &Site| {
        let key = story().logs[0].clone();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &file(&[record(1), record(2)])).unwrap();
        site.put(&key, &encoder.finish().unwrap());
    };
    check(repack, [GOOD, GOOD, GOOD], 0);
}

#[test]
fn a_log_that_was_deleted_is_missing() {
    check(|story, site| remove(site, &story.logs[0]), [("missing", "lists it", "whole"), GOOD, GOOD], 3);
}

#[test]
fn an_edited_digest_vouches_for_nothing() {
    let edit = |story: &Story, site: &Site| {
        // The hash of an edited log, put into the digest as well.
        let key = &story.logs[2];
        let edited = file(&[record(9)]);
        site.put(key, &gzip(&edited));
        let mut plain = String::new();
        let stored = story.trail.objects[&story.digests[1]].0.as_slice();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(stored), &mut plain).unwrap();
        let mut document: Value = serde_json::from_str(&plain).unwrap();
        document["logFiles"][0]["hashValue"] = hex(&Sha256::digest(&edited)).into();
        site.put(&story.digests[1], &gzip(document.to_string().as_bytes()));
    };
    let first = ("verified", "", "broken");
    check(edit, [first, first, ("altered", "its signature is not that of its content", "broken")], 3);
}

#[test]
fn a_deleted_digest_leaves_a_gap_that_is_told() {
    let first = ("verified", "", "broken");
    let last = ("no_digest", "is missing", "");
    check(|story, site| remove(site, &story.digests[1]), [first, first, last], 3);
    check(|story, site| remove(site, &story.digests[0]), [last, last, ("verified", "", "broken")], 3);
    let all = |story: &Story, site: &Site| story.digests.iter().for_each(|key| remove(site, key));
    check(all, [("no_digest", "there are no digests", ""); 3], 3);
}

#[test]
fn a_digest_that_was_signed_for_another_place_vouches_for_nothing() {
    let swap = |story: &Story, site: &Site| {
        // An hour's digest takes the place of another's, with its signature.
        for ending in ["", ".metadata.json"] {
            site.copy(&format!("{}{ending}", story.digests[1]), &format!("{}{ending}", story.digests[0]));
        }
        remove(site, &story.digests[1]);
    };
    let lost = ("no_digest", "", "");
    check(swap, [lost, lost, ("altered", "it was signed for another place", "broken")], 3);
}

#[test]
fn without_the_key_nothing_is_proved_and_a_lost_signature_stands_in_the_next_digest() {
    let no_key = ("no_digest", "there is no public key 00112233", "whole");
    check(
        |_, site| std::fs::write(site.root().join("keys.json"), r#"{"PublicKeyList":[]}"#).unwrap(),
        [no_key; 3],
        3,
    );
    let lose = |story: &Story, site: &Site| {
        story.digests.iter().for_each(|key| remove(site, &format!("{key}.metadata.json")));
    };
    check(lose, [GOOD, GOOD, GOOD], 0);
    let last = |story: &Story, site: &Site| {
        remove(site, &story.digests[2]);
        lose_of(site, &story.digests[1]);
    };
    check(last, [GOOD, GOOD, ("no_digest", "its signature is not there", "whole")], 3);
}

fn lose_of(site: &Site, digest: &str) {
    remove(site, &format!("{digest}.metadata.json"));
}

#[test]
fn a_forged_signature_in_the_metadata_is_none() {
    let forge = |story: &Story, site: &Site| {
        let forged = json!({"Metadata": {"signature": "00".repeat(256)}}).to_string();
        site.put(&format!("{}.metadata.json", story.digests[0]), forged.as_bytes());
    };
    let forged = ("altered", "its signature is not that of its content", "whole");
    check(forge, [forged, forged, GOOD], 3);
}

#[test]
fn in_a_bucket_the_signature_is_metadata() {
    let (story, site) = (story(), Site::new());
    let s3 = FakeS3::start(&[BUCKET]);
    for (key, (bytes, signature)) in &story.trail.objects {
        let signature = signature.as_ref().map(|signature| ("Signature", signature.as_str()));
        s3.put_with(BUCKET, key, bytes, &Vec::from_iter(signature));
    }
    story.trail.public_keys(&site.root().join("keys.json"));
    std::fs::write(site.root().join("ashiato.toml"), "[investigate]\npublic_keys = [\"keys.json\"]\n")
        .unwrap();
    let site = s3.variables().into_iter().fold(site, |site, (name, value)| site.with(name, &value));
    let uris = story.logs.clone().map(|log| format!("s3://{BUCKET}/{log}"));
    let mut words = vec!["evidence", "verify", "--json"];
    words.extend(uris.iter().map(String::as_str));
    assert_eq!(
        verdicts(&site.run(&words).ended(0).out),
        vec![("verified".into(), "null".into(), "whole".into()); 3]
    );
    s3.delete(BUCKET, &story.logs[0]);
    let out = site.run(&["evidence", "verify", &uris[0]]).ended(3).out;
    assert!(out.starts_with(&format!("missing    {}\n", uris[0])) && out.ends_with("1 missing\n"), "{out}");
}

#[test]
fn what_no_digest_covers_is_told_apart() {
    let site = Site::new();
    let out = site
        .run(&["evidence", "verify", "--json", "sqs://1/logs/ab", "archive/x.log", "s3://nowhere"])
        .ended(3)
        .out;
    let said: Vec<String> = verdicts(&out).into_iter().map(|one| one.1).collect();
    assert!(said[0].contains("it lies in no bucket") && said[1].contains("its key is none"), "{said:?}");
    assert!(said[2].contains("no URI"), "{said:?}");
    std::fs::write(site.root().join("keys.json"), "{}").unwrap();
    let ran = site.run(&["evidence", "verify", "x", "--public-keys", "keys.json"]).ended(1);
    assert!(ran.err.contains("list-public-keys"), "{}", ran.err);
}

fn verifier(site: &Site) -> (Arc<Archive>, Verifier) {
    let keys = PublicKeys::read([site.root().join("keys.json").as_path()]).unwrap();
    let archive = Arc::new(Archive::default());
    (Arc::clone(&archive), Verifier::new(archive, keys))
}

fn parts(site: &Site, logs: &[String]) -> Parts {
    let uri = |log: &String| format!("file://{}", site.archive().canonicalize().unwrap().join(log).display());
    let one =
        |log: &String, index, number| Evidence { object: uri(log), index, event_id: Some(event_id(number)) };
    Parts {
        subject: "a key".to_owned(),
        rows: vec![RowSet { name: "timeline".to_owned(), lines: "{\"a\":1}\n".to_owned() }],
        queries: vec![QueryText {
            id: "key_activity".to_owned(),
            sql: "select 1".to_owned(),
            params: BTreeMap::new(),
        }],
        evidence: vec![
            Evidence { event_id: Some("a\u{202e}\u{9b}31m".to_owned()), ..one(&logs[0], 1, 2) },
            one(&logs[2], 0, 4),
            one(&logs[2], 7, 5),
        ],
        ..Parts::default()
    }
}

#[test]
fn an_export_holds_the_records_and_hashes_everything() {
    let (story, site) = (story(), Site::new());
    story.trail.copy(&site);
    let folder = site.root().join("case");
    let exported = blocking(async {
        let (archive, mut verifier) = verifier(&site);
        export(&archive, &mut verifier, Folder::make(&folder).unwrap(), &parts(&site, &story.logs))
            .await
            .unwrap()
    });
    assert_eq!((exported.records, exported.lost.len()), (2, 1), "{exported:?}");
    assert_eq!(exported.lost[0].1, "the object has no record of this index");
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    assert!(manifest.chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()), "{manifest}");
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["evidence"][0]["event_id"], "a\u{202e}\u{9b}31m");
    let mut listed = BTreeSet::from(["manifest.json".to_owned()]);
    for file in manifest["files"].as_array().unwrap() {
        let bytes = std::fs::read(folder.join(text(file, "/path"))).unwrap();
        assert_eq!(text(file, "/sha256"), hex(&Sha256::digest(&bytes)), "{file}");
        listed.insert(text(file, "/path"));
    }
    assert_eq!(BTreeSet::from_iter(files_below(&folder)), listed);
    assert_eq!(exported.files, listed.len());
    let of = |number: usize| {
        std::fs::read_to_string(folder.join(text(&manifest["evidence"][number], "/file"))).unwrap()
    };
    assert_eq!((of(0), of(1)), (record(2).to_string(), record(4).to_string()));
    assert_eq!(manifest["evidence"][2]["lost"], "the object has no record of this index");
    let said: Vec<String> =
        manifest["objects"].as_array().unwrap().iter().map(|one| text(one, "/verdict")).collect();
    assert_eq!(said, ["verified", "verified"]);
    assert_eq!(
        manifest["digests"].as_array().unwrap().len(),
        3,
        "those on which the verdicts rest, and their neighbours"
    );
    // The folder proves its digests by itself: the keys in it are a list that can be given back.
    PublicKeys::read([folder.join("public-keys.json").as_path()])
        .unwrap()
        .get(FINGERPRINT)
        .expect("the key is there");
}

#[test]
fn an_export_overwrites_nothing_and_takes_no_name_from_elsewhere() {
    let (story, site) = (story(), Site::new());
    story.trail.copy(&site);
    let run = |folder: PathBuf, parts: Parts| {
        blocking(async {
            let (archive, mut verifier) = verifier(&site);
            export(&archive, &mut verifier, Folder::make(&folder)?, &parts).await
        })
    };
    let taken = site.root().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("notes.txt"), "mine").unwrap();
    let refused = run(taken.clone(), parts(&site, &story.logs));
    assert!(matches!(refused, Err(ExportError::Taken { .. })), "{refused:?}");
    assert_eq!(files_below(&taken), ["notes.txt"]);
    for (number, name) in ["../rows", "a/b", "", "Über"].into_iter().enumerate() {
        let mut parts = parts(&site, &story.logs);
        parts.rows[0].name = name.to_owned();
        let refused = run(site.root().join(format!("case-{number}")), parts);
        assert!(matches!(refused, Err(ExportError::Name { .. })), "{name}: {refused:?}");
    }
    let mut twice = parts(&site, &story.logs);
    twice.rows.push(twice.rows[0].clone());
    let refused = run(site.root().join("twice"), twice);
    assert!(matches!(refused, Err(ExportError::Taken { .. })), "{refused:?}");
}

/// Chains that are not ours, checked by AWS's own validator. They lie beside the repository where they are at all.
#[test]
fn foreign_chains_give_what_is_expected_of_them() {
    let chains = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/cloudtrail-digest");
    if !chains.is_dir() {
        eprintln!("skipped: there is no {}", chains.display());
        return;
    }
    let site = Site::new();
    let keys = chains.join("public-keys.json");
    for (bucket, expected) in [
        ("good", ["verified"; 4]),
        ("log-edited", ["verified", "verified", "verified", "altered"]),
        ("log-missing", ["missing", "verified", "verified", "verified"]),
        ("digest-edited", ["verified", "verified", "altered", "altered"]),
        ("digest-missing", ["verified", "verified", "no_digest", "no_digest"]),
    ] {
        let root = chains.join(bucket);
        // Named by the good chain: a log that is missing is asked for all the same.
        let mut logs = files_below(&chains.join("good"));
        logs.retain(|path| path.contains("/CloudTrail/"));
        let paths: Vec<String> = logs.iter().map(|log| root.join(log).display().to_string()).collect();
        let mut words = vec!["evidence", "verify", "--json", "--public-keys", keys.to_str().unwrap()];
        words.extend(paths.iter().map(String::as_str));
        let out = site.run(&words).ended(if bucket == "good" { 0 } else { 3 }).out;
        let mut found: Vec<String> = verdicts(&out).into_iter().map(|one| one.0).collect();
        let mut expected = expected.map(str::to_owned).to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{bucket}: {out}");
    }
}
