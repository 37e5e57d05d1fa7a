"""Clients that nobody here wrote and whose connections break: httpx-sse, or requests with ranges."""
import sys

kind, url = sys.argv[1:]


def events():
    import httpx
    import httpx_sse

    last = ""
    with httpx.Client(timeout=60) as client:
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            try:
                with httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
                    if source.response.status_code == 204:
                        return
                    for event in source.iter_sse():
                        last = event.id or last
                        if event.data:  # It shows blocks without data, too.
                            print("data:", event.data, flush=True)
            except httpx.TransportError as error:
                print("broke:", type(error).__name__, flush=True)


def ranges():
    import requests

    text, tag = b"", None
    while True:
        headers = {"Accept-Encoding": "identity"}
        if tag:
            headers |= {"Range": f"bytes={len(text)}-", "If-Range": tag}
        with requests.get(url, headers=headers, stream=True, timeout=60) as response:
            if response.status_code != 206:
                text = b""
            tag = response.headers["etag"]
            try:
                for piece in response.iter_content(None):
                    text += piece
                break
            except requests.RequestException:
                print("broke at", len(text), flush=True)
    sys.stdout.write(text.decode())


events() if kind == "events" else ranges()
print("closed", flush=True)
