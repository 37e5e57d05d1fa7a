//! A power cut under the real binary: what had not been synced is lost, whole or block by block.
//!
//! A preloaded library (`shim/power.c`) remembers what each sync made durable and ends the process
//! at a chosen call, or lets calls fail. Afterwards [`Power::cut`] makes of the data directory what a disk could hold:
//! what is durable is there, and of everything else any part may be.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::bound::Must;
use crate::dice::Dice;

/// How much of what was not synced is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Whole,
    /// None of it: the process was killed, the machine was not.
    Nothing,
    /// Any blocks of this many bytes.
    Blocks(usize),
}

/// What else the disk does, besides losing its power.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk<'a> {
    /// Syncs of files whose path ends with this do nothing.
    pub lie: Option<&'a str>,
    /// Some calls fail.
    pub fail: Option<Fail>,
    /// Of the calls at which the power is cut, only those of this name count.
    pub only: Option<&'a str>,
}

/// Calls that fail, of those of one name on files of the data directory.
#[derive(Clone, Copy, Debug)]
pub struct Fail {
    /// The name, as in libc.
    pub call: &'static str,
    /// The error.
    pub errno: i32,
    /// The first of them, from 1.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// What is remembered of the syncs below one directory.
#[derive(Debug)]
pub struct Power {
    image: TempDir,
}

/// The library, compiled once for each test program.
static SHIM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = TempDir::new().must("a directory for the shim");
    let library = dir.path().join("power.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/power.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1"]);
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    compiler.arg(source).args(["-ldl", "-lpthread"]);
    let compiled = compiler.status().must("a C compiler");
    assert!(compiled.success(), "{compiler:?}");
    (dir, library)
});

/// Where syncs cost nothing, which lets a test do hundreds of rounds. A number of an inode is never
/// given a second time there, on which the image relies.
///
/// # Panics
/// When the machine has no file system in memory.
#[must_use]
pub fn memory() -> &'static Path {
    let memory = Path::new("/dev/shm");
    assert!(memory.is_dir(), "these tests need {}", memory.display());
    memory
}

impl Power {
    /// Nothing is durable yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            image: TempDir::new_in(memory()).must("a directory for the image"),
        }
    }

    /// Has a command die at its call of this number (0: never) that writes, syncs or sends, and
    /// remember its syncs below `root`, where there is such a disk.
    pub fn watch(&self, command: &mut Command, root: &Path, call: u64, disk: Disk<'_>) {
        command
            .env("LD_PRELOAD", &SHIM.1)
            .env("POWER_ROOT", root)
            .env("POWER_IMAGE", self.image.path())
            .env("POWER_CUT", call.to_string());
        if let Some(lie) = disk.lie {
            command.env("POWER_LIE", lie);
        }
        if let Some(only) = disk.only {
            command.env("POWER_ONLY", only);
        }
        if let Some(fail) = disk.fail {
            let Fail {
                call,
                errno,
                first,
                last,
            } = fail;
            command.env("POWER_FAIL", format!("{call} {errno} {first} {last}"));
        }
    }

    /// The call at which the process was ended since the last cut, by its name in libc; none: it
    /// ended in another way.
    #[must_use]
    pub fn cut_by(&self) -> Option<String> {
        fs::read_to_string(self.image.path().join("cut")).ok()
    }

    /// Makes of `root` what the disk could hold, which is durable from now on.
    pub fn cut(&self, root: &Path, loss: Loss, dice: &mut Dice) {
        if root.is_dir() {
            self.revert_dir(root, loss, dice);
        }
        for entry in fs::read_dir(self.image.path()).must("the image") {
            fs::remove_file(entry.must("an entry").path()).must("a new image");
        }
        if root.is_dir() {
            self.settle(root);
        }
    }

    fn image_of(&self, inode: u64) -> Option<Vec<u8>> {
        fs::read(self.image.path().join(inode.to_string())).ok()
    }

    /// The durable names of a directory.
    fn names(&self, dir: &Path) -> BTreeMap<String, u64> {
        let inode = fs::metadata(dir).must("a directory").ino();
        let lines = self.image_of(inode).unwrap_or_default();
        let lines = String::from_utf8(lines).must("names that are text");
        lines
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(inode, name)| (name.to_owned(), inode.parse().must("an inode")))
            .collect()
    }

    fn revert_dir(&self, dir: &Path, loss: Loss, dice: &mut Dice) {
        let durable = self.names(dir);
        let mut names: Vec<String> = entries(dir).iter().map(|path| name_of(path)).collect();
        names.extend(
            durable
                .keys()
                .filter(|name| !dir.join(name).exists())
                .cloned(),
        );
        for name in names {
            let path = dir.join(&name);
            let now = fs::metadata(&path).ok();
            let then = durable.get(&name).copied();
            if now.as_ref().map(MetadataExt::ino) == then {
                self.revert(&path, loss, dice);
            } else if lost(loss, dice) {
                self.restore(&path, then);
            } else if now.is_some() {
                self.revert(&path, loss, dice);
            }
        }
    }

    /// A name of which the disk knows nothing, or that it knows for another file.
    fn restore(&self, path: &Path, then: Option<u64>) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).must("removing"),
            Ok(_) => fs::remove_file(path).must("removing"),
            Err(_) => {}
        }
        if let Some(inode) = then {
            fs::write(path, self.image_of(inode).unwrap_or_default()).must("restoring");
        }
    }

    fn revert(&self, path: &Path, loss: Loss, dice: &mut Dice) {
        let metadata = fs::metadata(path).must("a file");
        if metadata.is_dir() {
            return self.revert_dir(path, loss, dice);
        }
        let durable = self.image_of(metadata.ino()).unwrap_or_default();
        let written = fs::read(path).must("reading");
        let file = File::options().write(true).open(path).must("opening");
        let mixed = match loss {
            Loss::Nothing => return,
            Loss::Whole => durable,
            Loss::Blocks(size) => mix(&durable, &written, size, dice),
        };
        file.set_len(mixed.len() as u64).must("its length");
        file.write_all_at(&mixed, 0).must("its bytes");
    }

    /// Everything that is there is durable.
    fn settle(&self, dir: &Path) {
        let mut lines = String::new();
        for path in entries(dir) {
            let metadata = fs::metadata(&path).must("a file");
            lines.push_str(&format!("{} {}\n", metadata.ino(), name_of(&path)));
            match metadata.is_dir() {
                true => self.settle(&path),
                false => {
                    let image = self.image.path().join(metadata.ino().to_string());
                    fs::copy(&path, image).map(drop).must("an image");
                }
            }
        }
        let inode = fs::metadata(dir).must("a directory").ino();
        fs::write(self.image.path().join(inode.to_string()), lines).must("an image");
    }
}

