//! `ashiato ingest`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::ingest::fetch::Archive;
use crate::ingest::list::Lister;
use crate::ingest::{EmbeddedQueue, IngestLimits, Trail};
use crate::lake::store::Place;
use crate::lake::{Catalog, Lake};

/// Quick.
pub async fn quick(args: &[String]) -> anyhow::Result<()> {
    let lake = Lake::open(Place::read(&args[2])?)?;
    let Place::Folder(path) = &lake.place else { anyhow::bail!("x") };
    let catalog = Catalog::open(&path.join("catalog.sqlite")).await?;
    if args[1] == "settle" {
        let summary = crate::lake::settle::settle(&catalog, &lake, crate::lake::settle::SettleLimits::default(), jiff::Timestamp::now, |_, _, _| {}).await?;
        println!("{summary:#?}");
        return Ok(());
    }
    let queue = Arc::new(EmbeddedQueue::new(Duration::from_secs(30), 1000));
    let archive = Arc::new(Archive::default());
    let progress = Arc::new(crate::ingest::progress::Progress::default());
    let limits = IngestLimits { batch_age_max: Duration::from_millis(250), ..IngestLimits::default() };
    let trail = Arc::new(Trail { queue: Arc::clone(&queue), archive: Arc::clone(&archive), catalog, lake, limits, progress: Arc::clone(&progress), clock: jiff::Timestamp::now });
    let lister = Lister { queue: Arc::clone(&queue), archive, progress: Arc::clone(&progress) };
    let (_stop, shutdown) = watch::channel(false);
    let place = Place::read(&args[1])?;
    let (listed, ran) = tokio::join!(async { let r = lister.list(&place).await; queue.close(); r }, crate::ingest::run(trail, shutdown));
    listed?;
    ran?;
    println!("{:#?}", progress.snapshot());
    Ok(())
}
