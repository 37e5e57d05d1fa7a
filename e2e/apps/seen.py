"""Counts the requests that a Python server understands, and says of each what it saw.

`seen.py SERVER`, where SERVER is one of the functions at the end. Only a body that came whole makes
a request.
"""

import asyncio
import json
import socket
import sys

seen = []


def answer(target, length, headers):
    seen.append(plain(target))
    headers = [[plain(name), plain(value)] for name, value in headers]
    said = {"target": plain(target), "length": length, "headers": headers}
    return json.dumps(said).encode()


def plain(text):
    """Bytes that are no UTF-8 are told as Latin-1, as JSON has no other way."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def listening():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def ready(listener):
    print(f"port {listener.getsockname()[1]}", flush=True)


def wsgi(environ, start_response):
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
    start = [("content-type", "application/json")]
    if target == "/seen":
        start_response("200 OK", start)
        return [json.dumps(seen).encode()]
    expected = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read()
    if expected and len(body) != int(expected):
        raise ConnectionError("the body was cut")
    headers = [[k, str(v)] for k, v in environ.items() if k.startswith(("HTTP_", "CONTENT_"))]
    said = answer(target, len(body), headers)
    start_response("200 OK", start + [("content-length", str(len(said)))])
    return [said]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    if target == "/seen":
        said = json.dumps(seen).encode()
    else:
        headers = [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]]
        said = answer(target, length, headers)
    fields = [(b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": said})


def gunicorn():
    from gunicorn.app.base import BaseApplication

    class App(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "127.0.0.1:0")
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("threads", 64)
            self.cfg.set("keepalive", 60)
            self.cfg.set("loglevel", "critical")
            self.cfg.set("post_worker_init", lambda worker: ready(worker.sockets[0].sock))

        def load(self):
            return wsgi

    App().run()


def waitress():
    from waitress import create_server

    listener = listening()
    server = create_server(wsgi, sockets=[listener], threads=16, connection_limit=1000)
    ready(listener)
    server.run()


def uvicorn(parser):
    from uvicorn import Config, Server

    listener = listening()
    ready(listener)
    config = Config(asgi, http=parser, lifespan="off", log_level="critical", timeout_keep_alive=60)
    Server(config).run(sockets=[listener])


def uvicorn_h11():
    uvicorn("h11")


def uvicorn_httptools():
    uvicorn("httptools")


def aiohttp():
    from aiohttp import web

    async def handle(request):
        if request.raw_path == "/seen":
            return web.json_response(seen)
        body = await request.read()
        headers = [[k, v] for k, v in request.headers.items()]
        said = answer(request.raw_path, len(body), headers)
        return web.Response(body=said, content_type="application/json")

    async def serve():
        listener = listening()
        runner = web.AppRunner(web.Application(middlewares=[]), access_log=None)
        runner.app.router.add_route("*", "/{path:.*}", handle)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        ready(listener)
        await asyncio.Event().wait()

    asyncio.run(serve())


def tornado():
    import logging

    from tornado.httpserver import HTTPServer
    from tornado.web import Application, RequestHandler

    class Any(RequestHandler):
        SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

        async def prepare(self):
            if self.request.uri == "/seen":
                self.finish(json.dumps(seen))
                return
            headers = [list(pair) for pair in self.request.headers.get_all()]
            self.finish(answer(self.request.uri, len(self.request.body), headers))

    async def serve():
        logging.disable(logging.CRITICAL)
        listener = listening()
        server = HTTPServer(Application([(r".*", Any)]))
        server.add_socket(listener)
        ready(listener)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
