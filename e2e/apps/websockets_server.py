"""A WebSocket server as the websockets package makes it: every message comes back. One that asks for
a path which ends with /bye is left at once."""

import asyncio

from websockets.asyncio.server import serve


async def echo(socket):
    if socket.request.path.endswith("/bye"):
        return
    async for message in socket:
        await socket.send(message)


async def main():
    async with serve(echo, "127.0.0.1", 0, subprotocols=["chat"], max_size=None, close_timeout=1) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
