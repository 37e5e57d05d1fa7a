"""Reads events with httpx-sse, and comes again with the last id until there is nothing more."""
import sys

import httpx
import httpx_sse

last = ""
with httpx.Client(timeout=60) as client:
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        with httpx_sse.connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
            if source.response.status_code == 204:
                break
            for event in source.iter_sse():
                last = event.id or last
                print("event:", event.event, event.id, event.data, flush=True)
print("closed", flush=True)
