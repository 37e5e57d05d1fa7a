//! Ways to join a response, and what the document says that each of them gets: worked out a second
//! time, apart from the code.

use raincheck_e2e::Must;

/// Three events of nine bytes.
pub const ALL: &str = "data: a\n\ndata: b\n\ndata: c\n\n";
/// What is there in the middle of the body.
pub const HALF: u64 = 18;
/// Where one goes on who has one event.
pub const SEEN: u64 = 9;

/// What a response is to those who join it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    Events,
    /// Events that nobody here can look into.
    Coded,
}

pub const KINDS: [Kind; 3] = [Kind::Text, Kind::Events, Kind::Coded];

impl Kind {
    pub fn head(self) -> String {
        let fields = match self {
            Self::Text => "content-type: text/plain",
            Self::Events => "content-type: text/event-stream",
            Self::Coded => "content-type: text/event-stream\r\ncontent-encoding: gzip",
        };
        format!("HTTP/1.1 200 OK\r\n{fields}\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Events => "events",
            Self::Coded => "coded",
        }
    }

    pub fn of(path: &str) -> Self {
        let named = |kind: &&Self| path.ends_with(kind.path());
        *KINDS.iter().find(named).must("a kind in the path")
    }
}

/// How a client says what it has.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Plain,
    Range(u64),
    RangeOfThis(u64),
    RangeOfAnother(u64),
    Lines,
    Reader,
    /// The last event of this run ended there.
    After(u64),
    /// A last event of another run, of another job, of nobody.
    AfterOtherRun,
    AfterOtherJob,
    AfterNonsense,
    AfterNothing,
}

pub const FORMS: [Form; 15] = [
    Form::Plain,
    Form::Range(0),
    Form::Range(SEEN),
    Form::Range(99),
    Form::RangeOfThis(SEEN),
    Form::RangeOfThis(99),
    Form::RangeOfAnother(SEEN),
    Form::Lines,
    Form::Reader,
    Form::After(SEEN),
    Form::After(SEEN + 1),
    Form::AfterOtherRun,
    Form::AfterOtherJob,
    Form::AfterNonsense,
    Form::AfterNothing,
];

impl Form {
    pub fn fields(self, id: &str, run: u64) -> Vec<(&'static str, String)> {
        let range = |from: u64| ("range", format!("bytes={from}-"));
        let last = |text: String| vec![("last-event-id", text)];
        let other = "01997f6c-0000-7000-8000-000000000000";
        match self {
            Self::Plain => vec![],
            Self::Range(from) => vec![range(from)],
            Self::RangeOfThis(from) => vec![range(from), ("if-range", tag(id, run))],
            Self::RangeOfAnother(from) => vec![range(from), ("if-range", tag(id, run + 1))],
            Self::Lines => vec![("range", "lines=1-".to_owned())],
            Self::Reader => vec![("accept", "text/event-stream".to_owned())],
            Self::After(at) => last(format!("rc.{id}.{run}.{at}")),
            Self::AfterOtherRun => last(format!("rc.{id}.{}.{SEEN}", run + 1)),
            Self::AfterOtherJob => last(format!("rc.{other}.{run}.{SEEN}")),
            Self::AfterNonsense => last("rc.what?".to_owned()),
            Self::AfterNothing => last(String::new()),
        }
    }

    pub fn reads_events(self) -> bool {
        match self {
            Self::Reader
            | Self::After(_)
            | Self::AfterOtherRun
            | Self::AfterOtherJob
            | Self::AfterNonsense
            | Self::AfterNothing => true,
            Self::Plain | Self::Lines => false,
            Self::Range(_) | Self::RangeOfThis(_) | Self::RangeOfAnother(_) => false,
        }
    }
}

pub fn tag(id: &str, run: u64) -> String {
    format!("\"{id}-{run}\"")
}

/// How a job stands for those who join.
#[derive(Clone, Copy, Debug)]
pub enum Now {
    /// There is no head yet.
    Unbegun,
    /// A run's response has come to this byte.
    Growing(u64),
    /// It is whole.
    Whole,
    /// There is a response that is not 200, with this body.
    Status(u16, &'static str),
    /// There will be none.
    Problem(u16, &'static str),
}

/// What they get.
#[derive(Debug, PartialEq)]
pub enum Gets {
    /// This status, and the response from this byte on.
    Bytes(u16, u64),
    /// Events with ids from this byte on.
    Marked(u64),
    /// 416 with so many bytes that are there.
    Beyond(u64),
    /// What tells a reader of events to come again.
    Again,
    Ticket,
    Answer(u16, &'static str),
    Problem(u16, &'static str),
}

/// The document once more.
pub fn expected(form: Form, kind: Kind, run: u64, now: Now) -> Gets {
    let there = match now {
        Now::Problem(status, code) => return Gets::Problem(status, code),
        Now::Status(status, body) => return Gets::Answer(status, body),
        Now::Unbegun if form.reads_events() => return Gets::Again,
        Now::Unbegun => return Gets::Ticket,
        Now::Growing(there) => there,
        Now::Whole => ALL.len() as u64,
    };
    let whole = match kind {
        Kind::Events if form.reads_events() => Gets::Marked(0),
        _ => Gets::Bytes(200, 0),
    };
    let from = |at: u64| {
        // Nobody can have come beyond what is there; a stored response ends before its length.
        let can = match now {
            Now::Whole => at < there,
            _ => at <= there,
        };
        if can {
            Gets::Bytes(206, at)
        } else {
            Gets::Beyond(there)
        }
    };
    match form {
        Form::Range(at) if run == 1 => from(at),
        Form::RangeOfThis(at) => from(at),
        Form::After(at) if kind == Kind::Events && at <= there && at.is_multiple_of(9) => {
            Gets::Marked(at)
        }
        _ => whole,
    }
}

/// The events from a byte on, with their ids, as far as `to`.
pub fn marked(id: &str, run: u64, from: u64, to: u64) -> String {
    let mut out = String::new();
    let mut at = 0;
    for event in ALL.split_inclusive("\n\n") {
        at += event.len() as u64;
        if (from + 1..=to).contains(&at) {
            let line = event.trim_end();
            out += &format!("{line}\nid: rc.{id}.{run}.{at}\n\n");
        }
    }
    out
}
