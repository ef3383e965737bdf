//! Flow logs from end to end, beside their floor, in one run.
//!
//! `cargo bench --bench flows -- [RECORDS] [FOLDER] [ACCOUNTS]` writes a generated corpus (once a folder):
//! version 2 records, a file of every flow log every five minutes, then measures one after another the
//! floor (unpacked; unpacked and split into lines and fields; one thread), `ingest`, and `settle`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops where it fails"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "figures for people; the bench asks the clock"
)]

#[path = "measure/floor.rs"]
mod floor;
mod measure;

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ashiato::lake::catalog::FileFilter;
use ashiato::lake::settle::{SettleLimits, settle};

use floor::{list, unpack};
use measure::{Figures, ingest, measure, open};

/// Records of one file: five minutes of a busy VPC.
const RECORDS_A_FILE: u64 = 12_500;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let records: u64 = args.next().map_or(2_000_000, |records| records.parse().expect("RECORDS is a number"));
    let folder = args.next().map_or_else(|| std::env::temp_dir().join("ashiato-bench"), PathBuf::from);
    let accounts: u64 = args.next().map_or(4, |accounts| accounts.parse().expect("ACCOUNTS is a number"));
    let corpus = folder.join(format!("flows-{records}-{accounts}"));
    if !corpus.exists() {
        write_corpus(&corpus, records, accounts);
    }
    let files = list(&corpus);
    let mut plain = 0;
    println!(
        "{:28} {:>8} {:>8} {:>14} {:>10} {:>8}",
        "stage", "CPU s", "wall s", "MB/CPU s", "records/s", "peak MB"
    );
    let unpacked = measure(|| plain = files.iter().map(|file| unpack(file).len() as u64).sum());
    let show = |name: &str, figures: &Figures| {
        let Figures { cpu, wall, peak_mb } = figures;
        println!(
            "{name:28} {cpu:8.2} {wall:8.2} {:14.0} {:10.0} {peak_mb:8.0}",
            plain as f64 / 1e6 / cpu,
            records as f64 / wall
        );
    };
    show("floor: flate2", &unpacked);
    let split = measure(|| files.iter().for_each(|file| split(&unpack(file))));
    show("floor: flate2 + split", &split);
    let lake_folder = folder.join("lake");
    drop(std::fs::remove_dir_all(&lake_folder));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (catalog, lake) = runtime.block_on(open(&lake_folder));
    let read = measure(|| runtime.block_on(ingest(&corpus, &catalog, &lake, jiff::Timestamp::now)));
    show("ingest", &read);
    let files = runtime.block_on(catalog.visible_files(&FileFilter::default())).unwrap();
    let settled = files.iter().filter(|file| file.key.starts_with("ext/")).map(|file| file.rows).sum::<u64>();
    println!("{settled} of {records} records settled at once");
    let limits = &SettleLimits::default();
    let settling = settle(&catalog, &lake, limits, jiff::Timestamp::now, |_, _, _| ControlFlow::Continue(()));
    let merged = measure(|| assert!(runtime.block_on(settling).unwrap().rows_out > 0));
    show("settle (merge of the day)", &merged);
    let visible = runtime.block_on(catalog.visible_files(&FileFilter::default())).unwrap();
    let (rows, bytes) =
        visible.iter().fold((0, 0), |(rows, bytes), file| (rows + file.rows, bytes + file.bytes));
    println!(
        "\n{rows} rows in the lake, {} files, {bytes} bytes: {:.1} a row",
        visible.len(),
        bytes as f64 / rows as f64
    );
    println!("{plain} bytes unpacked; the lake has {:.1} % of them", bytes as f64 * 100.0 / plain as f64);
    for (name, cpu) in [("ingest", read.cpu), ("ingest + settle", read.cpu + merged.cpu)] {
        println!(
            "{name:16} {:.2} x the floor's CPU, {:.0} MB a CPU second",
            cpu / split.cpu,
            plain as f64 / 1e6 / cpu
        );
    }
}

/// Finds every line and every field, and does nothing with them.
fn split(text: &[u8]) {
    let mut fields = 0;
    for line in text.split(|byte| *byte == b'\n') {
        fields +=
            line.split(|byte| *byte == b' ').map(|field| std::hint::black_box(field).len()).sum::<usize>();
    }
    std::hint::black_box(fields);
}

/// Writes files as a flow log delivers them. Hosts talk to a few services of their VPC, and a few strangers knock.
fn write_corpus(folder: &Path, records: u64, accounts: u64) {
    let mut chance = fastrand::Rng::with_seed(7);
    let files = records.div_ceil(RECORDS_A_FILE);
    for file in 0..files {
        let account = 111_122_223_000 + file % accounts;
        let minute = (file / accounts) * 5 % 1440;
        let day = folder.join(format!("AWSLogs/{account}/vpcflowlogs/eu-west-1/2026/01/05"));
        std::fs::create_dir_all(&day).unwrap();
        let mut text = String::from(ashiato::ingest::source::vpc_flow::record::DEFAULT);
        text.push('\n');
        let count = RECORDS_A_FILE.min(records - file * RECORDS_A_FILE);
        for _ in 0..count {
            line(&mut text, &mut chance, account, 1_767_571_200 + minute * 60);
        }
        let (hour, minute) = (minute / 60, minute % 60);
        let name = format!(
            "{account}_vpcflowlogs_eu-west-1_fl-0a1b2c3d_20260105T{hour:02}{minute:02}Z_{file:08x}.log.gz"
        );
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        gzip.write_all(text.as_bytes()).unwrap();
        std::fs::write(day.join(name), gzip.finish().unwrap()).unwrap();
    }
}

fn line(text: &mut String, chance: &mut fastrand::Rng, account: u64, from: u64) {
    let (host, peer) = (chance.u16(1..600), chance.u16(1..600));
    let own = format!("10.0.{}.{}", host / 250, host % 250 + 2);
    let (other, port) = match chance.u8(..100) {
        0..70 => (
            format!("10.0.{}.{}", peer / 250, peer % 250 + 2),
            *chance.choice(&[443, 5432, 6379, 8080]).unwrap(),
        ),
        70..92 => (format!("52.94.{}.{}", peer % 8, peer % 250), 443),
        _ => (format!("198.51.100.{}", chance.u8(1..)), *chance.choice(&[22, 23, 3389, 445]).unwrap()),
    };
    let action = if port < 443 || port == 3389 { "REJECT" } else { "ACCEPT" };
    let packets = chance.u32(1..200);
    let start = from + chance.u64(..240);
    let (client, answer) = (chance.u16(32768..), chance.bool());
    let (src, dst) = if answer { ((&other, port), (&own, client)) } else { ((&own, client), (&other, port)) };
    writeln!(
        text,
        "2 {account} eni-{:017x} {} {} {} {} 6 {packets} {} {start} {} {action} OK",
        u64::from(host) * 0x9e37_79b9,
        src.0,
        dst.0,
        src.1,
        dst.1,
        packets * chance.u32(40..1400),
        start + chance.u64(10..60)
    )
    .unwrap();
}
