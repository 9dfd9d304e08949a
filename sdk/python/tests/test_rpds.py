"""The collections that stand in for those of the package `rpds-py`, with the answers that the package gives."""

import pytest

from toolplane.absent.rpds import HashTrieMap, HashTrieSet, List, Queue, Stack


def test_a_map_makes_new_ones() -> None:
    empty = HashTrieMap()
    one = empty.insert("a", 1)
    more = one.update({"b": 2}, [("c", 3)], d=4)
    assert (len(empty), dict(one), sorted(more)) == (0, {"a": 1}, ["a", "b", "c", "d"])
    assert more.remove("a").discard("nothing") == HashTrieMap(b=2, c=3, d=4) and len(more) == 4
    assert one == HashTrieMap({"a": 1}) and one != {"a": 1} and hash(one) == hash(HashTrieMap([("a", 1)]))
    assert HashTrieMap.convert(one) is one and HashTrieMap.convert({"a": 1}) == one
    assert HashTrieMap.fromkeys("ab") == HashTrieMap(a=None, b=None) and repr(one) == "HashTrieMap({'a': 1})"
    assert one.get("b", 5) == 5 and list(one.items()) == [("a", 1)] and "a" in one


def test_a_set_makes_new_ones() -> None:
    one = HashTrieSet([1])
    assert one.insert(2) == one.update([2], [1]) == one | HashTrieSet([2]) == {1, 2} and len(one) == 1
    assert one.insert(2).remove(1) == one.union(HashTrieSet([2])).difference(one) == HashTrieSet([2])
    assert one.discard(3) == one and hash(one) == hash(HashTrieSet([1])) and repr(one) == "HashTrieSet({1})"
    assert not HashTrieSet() and 1 in one


def test_lists_queues_and_stacks_make_new_ones() -> None:
    one = List([1, 2])
    assert list(one.push_front(0)) == [0, 1, 2] and one.first == 1 and one.drop_first() == one.rest == List([2])
    assert List(1, 2) == one and list(reversed(one)) == [2, 1] and repr(one) == "List([1, 2])" and hash(one)
    queue = Queue([1]).enqueue(2)
    assert (queue.peek(), list(queue.dequeue()), queue.is_empty(), Queue().is_empty()) == (1, [2], False, True)
    stack = Stack([1]).push(2)
    assert (stack.peek(), list(stack), list(stack.pop())) == (2, [2, 1], [1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: HashTrieMap()["a"], KeyError, "'a'"),
        (lambda: HashTrieMap().remove("a"), KeyError, "'a'"),
        (lambda: HashTrieSet().remove("a"), KeyError, "'a'"),
        (lambda: List().first, IndexError, "empty list has no first element"),
        (lambda: List().drop_first(), IndexError, "empty list has no first element"),
        (lambda: Queue().peek(), IndexError, "peeked an empty queue"),
        (lambda: Queue().dequeue(), IndexError, "dequeued an empty queue"),
        (lambda: Stack().pop(), IndexError, "popped an empty stack"),
    ],
)
def test_what_is_not_there_is_told(call, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
