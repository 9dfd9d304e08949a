"""What an entry point may declare, and the message for each thing that it may not."""

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest

from toolplane import Context, signature, tool

if TYPE_CHECKING:
    from nowhere import Missing


def test_context_is_no_parameter() -> None:
    def plain(city: str, *, context: Context) -> None: ...
    def renamed(city: str, ctx: Annotated[Context, "x"]) -> None: ...
    def optional(city: str, ctx: Optional[Context] = None) -> None: ...

    for function, name in ((plain, "context"), (renamed, "ctx"), (optional, "ctx")):
        parameters, wrong = signature.read(function)
        assert not wrong
        assert parameters.context == name
        assert [field.name for field in parameters.fields] == ["city"]


def test_every_problem_is_told() -> None:
    def wrong(a: str, /, b, c: complex, *rest: int, context, one: Context, two: Context, **more: str): ...

    _, problems = signature.read(wrong)
    assert [(problem.message, problem.remedy) for problem in problems] == [
        (
            "the parameter `a` of `wrong` is positional-only",
            "remove the `/`: parameters are passed by name",
        ),
        ("the parameter `b` of `wrong` has no type", "annotate it, for example `b: str`"),
        ("the parameter `c` of `wrong` is `complex`, which has no JSON form", "use `tuple[float, float]`"),
        ("the parameter `rest` of `wrong` is `*rest`", "name what it takes, for example `rest: list[str]`"),
        ("the parameter `context` of `wrong` has no type", "annotate it, for example `context: Context`"),
        ("the parameter `two` of `wrong` is a second context, beside `one`", "remove one of them"),
        ("the parameter `more` of `wrong` is `**more`", "name what it takes, for example `more: dict[str, str]`"),
    ]


def test_an_annotation_that_cannot_be_evaluated_spoils_no_other() -> None:
    def function(a: "Missing", b: int, context: "toolplane.Context") -> "Missing": ...  # noqa: F821

    parameters, problems = signature.read(function)
    assert [field.name for field in parameters.fields] == ["b"]
    assert parameters.context == "context"
    assert len(problems) == 1
    assert "`a` of `function` has a type that cannot be evaluated" in problems[0].message
    assert "TYPE_CHECKING" in problems[0].remedy


def test_a_generator_is_refused() -> None:
    def numbers(count: int) -> Iterator[int]:
        yield count

    _, problems = signature.read(numbers)
    assert problems == [("`numbers` is a generator, and a tool returns once", "collect the values and return a list", None)]


def test_descriptions_come_from_the_docstring_and_annotated_wins() -> None:
    def function(a: int, b: Annotated[int, "From Annotated"], c: int = 3) -> None:
        """What it does.

        Args:
            a: The first.
            b: The second.
        """

    parameters, _ = signature.read(function)
    assert parameters.description == "What it does."
    assert [field.description for field in parameters.fields] == ["The first.", "The second.", None]
    from toolplane import schema

    properties = schema.of_parameters(parameters.fields)["properties"]
    assert properties["a"]["description"] == "The first."
    assert properties["b"]["description"] == "From Annotated"
    assert properties["c"]["default"] == 3


@pytest.mark.parametrize("wrap", [lambda f: functools.partial(f, 1), lambda f: functools.wraps(f)(lambda **k: f(**k))])
def test_partials_and_decorated_functions_are_read(wrap: Any) -> None:
    def function(a: int, b: str) -> None:
        """Does it."""

    parameters, problems = signature.read(wrap(function))
    assert not problems
    assert parameters.fields[-1].name == "b"
    assert parameters.description == "Does it."


def test_the_line_is_that_of_the_def() -> None:
    @tool
    @functools.cache
    def function() -> None: ...

    file, line = signature.line_of(function.function)
    assert file == __file__
    assert line == test_the_line_is_that_of_the_def.__code__.co_firstlineno + 3


def test_a_tool_is_called_like_its_function() -> None:
    @tool
    def double(number: int) -> int:
        """Doubles."""
        return number * 2

    @double.simulation
    def _(number: int) -> int:
        return 0

    assert double(4) == 8
    assert double.__name__ == "double"
    assert double.__doc__ == "Doubles."
    assert double.simulated is not None


def test_a_context_shows_no_secret() -> None:
    context = Context(env={"KEY": "s3cret"}, sensitive_user_variables={"card": "4111"}, deadline=0)
    assert "s3cret" not in repr(context)
    assert "4111" not in repr(context)
    assert "KEY" in repr(context)
    assert context.remaining() == 0
    assert Context().log.name == "tool"
