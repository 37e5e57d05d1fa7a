//! The format's migrations, one numbered file each. Never edit one that was released: add another.

/// Each brings the format from the number before it to its own, which is its place from 1.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema/0001_first.sql"),
    include_str!("schema/0002_keys.sql"),
    include_str!("schema/0003_deliveries.sql"),
    include_str!("schema/0004_keyring.sql"),
];

/// The latest format.
pub(crate) const FORMAT: u32 = MIGRATIONS.len() as u32;

/// Written into the database file, so that a file of another program is told from ours: "RCjb".
pub(crate) const APPLICATION_ID: i32 = 0x5243_6a62;

/// The migrations that lead from `format` to the latest, each with the number it leads to.
pub(crate) fn migrations_after(format: u32) -> impl Iterator<Item = (u32, &'static str)> {
    (1..)
        .zip(MIGRATIONS)
        .skip_while(move |(number, _)| *number <= format)
}
