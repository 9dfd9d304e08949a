"""What the programs of pyperformance ask of the package `pyperf`, the same for both interpreters."""

import argparse
import time

perf_counter = time.perf_counter
# Seconds of one round, of which the quickest of some counts.
_ROUND = 0.2
_ROUNDS = 5

results = {}


class Runner:
    def __init__(self, add_cmdline_args=None, **ignored):
        self.argparser = argparse.ArgumentParser()
        self.metadata = {}
        self.args = argparse.Namespace()

    def parse_args(self):
        self.args = self.argparser.parse_args([])
        return self.args

    def bench_func(self, name, function, *arguments, **ignored):
        def timed(loops):
            started = perf_counter()
            for _ in range(loops):
                function(*arguments)
            return perf_counter() - started

        _measure(name, timed)

    def bench_time_func(self, name, function, *arguments, **ignored):
        _measure(name, lambda loops: function(loops, *arguments))


def _measure(name, timed):
    timed(1)
    loops = max(1, round(_ROUND / timed(1)))
    results[name] = min(timed(loops) for _ in range(_ROUNDS)) / loops
