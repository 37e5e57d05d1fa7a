"""A WebSocket client as the websockets package makes it. Arguments: the URL, and a file of trusted
certificates, if any. Says `open` when the connection is there, then talks, and says `done`."""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect


async def main(url, ca=None):
    context = ssl.create_default_context(cafile=ca) if ca else None
    async with connect(
        url, subprotocols=["chat"], max_size=None, compression=None, proxy=None, ssl=context
    ) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        print("open", flush=True)
        large = bytes(range(256)) * 8192
        for message in ["hello", "", "h\u00e9llo" * 1000, large]:
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())
    assert socket.close_code == 1000, socket.close_code
    print("done", flush=True)


asyncio.run(main(*sys.argv[1:]))
