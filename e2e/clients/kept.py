"""A client that is kept: posts with requests and prints what json() makes of it, or reads the events
of a GET with httpx-sse, coming again with the last id until there is nothing more."""
import json
import sys

how, url = sys.argv[1:]
if how == "json":
    import requests

    answer = requests.post(url, data=b"order 7", timeout=(5, 5))
    print(answer.status_code, json.dumps(answer.json()), flush=True)
else:
    import httpx
    import httpx_sse

    last = ""
    with httpx.Client(timeout=60) as client:
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            with httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
                if source.response.status_code == 204:
                    break
                for event in source.iter_sse():
                    last = event.id or last
                    print("event:", event.event, event.id, event.data, flush=True)
    print("closed", flush=True)
