//! What one durable write costs on the disk under the data directory: the floor of a durable answer.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::time::Instant;

const ROUNDS: u32 = 500;

/// The median time of a 4 KiB write with `fdatasync`, one after the other, over an existing file.
pub fn fdatasync_p50(directory: &Path) -> Result<Duration> {
    let mut file = tempfile::tempfile_in(directory)?;
    let block = [b'x'; 4096];
    for _ in 0..64 {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let mut times = Histogram::<u64>::new(3)?;
    for round in 0..ROUNDS {
        file.seek(SeekFrom::Start(u64::from(round % 64) * 4096))?;
        let begun = Instant::now();
        file.write_all(&block)?;
        rustix::fs::fdatasync(&file)?;
        times.record(begun.elapsed().as_nanos() as u64)?;
    }
    Ok(Duration::from_nanos(times.value_at_quantile(0.5)))
}
