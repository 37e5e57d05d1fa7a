//! nginx from Debian, in front of something else.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use rustix::process::Signal;

use crate::bound::{Must, within};
use crate::loopback;
use crate::process::Child;

/// An nginx that runs.
#[derive(Debug)]
pub struct Nginx {
    _dir: tempfile::TempDir,
    child: Child,
    /// Where it is.
    pub url: String,
    addr: SocketAddr,
}

impl Nginx {
    /// One that passes everything on to this URL; `more` are directives of its only location.
    pub async fn in_front_of(upstream: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().must("a directory");
        let addr = loopback::free();
        let path = dir.path().display();
        let config = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log stderr;
             events {{ worker_connections 64; }}
             http {{ access_log off; client_max_body_size 0;
               client_body_temp_path {path}/a; proxy_temp_path {path}/b;
               fastcgi_temp_path {path}/c; uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;
               server {{ listen {addr};
                 location / {{ proxy_pass {upstream}; {more} gzip on; }} }} }}"
        );
        let file = dir.path().join("nginx.conf");
        fs::write(&file, config).must("the config of nginx");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(dir.path()).arg("-c").arg(file);
        let child = Child::spawn(command);
        within("nginx", async {
            while tokio::net::TcpStream::connect(addr).await.is_err() {
                assert!(child.is_running(), "nginx: {}", child.stderr());
                tokio::task::yield_now().await;
            }
        })
        .await;
        Self {
            _dir: dir,
            child,
            url: format!("http://{addr}"),
            addr,
        }
    }

    /// Its socket.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.signal(Signal::TERM);
    }
}
