"""The syntax tree read from and written to the runtime's own serialised form.

`cel-expr-python` parses, and gives the tree only as bytes: `cel.expr.ParsedExpr` of the protocol buffers in
google/cel-spec (proto/cel/expr/syntax.proto) within a `google.protobuf.Any`. That message is small, so it is read and
written here, which needs no generated code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from orchestration.expressions.syntax import (
    Call,
    Comprehension,
    Const,
    Entry,
    Expr,
    Ident,
    ListExpr,
    MapExpr,
    Parsed,
    Select,
    Unsigned,
)

_VARINT, _I64, _LEN = 0, 1, 2


def parse(serialised: bytes) -> Parsed:
    envelope = dict(_fields(serialised))
    body = dict(_fields(envelope[2]))
    source_info = body.get(3, b"")
    positions = {}
    for number, value in _fields(source_info):
        if number == 4:
            pair = dict(_fields(value))
            positions[pair.get(1, 0)] = pair.get(2, 0)
    return Parsed(_expr(body[2]), positions, envelope[1], source_info)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
        elif wire == _I64:
            yield number, data[position : position + 8]
            position += 8
        elif wire == _LEN:
            length, position = _varint(data, position)
            yield number, data[position : position + length]
            position += length
        else:
            raise ValueError(f"Unexpected wire type {wire} in a serialised expression.")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _expr(data: bytes) -> Expr:
    identity, kind, body = 0, 0, b""
    for number, value in _fields(data):
        if number == 2:
            identity = value
        else:
            kind, body = number, value
    return _READERS[kind](identity, body)


def _read_const(identity: int, data: bytes) -> Const:
    for number, value in _fields(data):
        match number:
            case 2:
                return Const(identity, bool(value))
            case 3:
                return Const(identity, value - (1 << 64) if value >= 1 << 63 else value)
            case 4:
                return Const(identity, Unsigned(value))
            case 5:
                return Const(identity, struct.unpack("<d", value)[0])
            case 6:
                return Const(identity, value.decode())
            case 7:
                return Const(identity, value)
    return Const(identity, None)


def _read_ident(identity: int, data: bytes) -> Ident:
    return Ident(identity, dict(_fields(data)).get(1, b"").decode())


def _read_select(identity: int, data: bytes) -> Select:
    found = dict(_fields(data))
    return Select(identity, _expr(found[1]), found.get(2, b"").decode(), bool(found.get(3, 0)))


def _read_call(identity: int, data: bytes) -> Call:
    call = Call(identity, "", [])
    for number, value in _fields(data):
        if number == 1:
            call.target = _expr(value)
        elif number == 2:
            call.function = value.decode()
        else:
            call.args.append(_expr(value))
    return call


def _read_list(identity: int, data: bytes) -> ListExpr:
    result = ListExpr(identity, [])
    for number, value in _fields(data):
        if number == 1:
            result.elements.append(_expr(value))
        elif isinstance(value, int):
            result.optional.append(value)
        else:
            position = 0
            while position < len(value):
                index, position = _varint(value, position)
                result.optional.append(index)
    return result


def _read_map(identity: int, data: bytes) -> MapExpr:
    result = MapExpr(identity, [])
    for number, value in _fields(data):
        if number == 1:
            result.message = value.decode()
        else:
            found = dict(_fields(value))
            key = _expr(found[3]) if 3 in found else None
            name = found.get(2, b"").decode()
            result.entries.append(Entry(found.get(1, 0), _expr(found[4]), key, name, bool(found.get(5, 0))))
    return result


def _read_comprehension(identity: int, data: bytes) -> Comprehension:
    found = dict(_fields(data))
    return Comprehension(
        identity,
        variable=found.get(1, b"").decode(),
        variable2=found.get(8, b"").decode(),
        range=_expr(found[2]),
        accumulator=found.get(3, b"").decode(),
        initial=_expr(found[4]),
        condition=_expr(found[5]),
        step=_expr(found[6]),
        result=_expr(found[7]),
    )


_READERS: dict[int, Callable[[int, bytes], Expr]] = {
    0: _read_const,
    3: _read_const,
    4: _read_ident,
    5: _read_select,
    6: _read_call,
    7: _read_list,
    8: _read_map,
    9: _read_comprehension,
}


def encode(parsed: Parsed, expr: Expr) -> bytes:
    """The whole of it, with another tree."""
    body = _bytes_field(2, _encode(expr)) + _bytes_field(3, parsed.source_info)
    return _bytes_field(1, parsed.type_url) + _bytes_field(2, body)


def _encode(node: Expr) -> bytes:
    match node:
        case Const():
            kind, body = 3, _encode_const(node.value)
        case Ident():
            kind, body = 4, _text_field(1, node.name)
        case Select():
            kind = 5
            body = _bytes_field(1, _encode(node.operand)) + _text_field(2, node.field) + _int_field(3, int(node.test))
        case Call():
            kind = 6
            body = b"" if node.target is None else _bytes_field(1, _encode(node.target))
            body += _text_field(2, node.function) + b"".join(_bytes_field(3, _encode(arg)) for arg in node.args)
        case ListExpr():
            kind = 7
            body = b"".join(_bytes_field(1, _encode(element)) for element in node.elements)
            if node.optional:
                body += _bytes_field(2, b"".join(map(_write_varint, node.optional)))
        case MapExpr():
            kind = 8
            body = _text_field(1, node.message) if node.message else b""
            body += b"".join(_bytes_field(2, _encode_entry(entry)) for entry in node.entries)
        case Comprehension():
            kind = 9
            body = _text_field(1, node.variable) + _text_field(3, node.accumulator)
            parts = ((2, node.range), (4, node.initial), (5, node.condition), (6, node.step), (7, node.result))
            body += b"".join(_bytes_field(number, _encode(part)) for number, part in parts)
            if node.variable2:
                body += _text_field(8, node.variable2)
    return _int_field(2, node.id) + _bytes_field(kind, body)


def _encode_entry(entry: Entry) -> bytes:
    key = _bytes_field(3, _encode(entry.key)) if entry.key is not None else _text_field(2, entry.name)
    return _int_field(1, entry.id) + key + _bytes_field(4, _encode(entry.value)) + _int_field(5, int(entry.optional))


def _encode_const(value: object) -> bytes:
    match value:
        case None:
            return b"\x08\x00"
        case bool():
            return b"\x10" + _write_varint(int(value))
        case Unsigned():
            return b"\x20" + _write_varint(int(value))
        case int():
            return b"\x18" + _write_varint(value & (1 << 64) - 1)
        case float():
            return b"\x29" + struct.pack("<d", value)
        case str():
            return _text_field(6, value)
        case bytes():
            return _bytes_field(7, value)
    raise TypeError(f"{type(value).__name__} is no constant of CEL.")


def _bytes_field(number: int, data: bytes) -> bytes:
    return _write_varint(number << 3 | _LEN) + _write_varint(len(data)) + data


def _text_field(number: int, text: str) -> bytes:
    return _bytes_field(number, text.encode())


def _int_field(number: int, value: int) -> bytes:
    return _write_varint(number << 3) + _write_varint(value) if value else b""


def _write_varint(value: int) -> bytes:
    out = bytearray()
    while True:
        low, value = value & 0x7F, value >> 7
        out.append(low | 0x80 if value else low)
        if not value:
            return bytes(out)
