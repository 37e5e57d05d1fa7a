-- Format 3: ends of jobs that are to be told.

-- When the job's end is to be told, while that is still to be done, and a number for where. The
-- rest is in the job's record, of which version 2 has it.
ALTER TABLE jobs ADD COLUMN tell_at INTEGER;
ALTER TABLE jobs ADD COLUMN receiver INTEGER;

-- Whose end is to be told first?
CREATE INDEX jobs_tell ON jobs (tell_at, id, receiver) WHERE tell_at IS NOT NULL;
