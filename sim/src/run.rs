//! One run: a seed, a scenario, a fresh runtime; what happened, and what the checkers say of it.

use std::cell::RefCell;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::broken::Broken;
use crate::chance::Chance;
use crate::checkers;
use crate::history::Event;
use crate::scenarios::Scenario;
use crate::world::World;

/// How much time may pass in a world before its run counts as hung.
const AGE_MAX: Duration = Duration::from_secs(60 * 24 * 3600);

/// Which run.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What decides everything.
    pub seed: u64,
    /// The workload and its faults.
    pub scenario: &'static Scenario,
    /// Which of the scenario's variants: for crashes, at which sync.
    pub variant: u32,
}

impl Case {
    /// The command that does it again.
    pub fn command(&self) -> String {
        let Self {
            seed,
            scenario,
            variant,
        } = self;
        let name = scenario.name;
        let variant = match variant {
            0 => String::new(),
            variant => format!(" --variant {variant}"),
        };
        format!("cargo xtask sim --seed {seed} --scenario {name}{variant}")
    }
}

/// What one checker found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which checker.
    pub checker: &'static str,
    /// What.
    pub what: String,
}

/// What came of a run.
pub struct Report {
    /// What happened.
    pub events: Vec<Event>,
    /// What may not have.
    pub findings: Vec<Finding>,
    /// How much time passed in it.
    pub age: Duration,
    /// Processes that died in it.
    pub crashes: u32,
    /// Syncs of its disk.
    pub syncs: u64,
}

thread_local! {
    /// What panicked on this thread since the last run began.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes panics of any task for the run that they happen in, instead of printing them.
pub fn note_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        // A panic while another is noted is one panic.
        PANICS.with(|panics| {
            if let Ok(mut panics) = panics.try_borrow_mut() {
                panics.push(text);
            }
        });
    }));
}

/// Runs a case to its end.
pub fn run(case: Case, broken: Option<Broken>) -> Report {
    PANICS.take();
    let runtime = runtime(case.seed);
    let mut report = match runtime {
        Ok(runtime) => {
            let report = runtime.block_on(play(case, broken));
            drop(runtime);
            report
        }
        Err(error) => failed(&error.into()),
    };
    let panics = PANICS.take().into_iter();
    report.findings.extend(panics.map(|what| Finding {
        checker: "no_panic",
        what,
    }));
    report
}

/// A runtime of one thread on a paused clock, whose own dice the seed decides too.
fn runtime(seed: u64) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    #[cfg(not(tokio_unstable))]
    let _ = seed;
    builder.build()
}

async fn play(case: Case, broken: Option<Broken>) -> Report {
    let blueprint = (case.scenario.blueprint)(&Chance::new(case.seed ^ 0x5eed));
    let world = match World::new(case.seed, &blueprint, broken) {
        Ok(world) => world,
        Err(error) => return failed(&error),
    };
    let playing = async {
        world.start()?;
        (case.scenario.play)(world.clone(), case.variant).await?;
        world.rest().await;
        anyhow::Ok(())
    };
    let ended = tokio::time::timeout(AGE_MAX, playing).await;
    let events = world.history.events();
    let judge = |checker: &checkers::Checker| {
        let name = checker.name;
        let found = (checker.check)(&events).into_iter();
        found.map(move |what| Finding {
            checker: name,
            what,
        })
    };
    let mut findings: Vec<Finding> = checkers::ALL.iter().flat_map(judge).collect();
    let hung = match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(_) => Some(format!("it did not end within {AGE_MAX:?}")),
    };
    findings.extend(hung.map(|what| Finding {
        checker: "the run itself",
        what,
    }));
    Report {
        events,
        findings,
        age: world.age(),
        crashes: world.crashes(),
        syncs: world.platters.syncs(),
    }
}

fn failed(error: &anyhow::Error) -> Report {
    Report {
        events: Vec::new(),
        findings: vec![Finding {
            checker: "the run itself",
            what: format!("{error:#}"),
        }],
        age: Duration::ZERO,
        crashes: 0,
        syncs: 0,
    }
}
