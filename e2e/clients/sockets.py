"""A WebSocket client: follows one job, or many on one socket, and prints each frame, then how the
socket was closed. Arguments: the URL, then the ids to subscribe to, `cancel:ID` to cancel one, or
`odd` for messages that nobody should send."""
import json
import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

url, *words = sys.argv[1:]


def told(socket):
    frame = json.loads(socket.recv(timeout=20))
    print("frame:", json.dumps(frame), flush=True)
    return frame


def odd(socket):
    for message, code in [
        ("x" * 70_000, "request-too-large"),
        (["{", "x" * 70_000, "}", "{"], "request-too-large"),
        (b"\0\1\2", "invalid-parameter"),
        (b"x" * 70_000, "request-too-large"),
        ("no json", "invalid-parameter"),
        ('{"subscribe": ["01997f6c-0000-7000-8000-000000000000"]}', "job-not-found"),
    ]:
        socket.send(message)
        frame = told(socket)
        assert frame["error"]["code"] == code, frame
    socket.ping().wait(20)
    socket.close(4000, "enough")


with connect(url, compression="deflate", max_size=None) as socket:
    if words == ["odd"]:
        odd(socket)
    else:
        ids = [word for word in words if ":" not in word]
        if ids:
            # In fragments.
            socket.send(['{"subscribe":', json.dumps(ids), "}"])
        for word in words:
            if word.startswith("cancel:"):
                socket.send(json.dumps({"cancel": [word.removeprefix("cancel:")]}))
        try:
            ended = 0
            while not ids or ended < len(ids):
                frame = told(socket)
                ended += frame["event"] == "status" and frame["data"]["finished_at"] is not None
        except ConnectionClosed as closed:
            print("closed:", closed.rcvd.code, flush=True)
print("done", flush=True)
