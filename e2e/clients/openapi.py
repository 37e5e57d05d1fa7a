"""Runs schemathesis over an API that describes itself, with jobs in several states: what is not in
the document is a failure, also in documents that it answers with."""
import json
import os
import re

import schemathesis

JOBS = json.loads(os.environ["JOBS"])
SPARE = iter(JOBS.pop("spare"))
STATES = list(JOBS.items())
JOB = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
turn = 0


def close(schema):
    """Lets no object have a member that its schema does not name."""
    if isinstance(schema, dict):
        kind = schema.get("type")
        if isinstance(schema.get("properties"), dict) and kind is not None and "object" in kind:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            close(inner)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    close(raw_schema["components"]["schemas"])


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts the id of a job in the place of a made-up one, and lets nobody wait for what never ends."""
    global turn
    path = case.path_parameters
    if not path or not JOB.match(str(path.get("id", ""))):
        return
    turn += 1
    state, job = STATES[turn % len(STATES)]
    end, changes = case.path.rsplit("}", 1)[-1], case.method.upper() in ("DELETE", "POST")
    if end == "/retry":
        # It fails again.
        state, job = "failed", JOBS["failed"]
    elif changes:
        # While there are any: then one that is not there.
        state, job = "spare", next(SPARE, path["id"])
    elif end == "/events" and state == "processing":
        state, job = STATES[0]
    path["id"] = job
    if state == "processing":
        query = case.query or {}
        # A hop or a follower without a wait waits as long as it may.
        if str(query.get("wait", "1" if {"hop", "follow"} & query.keys() else "")).isdigit():
            query["wait"] = 0
        if "wait" in str((case.headers or {}).get("Prefer", "")):
            case.headers["Prefer"] = "wait=0"
