"""The client for Python: does one task and says how it went, as fetch.mjs does."""
import json
import os
import sys
import threading
from urllib.parse import urlsplit

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../clients/python"))
import raincheck  # noqa: E402

base, task = sys.argv[1], json.loads(sys.argv[2])
init, stop = task.get("init", {}), threading.Event()


def say(what, value):
    print(f"{what}: {json.dumps(value, separators=(',', ':'))}", flush=True)


def on_ticket(url):
    say("ticket", {"id": url.rsplit("/", 1)[-1], "url": url})
    if task.get("abort"):
        threading.Timer(0.3, stop.set).start()


def on_progress(job):
    say("progress", {"status": job["status"], "percent": (job["progress"] or {}).get("percent")})


options = {"on_progress": on_progress} if task.get("progress") else {}
if task.get("live"):
    options.update(live=True, stream=True)
if task.get("cancel"):
    options["cancel"] = stop
elif task.get("abort"):
    options["timeout"] = 2
try:
    if task.get("resume"):
        answer = raincheck.resume(task["resume"], **options)
    else:
        answer = raincheck.request(
            init.get("method", "GET"), base + task["path"], data=init.get("body"), on_ticket=on_ticket,
            headers=init.get("headers"), idempotency_key=task.get("key"), **options)
    body = b""
    for piece in answer if task.get("live") else [answer.content]:
        say("piece", piece.decode(errors="replace")[:100])
        body += piece
    if task.get("out"):
        with open(task["out"], "wb") as file:
            file.write(body)
    say("response", {
        "status": answer.status, "length": len(body),
        "text": body.decode() if len(body) < 100 else None,
        "job": answer.job_id, "error": answer.headers.get("raincheck-error"),
        "mine": answer.headers.get("x-mine"), "path": urlsplit(answer.url).path,
    })
except Exception as error:
    say("raised", type(error).__name__)
