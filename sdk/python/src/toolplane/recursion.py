"""Which records and aliases contain themselves: those need a name in the schema, and late binding in the converter."""

from collections.abc import Iterable

from toolplane.shape import Alias, Array, Dictionary, Noted, OneOf, Record, Row, Shape


def recursive(shapes: Iterable[Shape]) -> set[int]:
    """The `id` of each named shape, among those reachable, from which it can be reached again."""
    found: set[int] = set()
    open_names: list[int] = []
    done: set[int] = set()

    def visit(shape: Shape) -> None:
        if not isinstance(shape, Record | Alias):
            for part in _parts(shape):
                visit(part)
            return
        if id(shape) in open_names:
            found.add(id(shape))
        elif id(shape) not in done:
            open_names.append(id(shape))
            for part in _parts(shape):
                visit(part)
            open_names.pop()
            done.add(id(shape))

    for shape in shapes:
        visit(shape)
    return found


def _parts(shape: Shape) -> tuple[Shape, ...]:
    match shape:
        case Array(item=item):
            return (item,)
        case Row(items=items) | OneOf(members=items):
            return items
        case Dictionary(key=key, value=value):
            return (key, value)
        case Noted(shape=inner) | Alias(target=inner):
            return (inner,)
        case Record(fields=fields):
            return tuple(field.shape for field in fields)
    return ()
