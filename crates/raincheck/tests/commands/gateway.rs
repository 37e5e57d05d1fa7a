//! A gateway by script: reads a request, answers with the bytes it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

pub const ID: &str = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: String,
}

impl Seen {
    /// Method and target.
    pub fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap();
        line.strip_suffix(" HTTP/1.1").unwrap()
    }

    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        fields
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// What to do with a request.
pub enum Reply {
    /// Answer, and keep the connection.
    Whole(String),
    /// Send this and close the connection.
    Cut(String),
    /// Never answer.
    Silence,
}

/// A running gateway.
pub struct Gateway {
    addr: SocketAddr,
    seen: Arc<(Mutex<Vec<Seen>>, Condvar)>,
}

type Script = dyn Fn(usize, &Seen) -> Reply + Send + Sync;

impl Gateway {
    /// Answers the request number `n`, from 0, with what the script says.
    pub fn start(script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::default();
        let gateway = Self {
            addr,
            seen: Arc::clone(&seen),
        };
        let script: Arc<Script> = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                thread::spawn(move || serve(stream, &seen, &*script));
            }
        });
        gateway
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.0.lock().unwrap().clone()
    }

    /// Waits until this many requests have come.
    pub fn wait_for(&self, count: usize) {
        let guard = self.seen.0.lock().unwrap();
        let enough = self.seen.1.wait_while(guard, |seen| seen.len() < count);
        drop(enough.unwrap());
    }
}

fn serve(stream: TcpStream, seen: &(Mutex<Vec<Seen>>, Condvar), script: &Script) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let number = {
            let mut all = seen.0.lock().unwrap();
            all.push(request.clone());
            seen.1.notify_all();
            all.len() - 1
        };
        match script(number, &request) {
            Reply::Whole(bytes) => reader.get_mut().write_all(bytes.as_bytes()).unwrap(),
            Reply::Cut(bytes) => return reader.get_mut().write_all(bytes.as_bytes()).unwrap(),
            Reply::Silence => {
                _ = reader.read(&mut [0]);
                return;
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut seen = Seen {
        head,
        body: String::new(),
    };
    if let Some(length) = seen
        .all("content-length")
        .first()
        .map(|text| text.parse().unwrap())
    {
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).ok()?;
        seen.body = String::from_utf8(bytes).unwrap();
    } else if !seen.all("transfer-encoding").is_empty() {
        seen.body = chunks(reader)?;
    }
    Some(seen)
}

fn chunks(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut body = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut bytes = vec![0; length + 2];
        reader.read_exact(&mut bytes).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
}

/// A whole answer.
pub fn answer(status: u16, fields: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Whole(format!(
        "HTTP/1.1 {status} X\r\n{fields}content-length: {length}\r\n\r\n{body}"
    ))
}

/// A status document.
pub fn status(word: &str, answered: Option<u16>) -> Reply {
    answer(
        200,
        "content-type: application/json\r\n",
        &document(word, answered),
    )
}

/// A ticket.
pub fn ticket() -> Reply {
    let fields = format!("location: /jobs/{ID}\r\nraincheck-job-id: {ID}\r\n");
    answer(202, &fields, &document("queued", None))
}

pub fn document(word: &str, answered: Option<u16>) -> String {
    let error = match word {
        "failed" | "expired" | "cancelled" => {
            r#"{"code":"upstream-broken","title":"It broke","detail":"why"}"#
        }
        _ => "null",
    };
    let response = answered.map_or("null".to_owned(), |status| {
        format!(r#"{{"status":{status},"content_type":"text/plain","content_length":10}}"#)
    });
    format!(
        r#"{{"job_id":"{ID}","status":"{word}","route":"render","attempt":1,"attempts_max":1,"executions":1,"progress":null,"created_at":"2026-11-23T08:03:12.123Z","response":{response},"error":{error},"links":{{"self":"/jobs/{ID}","result":"/jobs/{ID}/result"}}}}"#
    )
}

/// A problem of the gateway.
pub fn problem(status: u16, code: &str) -> Reply {
    let fields = "content-type: application/problem+json\r\nraincheck-error: gateway\r\n";
    let body =
        format!(r#"{{"status":{status},"code":"{code}","title":"Title","detail":"the detail"}}"#);
    answer(status, fields, &body)
}
