"""Stack traces of the author's own frames, causes, groups, and bounds."""

from conftest import ToolProject

from toolplane import failure
from toolplane.project import Project

PROJECT = Project("weather", "/tool", (), "weather:forecast")


def test_only_the_authors_frames(project: ToolProject) -> None:
    project.write(
        weather="import json\nimport helper\n\ndef forecast():\n    return json.dumps(1, default=1, cls=helper.Bad)\n",
        helper="import json\n\nclass Bad(json.JSONEncoder):\n    def encode(self, o):\n        raise OSError('deep')\n",
    )
    project.load()
    assert project.failure().stack_trace == [
        'File "src/weather.py", line 5, in forecast\n    return json.dumps(1, default=1, cls=helper.Bad)',
        "File \"src/helper.py\", line 5, in encode\n    raise OSError('deep')",
    ]


def test_causes_come_first(project: ToolProject) -> None:
    project.write(
        weather="""
def forecast(kind: str):
    try:
        {}["city"]
    except KeyError as error:
        if kind == "from": raise ValueError("bad") from error
        if kind == "none": raise ValueError("bad") from None
        raise ValueError("bad")
"""
    )
    project.load()
    cause = ['File "src/weather.py", line 4, in forecast\n    {}["city"]', "KeyError: 'city'"]
    assert project.failure({"kind": "from"}).stack_trace == [
        *cause,
        "The above exception was the direct cause of the following exception:",
        'File "src/weather.py", line 6, in forecast\n    if kind == "from": raise ValueError("bad") from error',
    ]
    assert len(project.failure({"kind": "none"}).stack_trace) == 1
    assert (
        project.failure({"kind": "other"}).stack_trace[2]
        == "During handling of the above exception, another exception occurred:"
    )


def test_the_members_of_a_group(project: ToolProject) -> None:
    project.write(
        weather="""
import asyncio
async def fail(n):
    raise ValueError(n)
async def forecast():
    async with asyncio.TaskGroup() as group:
        group.create_task(fail(1))
        group.create_task(fail(2))
"""
    )
    project.load()
    described = project.failure()
    assert described.exception_type == "ExceptionGroup"
    assert described.stack_trace[0].startswith('File "src/weather.py", line 6, in forecast')
    assert [line for line in described.stack_trace if line.startswith("Sub")] == [
        "Sub-exception 1 of 2, ValueError: 1",
        "Sub-exception 2 of 2, ValueError: 2",
    ]
    assert described.stack_trace.count('File "src/weather.py", line 4, in fail\n    raise ValueError(n)') == 2


def test_too_many_frames_are_cut_in_the_middle(project: ToolProject) -> None:
    project.write(weather="def forecast(n: int):\n    if n == 0: raise ValueError\n    return forecast(n - 1)")
    project.load()
    trace = project.failure({"n": 99}).stack_trace
    assert len(trace) == 50
    assert trace[10] == "… 51 frames left out …"
    assert trace[-1].startswith('File "src/weather.py", line 2')


def test_packages_are_not_the_authors() -> None:
    for file, own in {
        "/tool/src/weather.py": "src/weather.py",
        "/tool/weather.py": "weather.py",
        "/tool/.venv/lib/site-packages/httpx.py": None,
        "/tool/site-packages/httpx.py": None,
        "/toolbox/weather.py": None,
        "<string>": None,
    }.items():
        assert PROJECT.relative(file) == own


def test_a_message_is_bounded_in_bytes() -> None:
    for text in ("a" * 100_000, "é" * 100_000, "😀" * 100_000):
        message = failure.message_of(ValueError(text))
        assert len(message.encode()) <= failure.MAX_MESSAGE_BYTES
        assert message.endswith("bytes in all)")
    assert failure.message_of(ValueError("é" * 32_768)) == "é" * 32_768


def test_nothing_that_an_exception_does_raises() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise SystemExit

        __cause__ = property(lambda self: 1 / 0)  # type: ignore[assignment]

    described = failure.describe(Hostile(), PROJECT)
    assert described.exception_type.endswith("Hostile")
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert len(failure.describe(first, PROJECT).stack_trace) <= failure.MAX_FRAMES
