"""`rpds.rpds`: collections that are never changed, which `jsonschema` and `referencing` are made of.

Elsewhere they are Rust's, and share what they have in common. Here each is a copy, which for what those two keep in them
(some dozens of entries) takes microseconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any


class HashTrieMap(Mapping[Any, Any]):
    """A mapping that makes new ones."""

    __slots__ = ("_items",)

    def __init__(self, value: Any = (), **kwds: Any) -> None:
        self._items = dict(value, **kwds)

    @classmethod
    def convert(cls, value: Any) -> "HashTrieMap":
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def fromkeys(cls, keys: Iterable[Any], value: Any = None) -> "HashTrieMap":
        return cls(dict.fromkeys(keys, value))

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, HashTrieMap) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"HashTrieMap({self._items!r})"

    def insert(self, key: Any, val: Any) -> "HashTrieMap":
        return HashTrieMap({**self._items, key: val})

    def update(self, *args: Any, **kwds: Any) -> "HashTrieMap":
        items = dict(self._items)
        for more in (*args, kwds):
            items.update(more)
        return HashTrieMap(items)

    def remove(self, key: Any) -> "HashTrieMap":
        self._items[key]  # A KeyError where there is none.
        return self.discard(key)

    def discard(self, key: Any) -> "HashTrieMap":
        return HashTrieMap({one: value for one, value in self._items.items() if one != key})


class HashTrieSet(Set[Any]):
    """A set that makes new ones."""

    __slots__ = ("_values",)

    def __init__(self, value: Iterable[Any] = ()) -> None:
        self._values = frozenset(value)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"HashTrieSet({{{', '.join(map(repr, self._values))}}})"

    def insert(self, value: Any) -> "HashTrieSet":
        return HashTrieSet((*self._values, value))

    def update(self, *args: Iterable[Any]) -> "HashTrieSet":
        return HashTrieSet(self._values.union(*args))

    def remove(self, value: Any) -> "HashTrieSet":
        if value not in self._values:
            raise KeyError(value)
        return self.discard(value)

    def discard(self, value: Any) -> "HashTrieSet":
        return HashTrieSet(self._values - {value})

    def union(self, other: Any) -> "HashTrieSet":
        return HashTrieSet(self._values.union(other))

    def intersection(self, other: Any) -> "HashTrieSet":
        return HashTrieSet(self._values.intersection(other))

    def difference(self, other: Any) -> "HashTrieSet":
        return HashTrieSet(self._values.difference(other))

    def symmetric_difference(self, other: Any) -> "HashTrieSet":
        return HashTrieSet(self._values.symmetric_difference(other))


class _Sequence:
    """Values in an order, given as one iterable or one by one."""

    __slots__ = ("_values",)

    def __init__(self, *values: Any) -> None:
        self._values: tuple[Any, ...] = tuple(values[0] if len(values) == 1 else values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __reversed__(self) -> Iterator[Any]:
        return iter(self._values[::-1])

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._values)!r})"

    def _end(self, place: int, refusal: str) -> Any:
        if not self._values:
            raise IndexError(refusal)
        return self._values[place]


class List(_Sequence):
    """A list that grows at its front."""

    __slots__ = ()

    @property
    def first(self) -> Any:
        return self._end(0, "empty list has no first element")

    @property
    def rest(self) -> "List":
        return List(self._values[1:])

    def push_front(self, value: Any) -> "List":
        return List((value, *self._values))

    def drop_first(self) -> "List":
        self._end(0, "empty list has no first element")
        return self.rest


class Queue(_Sequence):
    """First in, first out."""

    __slots__ = ()

    def is_empty(self) -> bool:
        return not self._values

    def peek(self) -> Any:
        return self._end(0, "peeked an empty queue")

    def enqueue(self, value: Any) -> "Queue":
        return Queue((*self._values, value))

    def dequeue(self) -> "Queue":
        self._end(0, "dequeued an empty queue")
        return Queue(self._values[1:])


class Stack(_Sequence):
    """Last in, first out. It is read from its top."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values[::-1])

    def peek(self) -> Any:
        return self._end(-1, "peeked an empty stack")

    def push(self, value: Any) -> "Stack":
        return Stack((*self._values, value))

    def pop(self) -> "Stack":
        self._end(-1, "popped an empty stack")
        return Stack(self._values[:-1])
