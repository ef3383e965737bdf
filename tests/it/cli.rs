//! The verbs as a person types them.

use crate::archive::{Site, file, gzip, key, record};

#[test]
fn smoke() {
    let site = Site::new();
    site.put(&key("eu-west-1", "a"), &gzip(&file(&[record(1), record(2)])));
    let ran = site.ingest().ended(0);
    eprintln!("{}", ran.out);
    eprintln!("{:#}", site.status());
    eprintln!("{:#?}", site.rows());
}
