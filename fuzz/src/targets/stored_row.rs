//! Records of jobs, requests, responses and keys: no bytes break a decoder, and what it takes it writes
//! again as it was.

use arbitrary::{Arbitrary, Unstructured};
use raincheck_core::id::JobId;
use raincheck_core::time::Timestamp;
use raincheck_store_local::fuzzing::{Record, again, sealed};

/// A record's kind, whether it is sealed here, and its bytes.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok((kind, seal)) = <(u8, bool)>::arbitrary(&mut input) else {
        return;
    };
    let records = [Record::Job, Record::Request, Record::Response, Record::Key];
    let record = records[usize::from(kind % 4)];
    let id = JobId::from_parts(Timestamp::from_millis(1_700_000_000_000), [7; 10]);
    let rest = input.take_rest();
    let bytes = match seal {
        true => sealed(record, id, rest),
        false => rest.to_vec(),
    };
    if let Some(written) = again(record, id, &bytes) {
        // Numbers may be written in more bytes than they need, so the bytes may differ once.
        let second = again(record, id, &written);
        assert_eq!(second, Some(written), "what was written is not read back");
    }
}
