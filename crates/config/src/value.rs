//! One value of a config at a time: from what was written to what is meant.

mod http;
mod net;
mod socket;
mod webhooks;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_core::id::RouteName;
use raincheck_core::rate::Rate;
use raincheck_core::route::Pattern;

pub(crate) use self::http::{
    Fields, Methods, NamesOrAll, Prefix, RedirectStatus, RuleNames, Status,
};
use crate::error::{Code, DocumentKind};
use crate::tree::{Node, Origin, Value};
use crate::units::{self, UnitError};
pub(crate) use net::{HostName, PathOnly, PublicUrl, StatusRange, UrlPath};
pub(crate) use socket::FileMode;
pub(crate) use webhooks::{JsonPointer, Ports, Proxy};

/// Something a key can hold.
pub(crate) trait Setting: Sized {
    /// The value, or what is wrong with it: nothing, if that has been reported already.
    fn read(node: &Node) -> Result<Self, Vec<Wrong>>;
}

/// What is wrong with a value.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Where, in the value.
    pub(crate) at: Origin,
    /// What kind of mistake.
    pub(crate) code: Code,
    /// In words, as in "bad value for `x`: ...".
    pub(crate) reason: String,
    /// The word that was written where only certain ones are known.
    pub(crate) word: Option<String>,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl Wrong {
    pub(crate) fn new(node: &Node, reason: impl Into<String>) -> Self {
        let at = node.at.clone();
        Self {
            at,
            code: Code::BadValue,
            reason: reason.into(),
            word: None,
            help: None,
        }
    }

    /// The type is wrong. Nothing, if that has been reported.
    fn kind(node: &Node) -> Vec<Self> {
        if matches!(node.value, Value::Broken) {
            return Vec::new();
        }
        vec![Self::new(node, format!("found {}", node.value.kind()))]
    }

    fn with_help(mut self, help: impl Into<String>) -> Vec<Self> {
        self.help = Some(help.into());
        vec![self]
    }
}

/// A duration above zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Positive(pub(crate) Duration);

/// A duration above zero, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrNone(pub(crate) Option<Duration>);

/// A number of bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

/// A number of bytes, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizeOrNone(pub(crate) Option<u64>);

/// A number of requests in a time, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateOrNone(pub(crate) Option<Rate>);

/// A number of bytes for a request head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadSize(pub(crate) usize);

/// A whole number of at least one that fits its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count<T>(pub(crate) T);

/// A whole number of at least one, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountOrNone(pub(crate) Option<NonZeroUsize>);

/// A word of a fixed set.
pub(crate) trait Word: Sized {
    /// The meaning of a word.
    fn from_word(word: &str) -> Option<Self>;
}

/// A [`Word`] as a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<T>(pub(crate) T);

fn text(node: &Node) -> Result<&str, Vec<Wrong>> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err(Wrong::kind(node)),
    }
}

/// Whether a text stands for any type: variables and flags have no other.
fn untyped(node: &Node) -> bool {
    node.at.document.kind != DocumentKind::File
}

/// One value or an array of values; outside of a file separated by commas.
fn several<T>(
    node: &Node,
    read: impl Fn(&Node) -> Result<T, Vec<Wrong>>,
) -> Result<Vec<T>, Vec<Wrong>> {
    let parts = parts(node);
    let mut values = Vec::with_capacity(parts.len());
    // What is wrong and reported already adds nothing here.
    let (mut wrongs, mut whole) = (Vec::new(), true);
    for part in parts.iter() {
        match read(part) {
            Ok(value) => values.push(value),
            Err(wrong) => {
                whole = false;
                wrongs.extend(wrong);
            }
        }
    }
    if whole { Ok(values) } else { Err(wrongs) }
}

/// The values in an array, or the one that stands without; outside of a file separated by commas.
pub(crate) fn parts(node: &Node) -> Cow<'_, [Node]> {
    match &node.value {
        Value::List(list) => Cow::Borrowed(list),
        Value::Text(text) if untyped(node) => {
            let part = |part: &str| Node {
                value: Value::Text(part.trim().to_owned()),
                at: node.at.clone(),
            };
            Cow::Owned(text.split(',').map(part).collect())
        }
        _ => Cow::Borrowed(std::slice::from_ref(node)),
    }
}

fn unit_error(node: &Node, error: &UnitError) -> Vec<Wrong> {
    vec![Wrong::new(node, error.to_string())]
}

