//! The arguments of `cargo xtask fuzz`.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// Seconds for each target when all are run: about a minute for all.
const SECONDS_EACH: u64 = 6;
/// Seconds for one target that is named.
const SECONDS_ALONE: u64 = 60;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub job: Job,
}

/// One of three things.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    Fuzz { targets: Vec<String>, seconds: u64 },
    Replay { target: String, input: PathBuf },
    Merge { target: String },
}

impl Options {
    /// Reads `[TARGET [FILE]] [--seconds N | --merge]`.
    pub fn parse(args: &[String], known: &[String]) -> anyhow::Result<Self> {
        let mut words = Vec::new();
        let (mut seconds, mut merge) = (None, false);
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--seconds" => {
                    let value = rest.next().context("--seconds needs a number")?;
                    let value = value.parse().ok().filter(|seconds| *seconds > 0);
                    seconds = Some(value.context("--seconds needs a whole number above 0")?);
                }
                "--merge" => merge = true,
                flag if flag.starts_with('-') => bail!("`cargo xtask fuzz` does not know `{flag}`"),
                word => words.push(word.to_owned()),
            }
        }
        if let Some(target) = words.first().filter(|word| !known.contains(word)) {
            bail!(
                "there is no target `{target}`; there are: {}",
                known.join(", ")
            );
        }
        let job = match (&words[..], seconds, merge) {
            ([], _, false) => Job::Fuzz {
                targets: known.to_vec(),
                seconds: seconds.unwrap_or(SECONDS_EACH),
            },
            ([target], _, false) => Job::Fuzz {
                targets: vec![target.clone()],
                seconds: seconds.unwrap_or(SECONDS_ALONE),
            },
            ([target], None, true) => Job::Merge {
                target: target.clone(),
            },
            ([target, input], None, false) => Job::Replay {
                target: target.clone(),
                input: PathBuf::from(input),
            },
            _ => bail!("usage: cargo xtask fuzz [TARGET [FILE]] [--seconds N | --merge]"),
        };
        Ok(Self { job })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> anyhow::Result<Job> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let known = ["a".to_owned(), "b".to_owned()];
        Options::parse(&args, &known).map(|options| options.job)
    }

    #[test]
    fn all_targets_one_target_one_input() {
        let all = Job::Fuzz {
            targets: vec!["a".to_owned(), "b".to_owned()],
            seconds: SECONDS_EACH,
        };
        assert_eq!(parse(&[]).unwrap(), all);
        let one = Job::Fuzz {
            targets: vec!["b".to_owned()],
            seconds: 9,
        };
        assert_eq!(parse(&["b", "--seconds", "9"]).unwrap(), one);
        let replay = Job::Replay {
            target: "a".to_owned(),
            input: PathBuf::from("x"),
        };
        assert_eq!(parse(&["a", "x"]).unwrap(), replay);
        let merge = Job::Merge {
            target: "a".to_owned(),
        };
        assert_eq!(parse(&["a", "--merge"]).unwrap(), merge);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for args in [
            &["c"][..],
            &["--seconds"],
            &["--seconds", "0"],
            &["--merge"],
            &["a", "x", "--merge"],
            &["a", "x", "y"],
            &["--quick"],
        ] {
            assert!(parse(args).is_err(), "{args:?}");
        }
    }
}