impl Default for Power {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a name that was not made durable is as before.
fn lost(loss: Loss, dice: &mut Dice) -> bool {
    match loss {
        Loss::Nothing => false,
        Loss::Whole => true,
        Loss::Blocks(_) => dice.coin(),
    }
}

/// Of each block either what is durable or what was written; bytes of a file that grew, but that
/// never came to the disk, are zero.
fn mix(durable: &[u8], written: &[u8], size: usize, dice: &mut Dice) -> Vec<u8> {
    let len = match dice.coin() {
        true => durable.len(),
        false => written.len(),
    };
    let mut mixed = vec![0; len];
    for start in (0..len).step_by(size) {
        let end = len.min(start + size);
        let source = if dice.coin() { durable } else { written };
        let have = source.get(start..end.min(source.len())).unwrap_or_default();
        mixed[start..start + have.len()].copy_from_slice(have);
        // Without a block of its own, a place that is durable keeps what is durable.
        if have.is_empty() {
            let have = durable
                .get(start..end.min(durable.len()))
                .unwrap_or_default();
            mixed[start..start + have.len()].copy_from_slice(have);
        }
    }
    mixed
}

/// What a disk holds below a directory. A socket has no bytes, and its name stays.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).must("a directory");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.must("an entry").path())
        .filter(|path| path.is_file() || path.is_dir())
        .collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().must("a name");
    name.to_str().must("a name that is text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (TempDir, Power) {
        let dir = TempDir::new_in(memory()).must("a directory");
        let power = Power::new();
        fs::write(dir.path().join("old"), [1; 10_000]).must("a file");
        power.settle(dir.path());
        (dir, power)
    }

    #[test]
    fn what_was_not_synced_is_lost_whole_or_in_part() {
        let (dir, power) = world();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let write = || {
            fs::write(&new, "x").must("a new file");
            let file = File::options().write(true).open(&old).must("opening");
            file.write_all_at(&[2; 12_000], 0).must("writing");
        };
        write();
        power.cut(dir.path(), Loss::Nothing, &mut Dice::new(1));
        assert!(new.exists() && fs::read(&old).must("old") == [2; 12_000]);
        let (dir, power) = world();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&new, "x").must("a new file");
        File::options()
            .write(true)
            .open(&old)
            .must("opening")
            .set_len(3)
            .must("a cut");
        power.cut(dir.path(), Loss::Whole, &mut Dice::new(1));
        assert!(!new.exists() && fs::read(&old).must("old") == [1; 10_000]);
        fs::remove_file(&old).must("removing");
        power.cut(dir.path(), Loss::Whole, &mut Dice::new(1));
        assert_eq!(fs::read(&old).must("old"), [1; 10_000]);
    }

    #[test]
    fn blocks_are_the_old_the_new_or_nothing() {
        let (durable, written) = (vec![1; 3 * 4096], vec![2; 8 * 4096]);
        let mut seen = [false; 3];
        for seed in 0..20 {
            let mixed = mix(&durable, &written, 4096, &mut Dice::new(seed));
            for (at, block) in mixed.chunks(4096).enumerate() {
                assert!(block.iter().all(|byte| *byte == block[0]), "a torn block");
                assert!(at >= 3 || block[0] > 0, "a durable block is gone");
                seen[usize::from(block[0])] = true;
            }
        }
        assert_eq!(seen, [true; 3]);
    }
}
