"""Stands between a client and a server, and makes every answer come so many milliseconds later, whole as it is.

  far.py LISTEN-PORT SERVER-PORT MILLISECONDS
"""

import asyncio
import sys

PIECE = 1 << 18


async def _pass_on(source, target, before):
    try:
        while piece := await source.read(PIECE):
            await before()
            target.write(piece)
            await target.drain()
        target.write_eof()
    except OSError:
        target.close()


async def _serve(client, to_client, port, late):
    server, to_server = await asyncio.open_connection("127.0.0.1", port)
    asked = False

    async def ask():
        nonlocal asked
        asked = True

    async def answer():
        nonlocal asked
        if asked:
            asked = False
            await asyncio.sleep(late)

    await asyncio.gather(_pass_on(client, to_server, ask), _pass_on(server, to_client, answer))
    to_client.close()
    to_server.close()


async def main():
    listen, port, milliseconds = (int(word) for word in sys.argv[1:])
    server = await asyncio.start_server(lambda *ends: _serve(*ends, port, milliseconds / 1000), "127.0.0.1", listen)
    await server.serve_forever()


asyncio.run(main())
