//! The writing trail from end to end, beside its floor, in one run.
//!
//! `cargo bench --bench end_to_end -- [EVENTS] [FOLDER] [ACCOUNTS]` writes a generated corpus
//! (once a folder), then measures in this process, one after another: the floor
//! (the corpus only unpacked; unpacked and parsed to simd-json's tape; one thread),
//! `ingest` into hot files, and `settle`. CPU seconds and peak memory come from the
//! kernel's account of the process, so Linux only.
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

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ashiato::demo::{ArchiveSpec, write_archive};
use ashiato::lake::catalog::FileFilter;
use ashiato::lake::settle::{SettleLimits, settle};

use floor::{list, unpack};
use measure::{Figures, ingest, measure, open};

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let events: u64 = args.next().map_or(700_000, |events| events.parse().expect("EVENTS is a number"));
    let folder = args.next().map_or_else(|| std::env::temp_dir().join("ashiato-bench"), PathBuf::from);
    let accounts = args.next().map_or(40, |accounts| accounts.parse().expect("ACCOUNTS is a number"));
    // Few accounts: slices so large that they settle at once.
    let regions = if accounts < 10 { 1 } else { 6 };
    let spec = ArchiveSpec { accounts, regions, ..ArchiveSpec::corpus(events) };
    let corpus = folder.join(format!("corpus-{events}-{accounts}"));
    if !corpus.exists() {
        let started = Instant::now();
        write_archive(&corpus, &spec, |_| {}).unwrap();
        println!("corpus written in {:.1} s", started.elapsed().as_secs_f64());
    }
    let files = list(&corpus);
    let stored: u64 = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    let mut plain = 0;
    println!(
        "{:28} {:>8} {:>8} {:>9} {:>8} {:>10} {:>8}",
        "stage", "CPU s", "wall s", "CPU s/GB", "MB/s", "events/s", "peak MB"
    );
    let unpacked = measure(|| plain = files.iter().map(|file| unpack(file).len() as u64).sum());
    let gb = plain as f64 / 1e9;
    let show = |name: &str, figures: &Figures| {
        let Figures { cpu, wall, peak_mb } = figures;
        println!(
            "{name:28} {cpu:8.2} {wall:8.2} {:9.2} {:8.0} {:10.0} {peak_mb:8.0}",
            cpu / gb,
            plain as f64 / 1e6 / wall,
            events as f64 / wall
        );
    };
    show("floor: flate2", &unpacked);
    let tape = measure(|| files.iter().for_each(|file| parse_to_tape(&mut unpack(file))));
    show("floor: flate2 + simd-json", &tape);
    // The trail runs on all cores; where two of them share one, each is slower than alone.
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shared = measure(|| {
        std::thread::scope(|scope| {
            for part in files.chunks(files.len().div_ceil(threads)) {
                scope.spawn(move || part.iter().for_each(|file| parse_to_tape(&mut unpack(file))));
            }
        });
    });
    show(&format!("the same on {threads} threads"), &shared);

    trail(&Corpus { folder: &folder, corpus: &corpus, events, plain, stored }, (&tape, &shared), &show);
}

/// The corpus that is measured.
struct Corpus<'a> {
    folder: &'a Path,
    corpus: &'a Path,
    events: u64,
    plain: u64,
    stored: u64,
}

/// Measures the trail itself and compares it with the floor.
fn trail(of: &Corpus<'_>, (tape, shared): (&Figures, &Figures), show: &dyn Fn(&str, &Figures)) {
    let Corpus { folder, corpus, events, plain, stored } = *of;
    let lake_folder = folder.join("lake");
    drop(std::fs::remove_dir_all(&lake_folder));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (catalog, lake) = runtime.block_on(open(&lake_folder));
    let hot = measure(|| runtime.block_on(ingest(corpus, &catalog, &lake, jiff::Timestamp::now)));
    show("ingest: hot files", &hot);
    let limits = &SettleLimits::default();
    let settling = settle(&catalog, &lake, limits, jiff::Timestamp::now, |_, _, _| ControlFlow::Continue(()));
    let settled = measure(|| assert!(runtime.block_on(settling).unwrap().rows_out > 0));
    show("settle", &settled);
    let visible = runtime.block_on(catalog.visible_files(&FileFilter::default())).unwrap();
    let (rows, bytes) =
        visible.iter().fold((0, 0), |(rows, bytes), file| (rows + file.rows, bytes + file.bytes));
    println!("\n{events} events asked for, {rows} rows in the lake, {} files", visible.len());
    println!("{plain} bytes unpacked, {stored} stored ({:.2} x)", plain as f64 / stored as f64);
    println!(
        "{bytes} bytes in the lake: {:.1} a row, {:.2} % of the unpacked",
        bytes as f64 / rows as f64,
        bytes as f64 * 100.0 / plain as f64
    );
    let both = (hot.cpu + settled.cpu, hot.wall + settled.wall);
    for (name, (cpu, wall)) in [("hot", (hot.cpu, hot.wall)), ("hot + settle", both)] {
        let (alone, shared, wall) = (cpu / tape.cpu, cpu / shared.cpu, wall / cpu);
        println!(
            "{name:12} {alone:.2} x the floor's CPU, {shared:.2} x that on all threads; wall {wall:.2} x its CPU"
        );
    }
}

fn parse_to_tape(text: &mut [u8]) {
    std::hint::black_box(simd_json::to_tape(text).unwrap());
}
