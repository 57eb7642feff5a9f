"""Reading an answer that may be endless, or a bomb: bounded memory, whatever it unpacks to."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable


async def read_body(chunks: AsyncIterable[bytes], encoding: str | None, most: int, into: bytearray) -> bool:
    """Append at most `most` bytes of the *decoded* body to `into`, as they come, so that what had come stays
    when the rest is cut off. True when that is all of it.

    A body in an encoding other than gzip and deflate stays unread. Deadlines are the caller's; who gets False
    has to close the connection.
    """
    match (encoding or "identity").strip().lower():
        case "identity":
            unpack = None
        case "gzip" | "x-gzip" | "deflate":
            unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either header
        case _:
            return False
    try:
        async for chunk in chunks:
            room = most - len(into)
            # At most one byte past the cap is ever unpacked: a bomb costs its packed chunk.
            piece = unpack.decompress(chunk, room + 1) if unpack else chunk
            into += piece[:room]
            if len(piece) > room or (unpack and unpack.unused_data):
                return False
    except zlib.error:
        return False
    return unpack is None or unpack.eof or not into
