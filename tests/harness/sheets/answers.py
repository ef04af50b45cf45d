"""Writes answers as JSON, piece by piece, checking all of them before the field mask takes a part away."""

import itertools
import json

from . import masks
from .shapes import Anything, Array, Object

PIECE = 500


class Rows:
    """An array of JSON values that are made while they are written, because all at once would be too many."""

    def __init__(self, items):
        self.items = items


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(',', ':'))


def pieces(value, shape, mask, found, path=()):
    """Texts that make up the JSON of a value. What does not fit the shape is appended to `found`."""
    if isinstance(value, dict):
        yield from object_pieces(value, shape, mask, found, path)
    elif isinstance(value, Rows):
        yield from rows_pieces(value, shape, mask, found, path)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        inner = items_of(shape, path, found)
        for index, item in enumerate(value):
            yield ',' if index else '['
            yield from pieces(item, inner, mask, found, (path, index))
        yield ']'
    else:
        shape.check(value, path, found)
        yield dumps(value)


def object_pieces(value, shape, mask, found, path):
    if not isinstance(shape, (Object, Anything)):
        found.append((path, None, 'is an object'))
        shape = Anything()
    separator = '{'
    for name, item in value.items():
        inner = Anything() if isinstance(shape, Anything) else shape.fields.get(name)
        if inner is None:
            found.append((path, name, 'Cannot find field.'))
        texts = pieces(item, inner or Anything(), mask.get(name, {}), found, (path, name))
        if mask and name not in mask:
            # It is not wanted, but it is checked.
            for _ in texts:
                pass
        else:
            yield f'{separator}{dumps(name)}:'
            yield from texts
            separator = ','
    yield '{}' if separator == '{' else '}'


def rows_pieces(rows, shape, mask, found, path):
    inner = items_of(shape, path, found)
    items = enumerate(rows.items)
    separator = '['
    while part := list(itertools.islice(items, PIECE)):
        for index, item in part:
            inner.check(item, (path, index), found)
        yield separator + dumps([masks.select(item, mask) for _, item in part])[1:-1]
        separator = ','
    yield '[]' if separator == '[' else ']'


def items_of(shape, path, found):
    if isinstance(shape, Array):
        return shape.items
    if not isinstance(shape, Anything):
        found.append((path, None, 'is an array'))
    return Anything()
