//! A body's file: whatever is in it, what is read is what was written, up to the first damage.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::BodyId;
use raincheck_store_local::fuzzing::{read_body, write_body};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// The body's length.
    len: u32,
    /// What is written over its file, and where.
    damage: Vec<(u32, &'a [u8])>,
    /// The length that the file is cut to, if it is.
    cut: Option<u32>,
    /// The length it is believed to have, if it is another.
    believed: Option<u64>,
}

/// Bytes of the longest body here: three frames.
const LEN_MAX: usize = 2 * SEGMENT_FRAME_BYTES + 100;

static FILE: LazyLock<File> = LazyLock::new(|| tempfile::tempfile_in(crate::files()).unwrap());

/// A body is written, damaged and read.
pub(crate) fn run(bytes: &[u8]) {
    let mut unstructured = arbitrary::Unstructured::new(bytes);
    let Ok(input) = Input::arbitrary(&mut unstructured) else {
        return;
    };
    let id = BodyId(0x0123_4567);
    let len = input.len as usize % LEN_MAX;
    let body: Vec<u8> = (0..len).map(|at| (at / 7) as u8).collect();
    FILE.set_len(0).unwrap();
    write_body(&FILE, id, &body).unwrap();
    let whole = FILE.metadata().unwrap().len();
    for (at, bytes) in &input.damage {
        FILE.write_all_at(bytes, u64::from(*at) % whole).unwrap();
    }
    if let Some(cut) = input.cut {
        FILE.set_len(u64::from(cut) % (whole + 1)).unwrap();
    }
    let believed = input.believed.map_or(len as u64, |len| len % (1 << 20));
    let read = read_body(&FILE, id, believed);
    assert!(body.starts_with(&read), "damage was read as the body");
    if input.damage.is_empty() && input.cut.is_none() && input.believed.is_none() {
        assert_eq!(read.len(), len, "a whole body was not read");
    }
    let other = read_body(&FILE, BodyId(id.0 + 1), believed);
    assert!(other.is_empty(), "a body was read under another name");
}
