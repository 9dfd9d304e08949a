"""What a snapshot holds is not counted any more: nothing of it is ever freed, so an invocation need not write to it.

CPython counts who refers to an object inside the object. An invocation that calls a function, reads a constant or makes
an instance of a class therefore writes to wherever these lie, and each page that it writes to has to be copied for it.
CPython knows objects that are not counted, as None is. Python code cannot make one, but the host can: it writes that
count into the memory that it snapshots, at the addresses that it is told here.

Only objects that do nothing when they go are made so. An instance of an author's class, a file or a generator is
counted as always, and goes when nobody refers to it.
"""

import gc
import sys
from types import (
    BuiltinFunctionType,
    CellType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)

_KINDS = frozenset(
    {
        *(str, bytes, int, float, complex, range, slice, tuple, list, dict, set, frozenset),
        *(property, classmethod, staticmethod, super, object),
        *(FunctionType, CodeType, CellType, MethodType, ModuleType, MappingProxyType),
        *(BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType, ClassMethodDescriptorType),
        *(GetSetDescriptorType, MemberDescriptorType, MethodWrapperType),
    }
)

# Whatever the host is told of has to be there for ever.
_kept: list[list[object]] = []


def find() -> list[int]:
    """The addresses of all that can be made immortal and is not yet."""
    # Since 3.14; an author's tests may run on an earlier one.
    is_immortal = getattr(sys, "_is_immortal")
    level = gc.get_objects()
    seen = set(map(id, level))
    found: list[object] = []
    while level:
        found += [each for each in level if type(each) in _KINDS or isinstance(each, type)]
        following: list[object] = []
        for each in gc.get_referents(*level):
            if id(each) not in seen and not is_immortal(each):
                seen.add(id(each))
                following.append(each)
        level = following
    _kept.append(found)
    return [id(each) for each in found]
