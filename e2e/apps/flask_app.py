"""A Flask backend as anyone would write it: slow work, an upload, a stream, an error."""

import hashlib
import threading

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

app = Flask(__name__)
released = threading.Event()


@app.post("/release")
def release():
    released.set()
    return "", 204


@app.post("/report")
def report():
    released.wait()
    response = jsonify(total=42, asked=request.get_json())
    response.set_cookie("session", "abc", httponly=True)
    response.set_cookie("theme", "dark")
    return response, 201


@app.put("/upload")
def upload():
    digest = hashlib.sha256()
    size = 0
    while piece := request.stream.read(65536):
        digest.update(piece)
        size += len(piece)
    return jsonify(size=size, sha256=digest.hexdigest())


@app.get("/stream")
def stream():
    return Response((f"line {n}\n" for n in range(1000)), mimetype="text/plain")


@app.get("/broken")
def broken():
    raise RuntimeError("a bug in the backend")


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"port {server.server_port}", flush=True)
    server.serve_forever()
