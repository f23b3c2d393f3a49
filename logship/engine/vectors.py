"""Sixty-four bytes at once: numba intrinsics that LLVM lowers to whatever vectors the processor has.

A mask has bit k set where byte k of the 64 is meant. Each reads or writes a whole vector, so arrays carry 64 bytes of
slack. https://llvm.org/docs/LangRef.html#vector-operations
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_BYTE = ir.IntType(8)
_BITS = ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, 64)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, i: Any, to: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(builder.bitcast(data, _BYTE.as_pointer()), [i]), to.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, i: Any, to: Any = _VECTOR) -> Any:
    return builder.load(_pointer(context, builder, kind, array, i, to), align=1)


def _all(value: int) -> Any:
    return ir.Constant(_VECTOR, [value] * 64)


def _splat(builder: Any, byte: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), byte, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
    )


@intrinsic  # type: ignore[untyped-decorator]
def specials(_: Any, source: Any, i: Any, target: Any, o: Any) -> Any:
    """Copy 64 bytes from source[i] to target[o]; the mask of those that JSON escapes or that are not ASCII."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _load(context, builder, source, given[0], given[1])
        builder.store(vector, _pointer(context, builder, target, given[2], given[3], _VECTOR), align=1)
        found = builder.icmp_signed("<", vector, _all(0x20))  # bytes from 0x80 on are negative
        for byte in b'"\\':
            found = builder.or_(found, builder.icmp_unsigned("==", vector, _all(byte)))
        return builder.bitcast(found, _BITS)

    return types.uint64(source, types.int64, target, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def copy(_: Any, source: Any, i: Any, target: Any, o: Any) -> Any:
    """Copy 64 bytes from source[i] to target[o]."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _load(context, builder, source, given[0], given[1])
        builder.store(vector, _pointer(context, builder, target, given[2], given[3], _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def within(_: Any, source: Any, i: Any, first: Any, last: Any) -> Any:
    """The mask of the bytes from first to last."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _load(context, builder, source, given[0], given[1])
        shifted = builder.sub(vector, _splat(builder, given[2]))
        width = _splat(builder, builder.sub(given[3], given[2]))
        return builder.bitcast(builder.icmp_unsigned("<=", shifted, width), _BITS)

    return types.uint64(source, types.int64, types.uint8, types.uint8), generate


@intrinsic  # type: ignore[untyped-decorator]
def alike(_: Any, source: Any, i: Any, other: Any) -> Any:
    """The mask of the bytes that are the same as other's first 64."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _load(context, builder, source, given[0], given[1])
        against = _load(context, builder, other, given[2], ir.Constant(_BITS, 0))
        return builder.bitcast(builder.icmp_unsigned("==", vector, against), _BITS)

    return types.uint64(source, types.int64, other), generate


@intrinsic  # type: ignore[untyped-decorator]
def word(_: Any, source: Any, i: Any) -> Any:
    """Eight bytes as a number, the first lowest."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return _load(context, builder, source, given[0], given[1], _BITS)

    return types.uint64(source, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(_: Any, target: Any, o: Any, number: Any) -> Any:
    """Write a number's eight bytes to target[o], the lowest first."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        builder.store(given[2], _pointer(context, builder, target, given[0], given[1], _BITS), align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def lowest(_: Any, mask: Any) -> Any:
    """The number of the lowest bit that is set, or 64."""

    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate
