"""Runs a project's tests with pytest, which is installed beside its packages.

pytest takes the operating system for granted in four places that the sandbox does not have: it exchanges the numbers
of standard output, catches signals of crashes, writes caches beside the tests, and makes temporary folders only below one
that the user owns, whereas files have no owner here. Each has a switch.
"""

import importlib
import os
import sys

from toolplane.errors import DefinitionError, Problem
from toolplane.project import Project

_SWITCHES = ("--capture=sys", "-p", "no:faulthandler", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest")


def run(project: Project, arguments: tuple[str, ...]) -> int:
    """Runs the tests and answers pytest's exit code. Raises DefinitionError where pytest is not there."""
    sys.dont_write_bytecode = True
    os.chdir(project.root)
    try:
        pytest = importlib.import_module("pytest")
    except ImportError as error:
        remedy = "let `[dependency-groups] dev` name a pytest that works here"
        raise DefinitionError([Problem(f"pytest cannot be imported: {error}", "pyproject.toml", None, remedy)]) from None
    code = int(pytest.main([*_SWITCHES, f"--rootdir={project.root}", *arguments]))
    sys.stdout.flush()
    sys.stderr.flush()
    return code
