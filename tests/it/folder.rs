//! Folders hold what buckets cannot. None of it stops a reader or keeps it waiting.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::archive::{REGION, Site, file, gzip, key, record};
use crate::crash::{start, wait};
use crate::worker::uids;

#[test]
fn pipes_circles_and_odd_names_neither_stop_nor_hang_a_reader() {
    let site = Site::new();
    let below = |name: &str| site.archive().join(name);
    for (number, name) in (0..).zip(["plain", "new\nline", "\u{1b}[31mred\u{7}"]) {
        site.put(&key(REGION, name), &gzip(&file(&[record(number)])));
    }
    let pipe = below("pipe.json.gz");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(below("socket.json")).unwrap();
    std::fs::write(site.archive().join(OsStr::from_bytes(b"no\xfftext.json")), b"{}").unwrap();
    // Circles: to itself, to the folder above; and two links to nowhere.
    symlink("self", below("self")).unwrap();
    symlink("..", below("o-example123/up")).unwrap();
    symlink("nowhere", below("dangling")).unwrap();
    // What a link leads to is read, once.
    let elsewhere = site.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("x.json"), file(&[record(3)])).unwrap();
    symlink(&elsewhere, below("linked")).unwrap();
    symlink(&elsewhere, below("linked-again")).unwrap();
    let began = Instant::now();
    let ran = wait(start(&site, &["ingest", "archive"])).ended(0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(site.uids(), uids(0..4));
    for words in [
        "2 objects left alone: neither file nor folder",
        "1 objects left alone: name that is no UTF-8",
        "2 objects left alone: link to a folder that was read already",
        "2 objects left alone: gone before it was read",
    ] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
    assert!(!ran.out.contains(['\u{1b}', '\u{7}']), "{ran:?}");
    let again = site.ingest().ended(0);
    assert!(again.out.contains("4 objects were in the lake already"), "{again:?}");
}

#[test]
fn a_name_that_cannot_be_shown_is_told_safely() {
    let site = Site::new();
    site.put(&key(REGION, "\u{1b}[31m\nred"), b"\x1f\x8bno gzip");
    let ran = site.ingest().ended(3);
    assert!(ran.out.contains("cannot read file:///"), "{ran:?}");
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains("\nred"), "{ran:?}");
}
