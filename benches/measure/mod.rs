//! What the end-to-end benches measure with: the kernel's account of this process, so Linux only.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ashiato::ingest::archive::Archive;
use ashiato::ingest::list::{Lister, read_places};
use ashiato::ingest::progress::Progress;
use ashiato::ingest::{EmbeddedQueue, IngestLimits, Trail};
use ashiato::lake::store::Place;
use ashiato::lake::{Catalog, Lake};

/// What a piece of work took.
pub(crate) struct Figures {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
    pub(crate) peak_mb: f64,
}

pub(crate) async fn open(folder: &Path) -> (Catalog, Lake) {
    let lake = Lake::in_folder(std::path::absolute(folder).unwrap()).unwrap();
    (Catalog::open(&folder.join("catalog.sqlite")).await.unwrap(), lake)
}

pub(crate) async fn ingest(corpus: &Path, catalog: &Catalog, lake: &Lake, clock: fn() -> jiff::Timestamp) {
    let limits = IngestLimits::default();
    let queue = Arc::new(EmbeddedQueue::new(limits.lease, 10_000));
    let (archive, progress) = (Arc::new(Archive::default()), Arc::new(Progress::default()));
    let lister = Lister::new(Arc::clone(&queue), Arc::clone(&archive), Arc::clone(&progress));
    let (catalog, lake) = (catalog.clone(), lake.clone());
    let trail = Trail { queue, archive, catalog, lake, limits, progress, clock };
    let place = Place::read(&corpus.display().to_string()).unwrap();
    let (_interrupt, interrupted) = tokio::sync::watch::channel(false);
    read_places(trail, &lister, &[place], interrupted).await.unwrap();
}

pub(crate) fn measure(work: impl FnOnce()) -> Figures {
    // Resets the peak of resident memory.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
    let (cpu, started) = (cpu_seconds(), Instant::now());
    work();
    Figures { cpu: cpu_seconds() - cpu, wall: started.elapsed().as_secs_f64(), peak_mb: peak_mb() }
}

/// User and system time of all threads, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux's /proc");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux's /proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
