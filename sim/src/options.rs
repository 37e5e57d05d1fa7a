//! What the simulation is asked for.

use clap::Parser;

/// Runs the simulation; without options as CI does: the negative controls, some seeds twice, fixed
/// seeds, then fresh ones for a while.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
pub struct Options {
    /// Run so many fresh seeds of each scenario
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Run fresh seeds for so many seconds
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Run this seed again
    #[arg(long, conflicts_with_all = ["seeds", "seconds"])]
    pub seed: Option<u64>,
    /// Only this scenario
    #[arg(long)]
    pub scenario: Option<String>,
    /// With --seed: only this variant of the scenario
    #[arg(long, requires_all = ["seed", "scenario"])]
    pub variant: Option<u32>,
    /// With --seed and --scenario: print everything that happens
    #[arg(long, requires_all = ["seed", "scenario"])]
    pub trace: bool,
    /// Only run some seeds twice and compare
    #[arg(long)]
    pub meta: bool,
    /// Only prove that each checker bites
    #[arg(long)]
    pub controls: bool,
}
