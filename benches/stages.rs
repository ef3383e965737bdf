//! A bench a stage, on a generated corpus: decompress, parse, normalize and batch, write.
//!
//! `cargo bench --bench stages`. Throughput is in bytes unpacked.
#![expect(clippy::unwrap_used, reason = "a bench stops where it fails")]

use std::sync::Arc;

use ashiato::demo::{ArchiveSpec, write_archive};
use ashiato::ingest::batch::{Builders, Source, plan};
use ashiato::ingest::decompress::{UnpackLimits, Unpacker};
use ashiato::ingest::segment::{Piece, Segment, SegmentLimits};
use ashiato::ingest::source::LogSource;
use ashiato::ingest::source::key::KeyFacts;
use ashiato::ingest::write::write;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn stored_objects() -> Vec<Bytes> {
    let folder = tempfile::tempdir().unwrap();
    write_archive(folder.path(), &ArchiveSpec::corpus(20_000), |_| {}).unwrap();
    let (mut objects, mut folders) = (Vec::new(), vec![folder.path().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { objects.push(std::fs::read(path).unwrap().into()) }
        }
    }
    objects
}

fn unpack(objects: &[Bytes], out: &mut Vec<u8>) {
    for object in objects {
        let mut unpacker = Unpacker::new(UnpackLimits::default());
        assert!(unpacker.unpack_whole(object, out, usize::MAX));
    }
}

fn fill(objects: &[Bytes], segment: &mut Segment) {
    for (number, bytes) in (0..).zip(objects) {
        let facts = Arc::new(KeyFacts { source: Some(LogSource::CloudTrail), ..KeyFacts::default() });
        segment.fill(Piece { object: number, facts, bytes: bytes.clone(), first: true, last: true });
    }
}

fn stages(criterion: &mut Criterion) {
    let objects = stored_objects();
    let names = vec!["file:///object".to_owned(); objects.len()];
    let limits = SegmentLimits { plain_bytes_max: 1 << 30, ..SegmentLimits::default() };
    let (mut text, mut segment) = (Vec::new(), Segment::new(limits));
    unpack(&objects, &mut text);
    let mut group = criterion.benchmark_group("stages");
    group.sample_size(20).throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("decompress", |bench| {
        bench.iter(|| {
            text.clear();
            unpack(&objects, &mut text);
        });
    });
    group.bench_function("decompress + parse", |bench| {
        bench.iter(|| {
            segment.reset();
            fill(&objects, &mut segment);
        });
    });
    segment.reset();
    fill(&objects, &mut segment);
    let mut builders = Builders::default();
    let source = Source::new(&segment, &names).unwrap();
    let batches = plan(source).batches;
    group.bench_function("normalize + batch", |bench| {
        bench.iter(|| {
            let batches = plan(source).batches;
            batches.iter().map(|batch| builders.rows(batch, source).count()).sum::<usize>()
        });
    });
    let rows: Vec<Vec<_>> = batches.iter().map(|batch| builders.rows(batch, source).collect()).collect();
    group.bench_function("write", |bench| {
        bench.iter(|| {
            let made = batches.iter().zip(&rows).map(|(batch, rows)| {
                let rows = rows.iter().map(|rows| Ok(rows.as_ref().unwrap().clone()));
                write(batch, rows, "x").unwrap().bytes.len()
            });
            made.sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
