"""What a cell holds: nothing (None), a text (str), a number, a truth value (bool) or a formula.

These are plain Python values rather than objects, because a sheet of 100,000 rows has millions of them.
"""

import math
import re

from .errors import invalid

LONGEST_TEXT = 50_000
NUMBER = re.compile(r'[-+]?(\d+(,\d{3})*(\.\d*)?|\.\d+)(e[-+]?\d+)?', re.IGNORECASE)
# Stands for a null in written values, which leaves the cell as it is.
KEEP = object()


class Formula(str):
    """The text of a formula, with its `=`. It is never calculated: every formula shows `#NAME?`."""


def checked(cell):
    if isinstance(cell, str) and len(cell) > LONGEST_TEXT:
        raise invalid(
            f'Your input contains more than the maximum of {LONGEST_TEXT} characters in a single cell.')
    return cell


def typed(text):
    """What a text becomes when it is typed into a cell by hand, in the locale en_US."""
    if text[:1] in ('=', '+') and len(text) > 1 and not NUMBER.fullmatch(text):
        return Formula(text if text[0] == '=' else '=' + text)
    if text[:1] == "'":
        return text[1:] or None
    if NUMBER.fullmatch(text.strip()) and math.isfinite(value := float(text.replace(',', ''))):
        return number(value)
    if text.strip().upper() in ('TRUE', 'FALSE'):
        return text.strip().upper() == 'TRUE'
    return text or None


def number(value):
    """JSON has one kind of number: a whole one is kept as an int, so that it is written without a fraction."""
    if not math.isfinite(value):
        raise invalid('A number must be finite.')
    return int(value) if isinstance(value, float) and value.is_integer() else value


def from_value(value, user_entered, where):
    """The cell for an item of a ValueRange."""
    if value is None:
        return KEEP
    if isinstance(value, (dict, list)):
        kind = 'struct_value' if isinstance(value, dict) else 'list_value'
        raise invalid(f'Invalid {where}: {kind} is not a value of a cell')
    if not isinstance(value, str):
        return value if isinstance(value, bool) else number(value)
    return checked(typed(value) if user_entered else value or None)


def from_extended(value):
    """The cell for an ExtendedValue."""
    if not value:
        return None
    if len(value) > 1:
        raise invalid('An ExtendedValue has at most one value.')
    (kind, content), = value.items()
    if kind == 'errorValue':
        raise invalid('errorValue is read-only.')
    if kind == 'formulaValue':
        if not content.startswith('='):
            raise invalid('A formulaValue begins with "=".')
        return checked(Formula(content))
    return checked(content or None) if kind == 'stringValue' else number(content)


def entered(cell):
    """The userEnteredValue of a cell that is not empty."""
    kind = type(cell)
    if kind is str:
        return {'stringValue': cell}
    if kind is Formula:
        return {'formulaValue': cell}
    return {'boolValue' if kind is bool else 'numberValue': cell}


def effective(cell, entered_value):
    """The effectiveValue of a cell that is not empty: what was entered, but for a formula."""
    return {'errorValue': {'type': 'NAME'}} if type(cell) is Formula else entered_value


def shown(cell):
    """The text that a person sees, with the format `Automatic`."""
    kind = type(cell)
    if kind is str:
        return cell
    if cell is None:
        return ''
    if kind is Formula:
        return '#NAME?'
    if kind is bool:
        return 'TRUE' if cell else 'FALSE'
    if kind is int:
        return str(cell) if abs(cell) < 10 ** 15 else f'{cell:.9E}'
    return f'{cell:.10f}'.rstrip('0').rstrip('.') if 1e-5 < abs(cell) < 1e15 else f'{cell:.9E}'


def unformatted(cell):
    return '' if cell is None else '#NAME?' if type(cell) is Formula else cell


def as_formula(cell):
    return '' if cell is None else cell


RENDER = {'FORMATTED_VALUE': shown, 'UNFORMATTED_VALUE': unformatted, 'FORMULA': as_formula}
