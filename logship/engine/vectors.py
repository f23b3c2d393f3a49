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
    data = array if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(builder.bitcast(data, _BYTE.as_pointer()), [i]), to.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, i: Any, to: Any = _VECTOR) -> Any:
    return builder.load(_pointer(context, builder, kind, array, i, to), align=1)


def _all(value: int) -> Any:
    return ir.Constant(_VECTOR, [value] * 64)


@intrinsic  # type: ignore[untyped-decorator]
def pointer(_: Any, array: Any) -> Any:
    """The address of an array's first item, to be read and written like the array.

    Functions that are handed arrays count references to them, at some ten nanoseconds each.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, given[0]).data

    item = types.uint8 if array.dtype == types.boolean else array.dtype
    return types.CPointer(item)(array), generate


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


def members(*ranges: tuple[int, int]) -> Any:
    """An intrinsic: the mask of the bytes at a place of an array that lie in one of some ranges, ends included."""

    @intrinsic  # type: ignore[untyped-decorator]
    def mask(_: Any, source: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
            vector = _load(context, builder, source, given[0], given[1])
            found = None
            for first, last in ranges:
                shifted = builder.sub(vector, _all(first))
                one = builder.icmp_unsigned("<=", shifted, _all(last - first))
                found = one if found is None else builder.or_(found, one)
            return builder.bitcast(found, _BITS)

        return types.uint64(source, types.int64), generate

    return mask


def _plain(builder: Any, vector: Any) -> Any:
    """Digits as 0, small letters as a, capitals as A."""
    for first, last in (b"09", b"az", b"AZ"):
        shifted = builder.sub(vector, _all(first))
        vector = builder.select(builder.icmp_unsigned("<=", shifted, _all(last - first)), _all(first), vector)
    return vector


@intrinsic  # type: ignore[untyped-decorator]
def keep_looks(_: Any, source: Any, i: Any, target: Any) -> Any:
    """Write 64 bytes to a target's beginning, digits as 0, small letters as a, capitals as A."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _plain(builder, _load(context, builder, source, given[0], given[1]))
        pointer = _pointer(context, builder, target, given[2], ir.Constant(_BITS, 0), _VECTOR)
        builder.store(vector, pointer, align=1)
        return context.get_dummy_value()

    return types.void(source, types.int64, target), generate


@intrinsic  # type: ignore[untyped-decorator]
def same_looks(_: Any, source: Any, i: Any, other: Any) -> Any:
    """The mask of the bytes whose digit, letter or sign is the one that keep_looks() wrote to other."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _plain(builder, _load(context, builder, source, given[0], given[1]))
        against = _load(context, builder, other, given[2], ir.Constant(_BITS, 0))
        return builder.bitcast(builder.icmp_unsigned("==", vector, against), _BITS)

    return types.uint64(source, types.int64, other), generate


@intrinsic  # type: ignore[untyped-decorator]
def alike(_: Any, source: Any, i: Any, other: Any, j: Any) -> Any:
    """The mask of the bytes that are the same as those at a place of other."""

    def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        vector = _load(context, builder, source, given[0], given[1])
        against = _load(context, builder, other, given[2], given[3])
        return builder.bitcast(builder.icmp_unsigned("==", vector, against), _BITS)

    return types.uint64(source, types.int64, other, types.int64), generate


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


@intrinsic  # type: ignore[untyped-decorator]
def highest(_: Any, mask: Any) -> Any:
    """One past the number of the highest bit that is set; 0 for none."""

    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        zeros = builder.ctlz(given[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(_BITS, 64), zeros)

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def ones(_: Any, mask: Any) -> Any:
    """How many bits are set."""

    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.ctpop(given[0])

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def fold(_: Any, one: Any, other: Any) -> Any:
    """The halves of a product of 128 bits, exclusive or, as in https://github.com/wangyi-fudan/wyhash ."""

    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(given[0], wide), builder.zext(given[1], wide))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _BITS)
        return builder.xor(upper, builder.trunc(product, _BITS))

    return types.uint64(types.uint64, types.uint64), generate
