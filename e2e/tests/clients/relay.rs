//! What stands between a client and the gateway, and does not do its work well.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use raincheck_e2e::Must;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What goes wrong, once, with the first request that contains a text.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It is answered 504 and goes no further.
    TimesOut,
    /// It reaches the gateway, and the connection ends after this many bytes of the answer.
    Cuts(usize),
    /// It reaches the gateway, and the connection ends after the answer's head.
    CutsBody,
    /// It reaches the gateway, and the connection ends after the packet with this text.
    CutsAfter(&'static str),
}

type Faults = Arc<Mutex<Vec<(&'static str, Fault)>>>;

/// A relay on a port of its own. Dropping it closes everything.
pub struct Relay {
    addr: SocketAddr,
    left: Faults,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// Passes connections on to `gateway`, with these faults.
    pub async fn start(gateway: SocketAddr, faults: &[(&'static str, Fault)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.must("a port");
        let addr = listener.local_addr().must("its address");
        let left: Faults = Arc::new(Mutex::new(faults.to_vec()));
        let (mut tasks, faults) = (JoinSet::new(), Arc::clone(&left));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, gateway, Arc::clone(&faults)));
            }
        });
        Self {
            addr,
            left,
            _tasks: tasks,
        }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Faults that nobody met.
    pub fn left(&self) -> usize {
        self.left.lock().must("the faults").len()
    }
}

/// The fault that this request meets.
fn fault(faults: &Faults, request: &[u8]) -> Option<Fault> {
    let request = String::from_utf8_lossy(request);
    let mut faults = faults.lock().must("the faults");
    let index = faults.iter().position(|(text, _)| request.contains(text))?;
    Some(faults.remove(index).1)
}

/// One connection, until either side ends it or a fault does.
async fn pass(mut client: TcpStream, gateway: SocketAddr, faults: Faults) {
    let Ok(mut upstream) = TcpStream::connect(gateway).await else {
        return;
    };
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut room = usize::MAX;
    let (mut is_bodiless, mut last) = (false, None);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(len @ 1..) = read else { return };
                match fault(&faults, &asked[..len]) {
                    Some(Fault::TimesOut) => {
                        let gone = "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n";
                        if client.write_all(gone.as_bytes()).await.is_err() { return }
                        continue;
                    }
                    Some(Fault::Cuts(after)) => room = after,
                    Some(Fault::CutsBody) => is_bodiless = true,
                    Some(Fault::CutsAfter(text)) => last = Some(text),
                    None => {}
                }
                if upstream.write_all(&asked[..len]).await.is_err() { return }
            }
            read = upstream.read(&mut answered) => {
                let Ok(len @ 1..) = read else { return };
                let head = answered[..len].windows(4).position(|end| end == b"\r\n\r\n");
                if let (true, Some(head)) = (is_bodiless, head) {
                    room = head + 4;
                }
                let passed = len.min(room);
                if client.write_all(&answered[..passed]).await.is_err() || passed < len { return }
                room -= passed;
                let is_last = |text| String::from_utf8_lossy(&answered[..len]).contains(text);
                if last.is_some_and(is_last) { return }
            }
        }
    }
}
