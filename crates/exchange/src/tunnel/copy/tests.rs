//! What goes in on one side comes out on the other, for as long as anything moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};

use super::{End, Way, copy};

/// A tunnel with its two far ends, and what it says of itself.
struct Rig {
    client: DuplexStream,
    upstream: DuplexStream,
    passed: Arc<[AtomicUsize; 2]>,
    tunnel: JoinHandle<End>,
}

fn rig(idle: Option<Duration>) -> Rig {
    let (client, near) = duplex(1024);
    let (upstream, far) = duplex(1024);
    let passed = Arc::<[AtomicUsize; 2]>::default();
    let counts = Arc::clone(&passed);
    let counted = move |way: Way, bytes| {
        counts[usize::from(way == Way::Down)].fetch_add(bytes, Relaxed);
    };
    Rig {
        client,
        upstream,
        passed,
        tunnel: tokio::spawn(copy(near, far, idle, counted)),
    }
}

#[tokio::test]
async fn bytes_go_both_ways_and_ends_one_by_one() {
    let Rig {
        mut client,
        mut upstream,
        passed,
        tunnel,
    } = rig(None);
    // Far more than there is room for, so that both lanes have to wait for their readers.
    let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut client_read, mut client_write) = tokio::io::split(&mut client);
    let (mut upstream_read, mut upstream_write) = tokio::io::split(&mut upstream);
    let (mut at_upstream, mut at_client) = (Vec::new(), Vec::new());
    let up = async {
        client_write.write_all(&sent).await.unwrap();
        client_write.shutdown().await.unwrap();
    };
    let down = async {
        upstream_read.read_to_end(&mut at_upstream).await.unwrap();
        // The client has said all; it still listens.
        upstream_write.write_all(&sent).await.unwrap();
        upstream_write.shutdown().await.unwrap();
    };
    let ((), (), read) = tokio::join!(up, down, client_read.read_to_end(&mut at_client));
    read.unwrap();
    assert_eq!((at_upstream == sent, at_client == sent), (true, true));
    assert!(matches!(tunnel.await.unwrap(), End::Closed));
    let passed = [passed[0].load(Relaxed), passed[1].load(Relaxed)];
    assert_eq!(passed, [200_000, 200_000]);
}

#[tokio::test(start_paused = true)]
async fn hours_of_silence_are_fine_as_long_as_they_may_be() {
    let hour = Duration::from_secs(3600);
    let Rig {
        mut client,
        mut upstream,
        tunnel,
        ..
    } = rig(Some(4 * hour));
    let begun = Instant::now();
    for _ in 0..5 {
        advance(3 * hour).await;
        upstream.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        client.read_exact(&mut bytes).await.unwrap();
    }
    assert!(matches!(tunnel.await.unwrap(), End::Idle));
    assert_eq!(begun.elapsed().as_secs() / 3600, 19);
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(upstream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_side_that_breaks_ends_the_other() {
    let Rig {
        mut client,
        upstream,
        tunnel,
        ..
    } = rig(None);
    drop(upstream);
    // Its end is passed on first; what is sent to it then finds nobody.
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    client.write_all(b"anybody?").await.unwrap();
    assert!(matches!(tunnel.await.unwrap(), End::Broken(Way::Up, _)));
    assert!(client.write_all(b"no").await.is_err());
}
