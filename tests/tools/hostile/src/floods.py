"""Tricks that take more of something than there is for them."""

import gc
import json
import os
import sys


def a_list():
    held = []
    while True:
        held.append([0] * 100_000)


def bytes_at_once():
    return str(len(bytes(1 << 31)))


def bytes_in_pieces():
    held = bytearray()
    while True:
        held += bytes(1 << 20)


def a_string():
    held = "x"
    while True:
        held = "".join([held, held])


def a_large_integer():
    return str(1 << (1 << 33))


def a_dictionary():
    held = {}
    while True:
        held[len(held)] = str(len(held)) * 10_000


def a_generator_in_a_generator():
    def deeper(level):
        yield level
        yield from deeper(level + 1)

    return str(sum(deeper(0)))


def a_recursion():
    def deeper():
        return deeper()

    return deeper()


def a_recursion_without_a_limit():
    sys.setrecursionlimit(2**31 - 1)

    def deeper(held):
        return deeper([held])

    return deeper([])


def deep_json():
    return str(json.loads("[" * 100_000))


def a_deep_expression():
    return str(eval("(" * 100_000 + ")" * 100_000))


def a_deep_comparison():
    one, other = [], []
    for _ in range(200_000):
        one, other = [one], [other]
    return str(one == other)


def a_long_output():
    return "x" * (2 << 20)


def an_output_that_is_long_only_in_json():
    return ["\x00"] * (1 << 17)


def logs():
    for _ in range(2_000):
        print("x" * 1_000)
    return "printed"


def one_long_line():
    sys.stderr.write("x" * (8 << 20))
    return "printed"


def a_full_tmp():
    with open("/tmp/full", "wb") as file:
        while True:
            file.write(bytes(1 << 16))


def a_hole_in_tmp():
    with open("/tmp/hole", "wb") as file:
        file.seek(1 << 40)
        file.write(b"x")
    return "written"


def many_files():
    for number in range(100_000):
        open(f"/tmp/{number}", "w").close()


def many_folders():
    path = "/tmp"
    while True:
        path += "/d"
        os.mkdir(path)


def open_files():
    held = []
    while True:
        held.append(open("/python/os.py"))


def open_files_of_tmp():
    held = []
    while True:
        held.append(open("/tmp/one", "w"))


def a_long_name():
    open("/tmp/" + "x" * 1_000_000, "w").close()


def a_long_message():
    raise ValueError("x" * (16 << 20))


def a_long_chain_of_causes():
    error = ValueError("first")
    for number in range(10_000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    raise error


def a_circle_of_causes():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    raise one


def a_group_of_a_million():
    raise ExceptionGroup("many", [ValueError()] * 1_000_000)


def a_message_that_raises():
    class Broken(Exception):
        def __str__(self):
            raise self

    raise Broken


def random_bytes():
    return str(sum(len(os.urandom(1 << 20)) for _ in range(10)))


def garbage():
    gc.disable()
    while True:
        circle = [0] * 100_000
        circle.append(circle)


def a_memory_error_that_is_caught():
    held = []
    while True:
        try:
            held.append(bytes(1 << 20))
        except MemoryError:
            held.clear()
            return "survived"
