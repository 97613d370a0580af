"""How a message stands in the stream: its length in four bytes, big-endian, then its bytes."""

from __future__ import annotations

from typing import Final

from kulla.kernel.errors import KullaError

HEAD_BYTES: Final = 4
FRAME_BYTES_MAX: Final = 64 * 2**20


class FrameTooLong(KullaError):
    """A message is longer than any that the processes of a home exchange."""


def framed(message: bytes) -> bytes:
    """The message behind its length. Raises FrameTooLong."""
    if len(message) > FRAME_BYTES_MAX:
        raise FrameTooLong(f"a message of {len(message)} bytes is too long.")
    return len(message).to_bytes(HEAD_BYTES, "big") + message


class Gathering:
    """The bytes that came over one connection so far, and the whole messages in them."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now, in order. Raises FrameTooLong."""
        data = self._data + data if self._data else data
        messages: list[bytes] = []
        at = 0
        while len(data) - at >= HEAD_BYTES:
            length = int.from_bytes(data[at : at + HEAD_BYTES], "big")
            if length > FRAME_BYTES_MAX:
                raise FrameTooLong(f"a message of {length} bytes is announced.")
            end = at + HEAD_BYTES + length
            if len(data) < end:
                break
            messages.append(data[at + HEAD_BYTES : end])
            at = end
        self._data = data[at:]
        return messages
