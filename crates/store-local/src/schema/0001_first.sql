-- Format 1. Every table says what it holds and every index the question it answers.

-- Which route is number 3? Numbers keep the indexes below narrow; a name never changes its number.
CREATE TABLE routes (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
);

-- What is job X? Rewritten at each transition, so it is small. `record` is the whole job with a
-- checksum; the columns beside it repeat what indexes and guards need.
-- Ids sort by time, so new rows go to the right-hand edge and old ones leave at the left.
CREATE TABLE jobs (
    id       BLOB    PRIMARY KEY,
    route    INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    due_at   INTEGER,            -- while queued: when the next attempt may begin
    over_at  INTEGER,            -- while queued: its deadline; finished: when it is forgotten
    revision INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    request  INTEGER,            -- its row in requests
    response INTEGER,            -- its row in responses
    record   BLOB    NOT NULL
) WITHOUT ROWID;

-- Which job of this route is due first?
CREATE INDEX jobs_due ON jobs (route, due_at, id) WHERE due_at IS NOT NULL;

-- Whose time is over?
CREATE INDEX jobs_over ON jobs (over_at, id) WHERE over_at IS NOT NULL;

-- Which jobs of this route are in this status, newest first; how many are there?
CREATE INDEX jobs_status ON jobs (route, status, id);

-- What did the client send? Written once, with the job. Numbered in the order of writing and not
-- keyed by the job's id: rows are always added at the right-hand edge, so that pages are filled to
-- the brim, and a row of a few KiB fits into a page, which it does not in a table WITHOUT ROWID.
CREATE TABLE requests (
    number INTEGER PRIMARY KEY,
    id     BLOB NOT NULL,        -- the job
    body   BLOB,                 -- the body's file, where it has one
    record BLOB NOT NULL
);

-- Does a request refer to this file?
CREATE INDEX requests_body ON requests (body) WHERE body IS NOT NULL;

-- What did the backend answer? Written once for each answer that is kept.
CREATE TABLE responses (
    number INTEGER PRIMARY KEY,
    id     BLOB NOT NULL,
    body   BLOB,
    record BLOB NOT NULL
);

-- Does a response refer to this file?
CREATE INDEX responses_body ON responses (body) WHERE body IS NOT NULL;
