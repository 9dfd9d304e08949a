"""Runs a program of pyperformance: as a tool, or as a script whose argument is its name."""

import json
import runpy
import sys
from pathlib import Path

import pyperf

HERE = Path(__file__).parent


def run(program: str) -> dict[str, float]:
    """Run a program, and answer how many seconds each of its parts takes."""
    runpy.run_path(str(HERE / program / "run_benchmark.py"), run_name="__main__")
    return pyperf.results


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
