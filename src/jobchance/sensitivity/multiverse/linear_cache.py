"""A bounded memory of what is dear to compute; what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """A value that knows how many bytes it holds."""

    @property
    def size(self) -> int:
        """Bytes held."""
        ...


Value = TypeVar("Value", bound=Sized)


class Cache(Generic[Value]):
    """Values by key, of at most `limit` bytes together (and always the last one)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes held by all values."""
        return sum(value.size for value in self._values.values())

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        while len(self._values) > 1 and self.held > self.limit:
            self._values.popitem(last=False)
        return value