impl Setting for Duration {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        if let Value::Integer(number) = node.value {
            let wrong = Wrong::new(node, "a unit is missing");
            return Err(if number < 0 {
                vec![wrong]
            } else {
                wrong.with_help(format!("write \"{number}s\" for seconds"))
            });
        }
        units::parse_duration(text(node)?).map_err(|error| unit_error(node, &error))
    }
}

impl Setting for Positive {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let duration = Duration::read(node)?;
        if duration.is_zero() {
            return Err(vec![Wrong::new(node, "zero is no time at all")]);
        }
        Ok(Self(duration))
    }
}

impl Setting for OrNone {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        match &node.value {
            Value::Text(text) if text == "none" => Ok(Self(None)),
            _ => Positive::read(node).map(|duration| Self(Some(duration.0))),
        }
    }
}

impl Setting for Size {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        if let Value::Integer(number) = node.value {
            let size = u64::try_from(number)
                .ok()
                .filter(|size| *size <= units::SIZE_MAX);
            return size
                .map(Self)
                .ok_or_else(|| vec![Wrong::new(node, "it is out of range")]);
        }
        units::parse_size(text(node)?)
            .map(Self)
            .map_err(|error| unit_error(node, &error))
    }
}

impl Setting for SizeOrNone {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        match &node.value {
            Value::Text(text) if text == "none" => Ok(Self(None)),
            _ => Size::read(node).map(|size| Self(Some(size.0))),
        }
    }
}

impl Setting for RateOrNone {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        if text == "none" {
            return Ok(Self(None));
        }
        let rate = text.parse::<Rate>();
        rate.map(|rate| Self(Some(rate)))
            .map_err(|error| vec![Wrong::new(node, error.to_string())])
    }
}

impl Setting for HeadSize {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let size = Size::read(node)?.0;
        match usize::try_from(size) {
            Ok(size) if (8 * 1024..=1024 * 1024).contains(&size) => Ok(Self(size)),
            _ => Err(vec![Wrong::new(
                node,
                format!("{} is out of range", units::show_size(size)),
            )]),
        }
    }
}

impl<T: TryFrom<i128>> Setting for Count<T> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let number = match &node.value {
            Value::Integer(number) => *number,
            Value::Text(text) if untyped(node) => text
                .parse()
                .map_err(|_| vec![Wrong::new(node, "it is not a whole number")])?,
            _ => return Err(Wrong::kind(node)),
        };
        let wrong = |reason| vec![Wrong::new(node, format!("{number} is {reason}"))];
        if number < 1 {
            return Err(wrong("too small"));
        }
        T::try_from(number)
            .map(Self)
            .map_err(|_| wrong("too large"))
    }
}

impl Setting for CountOrNone {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        match &node.value {
            Value::Text(text) if text == "none" => Ok(Self(None)),
            _ => Count::<usize>::read(node).map(|count| Self(NonZeroUsize::new(count.0))),
        }
    }
}

impl<T: TryFrom<i128>> Setting for Vec<Count<T>> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, Count::read)
    }
}

impl Setting for bool {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        match &node.value {
            Value::Boolean(value) => Ok(*value),
            Value::Text(text) if untyped(node) && text == "true" => Ok(true),
            Value::Text(text) if untyped(node) && text == "false" => Ok(false),
            _ => Err(Wrong::kind(node)),
        }
    }
}

impl Setting for PathBuf {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        if text.is_empty() || text.contains('\0') {
            return Err(vec![Wrong::new(node, "it is not a path")]);
        }
        Ok(Self::from(text))
    }
}

impl Setting for RouteName {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        text(node)?
            .parse()
            .map_err(|_| vec![Wrong::new(node, "it is not a route name")])
    }
}

impl Setting for Pattern {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let parsed = text(node)?.parse();
        parsed.map_err(|error: raincheck_core::route::PatternError| {
            vec![Wrong::new(node, error.to_string())]
        })
    }
}

impl<T: Word> Setting for Choice<T> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let word = text(node)?;
        T::from_word(word).map(Self).ok_or_else(|| {
            let mut wrong = Wrong::new(node, "it is not one of the known words");
            wrong.word = Some(word.to_owned());
            vec![wrong]
        })
    }
}

impl<T: Word> Setting for Vec<Choice<T>> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, Choice::read)
    }
}
