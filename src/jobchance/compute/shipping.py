"""Objects as bytes: pickle protocol 5 with arrays kept out of the stream, so they are not copied twice.

Arrays arrive writable and in the memory order they left in: compiled kernels then see the same types on
every worker.
"""

from __future__ import annotations

import operator
import pickle
from multiprocessing.connection import Connection
from typing import Any, SupportsIndex

from jobchance.errors import SpecError

# A pipe reads into memory of the size it is told to expect: whole matrices at once are several times slower.
_PIECE = 1 << 18


class Shipment:
    """An object packed for a journey to another process.

    Parameters
    ----------
    frames : list
        The pickle stream, then the memory of its arrays.
    """

    def __init__(self, frames: list[Any]) -> None:
        self._frames = frames
        self._opened: list[Any] = []

    @classmethod
    def pack(cls, thing: Any, *, what: str) -> Shipment:
        """Pack `thing`; `SpecError` names it as `what` if it cannot travel."""
        buffers: list[pickle.PickleBuffer] = []
        try:
            stream = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        except Exception as error:
            raise SpecError(
                f"The {what} cannot be sent to another process ({type(error).__name__}). Expected something "
                "that pickle can write: functions and classes defined at the top of an importable module "
                "(no lambda, no local function), plain data, arrays, paths; no open file or connection."
            ) from None
        return cls([stream, *buffers])

    def open(self) -> Any:
        """Unpack; the result uses the memory of the shipment, so a shipment is opened once."""
        return pickle.loads(self._frames[0], buffers=self._frames[1:])

    def open_once(self) -> Any:
        """Unpack at the first call and return the same object ever after; it lives as long as this does."""
        if not self._opened:
            self._opened.append(self.open())
        return self._opened[0]

    def send(self, connection: Connection) -> None:
        """Write the frames to a pipe, sizes first."""
        views = [_as_bytes(frame) for frame in self._frames]
        connection.send_bytes(pickle.dumps([view.nbytes for view in views]))
        for view in views:
            for start in range(0, view.nbytes, _PIECE):
                connection.send_bytes(view[start : start + _PIECE])

    @classmethod
    def receive(cls, connection: Connection) -> Shipment:
        """Read the frames from a pipe into memory of their own."""
        frames = [bytearray(size) for size in pickle.loads(connection.recv_bytes())]
        for frame in frames:
            for start in range(0, len(frame), _PIECE):
                connection.recv_bytes_into(frame, start)
        return cls(frames)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """Travel packed, inside another shipment or through Dask, with arrays out of the stream again."""
        if operator.index(protocol) < 5:
            return Shipment, ([bytearray(frame) for frame in self._frames],)
        return Shipment, ([_as_buffer(frame) for frame in self._frames],)


def _as_bytes(frame: Any) -> memoryview:
    """Return a flat view of a frame; one without bytes cannot be made flat."""
    view = memoryview(frame)
    return view.cast("B") if view.nbytes else memoryview(b"")


def _as_buffer(frame: Any) -> pickle.PickleBuffer:
    """Return a frame as pickle wants it; a view is copied, since a buffer on a view can crash Python 3.11.

    The garbage collector clears the view before the buffer (cpython issue 77894, mended in 3.12.7).
    """
    if isinstance(frame, pickle.PickleBuffer):
        return frame
    return pickle.PickleBuffer(bytearray(frame) if isinstance(frame, memoryview) else frame)
