//! Splits Rust source into code and comments, line by line.
//!
//! Rules about text need to know which of the two a word is in: a ban must not fire on the comment
//! that explains it, nor on a string that prints it. This is a lexer for exactly that question.

/// One line of source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The code; the contents of strings and characters are left out.
    pub code: String,
    /// The text of comments.
    pub comment: String,
    /// True if there is code on the line, the inside of a string included.
    pub has_code: bool,
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// Block comments nest.
    BlockComment(usize),
    Text,
    /// With this many `#` around it.
    RawText(usize),
}

/// The lines of a source file.
pub fn lines(source: &str) -> Vec<Line> {
    let mut state = State::Code;
    source
        .lines()
        .map(|text| scan_line(text, &mut state))
        .collect()
}

fn scan_line(text: &str, state: &mut State) -> Line {
    let chars: Vec<char> = text.chars().collect();
    let mut line = Line::default();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        at += match *state {
            State::Code => in_code(rest, chars[..at].last().copied(), state, &mut line),
            State::LineComment => in_comment(rest, &mut line),
            State::BlockComment(depth) => in_block(rest, depth, state, &mut line),
            State::Text => in_text(rest, state, &mut line),
            State::RawText(hashes) => in_raw(rest, hashes, state, &mut line),
        };
    }
    if *state == State::LineComment {
        *state = State::Code;
    }
    line
}

/// Takes the next piece of code and says how many characters it was.
fn in_code(rest: &[char], before: Option<char>, state: &mut State, line: &mut Line) -> usize {
    match rest {
        ['/', '/', ..] => {
            *state = State::LineComment;
            2
        }
        ['/', '*', ..] => {
            *state = State::BlockComment(1);
            2
        }
        ['"', ..] => {
            line.has_code = true;
            line.code.push('"');
            *state = State::Text;
            1
        }
        ['r', ..] if !before.is_some_and(|c| is_word(c) && c != 'b' && c != 'c') => {
            raw_start(rest, state, line)
        }
        ['\'', ..] => {
            line.has_code = true;
            line.code.push('\'');
            character(rest)
        }
        [c, ..] => {
            line.has_code |= !c.is_whitespace();
            line.code.push(*c);
            1
        }
        [] => 0,
    }
}

/// `r"`, `r#"` and so on start raw text; `r#name` and plain names that start with `r` do not.
fn raw_start(rest: &[char], state: &mut State, line: &mut Line) -> usize {
    line.has_code = true;
    line.code.push('r');
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 1;
    }
    line.code.push('"');
    *state = State::RawText(hashes);
    2 + hashes
}

/// The length of a character literal, or 1 for the quote of a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => {
            let end = tail.iter().position(|c| *c == '\'').unwrap_or(tail.len());
            (4 + end).min(rest.len())
        }
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

fn in_comment(rest: &[char], line: &mut Line) -> usize {
    line.comment.extend(rest);
    rest.len()
}

fn in_block(rest: &[char], depth: usize, state: &mut State, line: &mut Line) -> usize {
    match rest {
        ['*', '/', ..] => {
            *state = if depth == 1 {
                State::Code
            } else {
                State::BlockComment(depth - 1)
            };
            2
        }
        ['/', '*', ..] => {
            *state = State::BlockComment(depth + 1);
            2
        }
        _ => {
            line.comment.extend(rest.first());
            1
        }
    }
}

fn in_text(rest: &[char], state: &mut State, line: &mut Line) -> usize {
    line.has_code = true;
    match rest {
        ['\\', _, ..] => 2,
        ['"', ..] => {
            line.code.push('"');
            *state = State::Code;
            1
        }
        _ => 1,
    }
}

fn in_raw(rest: &[char], hashes: usize, state: &mut State, line: &mut Line) -> usize {
    line.has_code = true;
    let closes =
        rest[0] == '"' && rest[1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    if !closes {
        return 1;
    }
    line.code.push('"');
    *state = State::Code;
    1 + hashes
}

/// True for a character that can be part of a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
