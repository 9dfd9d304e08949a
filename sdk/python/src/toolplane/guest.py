"""The guest host: the app module that componentize-py imports inside the sandbox (`app_name = "toolplane.guest"`).

componentize-py makes one instance of `WitWorld` for every exported function, so nothing may live on `self`.
Only an exception of exactly the class `Err` becomes the error of a WIT result; anything else that leaves these
methods traps the instance. That is why everything is caught here, and why `Err` is raised outside of `except`:
what the failed call held is released first.

Nothing here relies on the SDK's files once the base is snapshotted: this module imports, directly or not, every
other one.
"""

from collections.abc import Mapping, Sequence

import wit_world
from componentize_py_types import Err

from toolplane import heap, invoking, libraries, loading, repairs, surroundings, warm_up
from toolplane.errors import DefinitionError, Problem
from toolplane.unicode import well_formed

repairs.install()


def link(modules: Mapping[str, Sequence[str]]) -> None:
    """Makes the native libraries of packages importable that the host has linked."""
    libraries.install(modules)


def settle() -> str:
    """Ends the making of the base. Answers what `heap.settle` does."""
    warm_up.run()
    return heap.settle()


class WitWorld(wit_world.WitWorld):
    """What the WIT world `tool` exports."""

    def load(self, project: str) -> str:
        problems: tuple[Problem, ...]
        # componentize-py puts the host's variables and arguments, of which there are none, over ours at the first call.
        surroundings.provide()
        try:
            return well_formed(loading.load(project))
        except DefinitionError as error:
            problems = error.problems
        except BaseException as error:
            problems = (loading.unexpected(error),)
        raise Err([_to_wit(problem) for problem in problems])

    def invoke(self, call: str) -> str:
        try:
            return invoking.invoke(call)
        except BaseException as error:
            failure = invoking.describe(error)
        raise Err(
            wit_world.Failure(
                exception_type=failure.exception_type,
                message=failure.message,
                stack_trace=failure.stack_trace,
            )
        )


def _to_wit(problem: Problem) -> "wit_world.Problem":
    """Strings cross the boundary as UTF-8, and a lone surrogate would trap."""
    return wit_world.Problem(
        message=well_formed(problem.message),
        file=None if problem.file is None else well_formed(problem.file),
        line=problem.line,
        remedy=None if problem.remedy is None else well_formed(problem.remedy),
    )
