//! Large bodies: they pass through in each mode, and memory stays small.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;

use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::{Client, request};
use crate::noop::Noop;
use crate::report::{Section, mebibytes, number};

/// A body that takes longer than this is stuck.
const LONGEST: Duration = Duration::from_secs(600);

/// One way for a large body to go.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    route: &'static str,
    /// The body goes up (a request), else down (a response).
    up: bool,
    /// The answer is a ticket, to be followed to the result.
    ticket: bool,
}

const WAYS: [Way; 7] = [
    Way {
        name: "response, sync",
        route: "sync",
        up: false,
        ticket: false,
    },
    Way {
        name: "response, auto within the hold",
        route: "auto",
        up: false,
        ticket: false,
    },
    Way {
        name: "response, auto past the hold",
        route: "late",
        up: false,
        ticket: true,
    },
    Way {
        name: "response, async",
        route: "async",
        up: false,
        ticket: true,
    },
    Way {
        name: "request, sync",
        route: "sync",
        up: true,
        ticket: false,
    },
    Way {
        name: "request, auto",
        route: "auto",
        up: true,
        ticket: false,
    },
    Way {
        name: "request, async",
        route: "async",
        up: true,
        ticket: true,
    },
];

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let program = context
        .raincheck
        .as_ref()
        .context("this suite measures raincheck")?;
    let mut section = Section::new(
        "bodies",
        "One large body through each mode, each with a fresh server. Past the hold and in async the \
         response is recorded and then read as the job's result; requests of auto and async are \
         stored before they are sent.",
        &["way", "MiB", "seconds", "MiB per second", "RSS peak MiB"],
    );
    let mut highest = 0;
    for way in WAYS {
        let passed = tokio::time::timeout(LONGEST, one(context, program, way)).await;
        let (seconds, peak) = passed
            .context("it took too long")
            .flatten()
            .with_context(|| way.name.to_owned())?;
        let size = mebibytes(context.body);
        let cells = [size, seconds, size / seconds, mebibytes(peak)].map(number);
        let [size, seconds, rate, peak_text] = cells;
        section.row([way.name.to_owned(), size, seconds, rate, peak_text]);
        highest = highest.max(peak);
    }
    section.at_most(
        "resident memory in every mode",
        100.0,
        mebibytes(highest),
        " MiB",
    );
    Ok(section)
}

async fn one(context: &Context, program: &Path, way: Way) -> Result<(f64, u64)> {
    let noop = Noop::start().await?;
    let limits = format!("max_request = {}\n", context.body + (1 << 20));
    let late = format!("{limits}hold = \"1s\"\n");
    let routes = [
        route(
            "sync",
            "sync",
            noop.address,
            &format!("{limits}timeout = \"10m\"\n"),
        ),
        route(
            "auto",
            "auto",
            noop.address,
            &format!("{limits}hold = \"10m\"\n"),
        ),
        route("late", "auto", noop.address, &late),
        route("async", "async", noop.address, &limits),
    ]
    .concat();
    let home = Home::new(&context.data, &routes)?;
    let gateway = home.start(program).await?;
    let begun = Instant::now();
    let got = match way.up {
        true => upload(context, &gateway, way).await?,
        false => download(context, &gateway, way).await?,
    };
    let expected = if way.up { 1024 } else { context.body };
    if got != expected {
        bail!("{got} bytes came back instead of {expected}");
    }
    Ok((begun.elapsed().as_secs_f64(), gateway.process.usage()?.peak))
}

async fn download(context: &Context, gateway: &Gateway, way: Way) -> Result<u64> {
    // Behind the short hold the backend takes longer than that for its first byte.
    let wait = if way.route == "late" {
        "wait/2000/"
    } else {
        ""
    };
    let path = format!("/{}/{wait}big/{}", way.route, context.body);
    let mut client = Client::new(gateway.address);
    client
        .wire()
        .await?
        .send(&request("GET", &path, "", b""))
        .await?;
    finish(client, way).await
}

async fn upload(context: &Context, gateway: &Gateway, way: Way) -> Result<u64> {
    let mut client = Client::new(gateway.address);
    let wire = client.wire().await?;
    let head = format!(
        "POST /{}/x HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n",
        way.route, context.body
    );
    wire.send(head.as_bytes()).await?;
    let block = vec![b'x'; 256 * 1024];
    let mut left = context.body;
    while left > 0 {
        let step = left.min(block.len() as u64);
        wire.send(&block[..step as usize]).await?;
        left -= step;
    }
    finish(client, way).await
}

/// Reads the answer, follows a ticket to its result, and returns the size of the final body.
async fn finish(mut client: Client, way: Way) -> Result<u64> {
    let (status, size) = read(&mut client).await?;
    if !way.ticket {
        return if status == 200 {
            Ok(size)
        } else {
            bail!("the answer was {status}")
        };
    }
    if status != 202 {
        bail!("the answer was {status} where a ticket was expected");
    }
    let job = client.header("location").context("a Location")?.to_owned();
    let ask = request("GET", &format!("{job}/result"), "prefer: wait=30\r\n", b"");
    loop {
        client.wire().await?.send(&ask).await?;
        match read(&mut client).await? {
            (200, size) => return Ok(size),
            (202, _) => {}
            (status, _) => bail!("the result was answered {status}"),
        }
    }
}

async fn read(client: &mut Client) -> Result<(u16, u64)> {
    let wire = client.wire().await?;
    if !wire.read_head().await? {
        bail!("the server closed the connection");
    }
    let status = wire.status()?;
    let framing = wire.framing()?;
    Ok((status, wire.read_body(framing, None).await?))
}
