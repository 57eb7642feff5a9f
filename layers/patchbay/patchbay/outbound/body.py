"""Reads a response body that may be endless or a decompression bomb, with bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable


async def read_body(
    chunks: AsyncIterable[bytes], encoding: str | None, max_bytes: int, buffer: bytearray
) -> bool:
    """Append at most `max_bytes` bytes of the *decoded* body to `buffer` as they arrive, so that they are
    kept if the rest is cut off. Returns whether that is the whole body.

    A body in an encoding other than gzip and deflate is not read. The caller sets the deadline, and must
    close the connection if the result is False.
    """
    match (encoding or "identity").strip().lower():
        case "identity":
            decoder = None
        case "gzip" | "x-gzip" | "deflate":
            decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # detects the header
        case _:
            return False
    try:
        async for chunk in chunks:
            remaining = max_bytes - len(buffer)
            # At most one byte past the limit is decompressed, so a bomb costs only its compressed chunk.
            piece = decoder.decompress(chunk, remaining + 1) if decoder else chunk
            buffer += piece[:remaining]
            if len(piece) > remaining or (decoder and decoder.unused_data):
                return False
    except zlib.error:
        return False
    return decoder is None or decoder.eof or not buffer
