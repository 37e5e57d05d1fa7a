-- Format 2: idempotency keys.

-- Which job did this request become? Only requests that can be found again have a row here: keys
-- are digests, so each dirties a page of its own. `record` holds the job and what was asked, with
-- a checksum.
CREATE TABLE keys (
    digest BLOB PRIMARY KEY,
    record BLOB NOT NULL
) WITHOUT ROWID;

-- Its row in keys, so that it goes with the job.
ALTER TABLE jobs ADD COLUMN key BLOB;
