-- Format 4: a job's key stands in its own row, and nowhere else.

-- What a digest leads to is known in memory. The table of format 2 was ordered by digests, which are
-- random, so each new key wrote a page of its own. `jobs.key` is now the digest and what was asked,
-- with a checksum.
UPDATE jobs
    SET key = CAST(key || COALESCE(
        (SELECT substr(record, 18) FROM keys WHERE digest = jobs.key AND substr(record, 2, 16) = jobs.id),
        x'') AS BLOB)
    WHERE key IS NOT NULL;
DROP TABLE keys;

-- Which keys are there? Read once, at the opening. In the order of the jobs, so that new rows are
-- added at the right-hand edge; jobs without a key have none.
CREATE INDEX jobs_key ON jobs (id, key) WHERE key IS NOT NULL;
