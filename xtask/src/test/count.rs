//! Adds up the closing lines of the test runners.

use std::fmt;

/// What all runs together said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Count {
    /// Takes in one line of output; only a closing line changes anything.
    pub fn see(&mut self, line: &str) {
        let line = without_colour(line);
        // What a failed test of the other runner printed is shown again by it, indented.
        let plain = line.starts_with("test result: ");
        let line = line.trim();
        let nextest = line.starts_with("Summary [") && line.contains(" run: ");
        if !(plain || nextest) {
            return;
        }
        self.passed += before(line, "passed");
        self.failed += before(line, "failed") + before(line, "timed") + before(line, "exec");
        self.skipped += before(line, "skipped") + before(line, "ignored");
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The number in front of a word, as in `12 passed`; zero if the word is not there.
fn before(line: &str, word: &str) -> u64 {
    let mut previous = "";
    for part in line
        .split([' ', ',', ';', '(', ')'])
        .filter(|part| !part.is_empty())
    {
        if part == word {
            return previous.parse().unwrap_or(0);
        }
        previous = part;
    }
    0
}

/// Removes `ESC [ ... m`.
fn without_colour(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((head, tail)) = rest.split_once('\u{1b}') {
        text.push_str(head);
        rest = tail.split_once('m').map_or("", |(_, tail)| tail);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[&str]) -> Count {
        let mut count = Count::default();
        lines.iter().for_each(|line| count.see(line));
        count
    }

    #[test]
    fn adds_up_the_plain_runner() {
        let found = count(&[
            "test job::tests::starts ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!(
            found,
            Count {
                passed: 15,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn reads_nextest_with_and_without_colour() {
        let plain = "     Summary [   1.2s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        let colour = "\u{1b}[32;1m Summary\u{1b}[0m [ 1s] 2 tests run: \u{1b}[1m2\u{1b}[0m passed, 0 skipped";
        assert_eq!(
            count(&[plain]),
            Count {
                passed: 6,
                failed: 3,
                skipped: 4
            }
        );
        assert_eq!(
            count(&[colour]),
            Count {
                passed: 2,
                failed: 0,
                skipped: 0
            }
        );
    }

    #[test]
    fn a_failed_test_that_is_shown_again_counts_once() {
        let found = count(&[
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out",
            "     Summary [   1.2s] 9 tests run: 8 passed, 1 failed, 0 skipped",
        ]);
        let wanted = Count {
            passed: 8,
            failed: 1,
            skipped: 0,
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_test_that_prints_a_number_is_not_a_closing_line() {
        assert_eq!(count(&["100 passed, 3 failed"]), Count::default());
    }
}
