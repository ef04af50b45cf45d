"""A1 notation: `Sheet1`, `'It''s'!A1:C`, `A:C`, `Sheet1!5:9`."""

import re
from typing import NamedTuple

CORNER = re.compile(r'([A-Za-z]{1,3})?([1-9]\d*)?')
QUALIFIED = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))!(.+)")
QUOTED = re.compile(r"'((?:[^']|'')+)'")


class Area(NamedTuple):
    """Rows from `top` to before `bottom` and columns from `left` to before `right`; None where it is open."""

    top: int = 0
    left: int = 0
    bottom: int | None = None
    right: int | None = None

    def is_cell(self):
        return (self.bottom, self.right) == (self.top + 1, self.left + 1)

    def within(self, row_count, column_count):
        """The part of it that a grid has."""
        bottom = row_count if self.bottom is None else min(self.bottom, row_count)
        right = column_count if self.right is None else min(self.right, column_count)
        return Area(self.top, self.left, bottom, right)


def column_name(index):
    name = ''
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord('A') + letter) + name
    return name


def column_index(name):
    index = 0
    for letter in name.upper():
        index = index * 26 + ord(letter) - ord('A') + 1
    return index - 1


def parse_area(text):
    """The area that a text such as `B2:C` names; None where it names none."""
    first, separator, last = text.partition(':')
    corners = [CORNER.fullmatch(corner) for corner in ((first, last) if separator else (first, first))]
    if not all(corner and corner[0] for corner in corners):
        return None
    if not separator and None in corners[0].groups():
        # A column or a row alone is `A:A` or `1:1`; `A` by itself is the title of a worksheet.
        return None
    columns = [corner[1] and column_index(corner[1]) for corner in corners]
    rows = [corner[2] and int(corner[2]) - 1 for corner in corners]
    (top, bottom), (left, right) = ordered(rows), ordered(columns)
    return Area(top, left, bottom, right)


def ordered(ends):
    """Start and end (exclusive) of a dimension, whichever of its two ends was written first."""
    if None in ends:
        return next((end for end in ends if end is not None), 0), None
    return min(ends), max(ends) + 1


def parse(text):
    """Title (None where it has none) and area of a range; None where it is not a range."""
    qualified = QUALIFIED.fullmatch(text)
    if qualified:
        area = parse_area(qualified[3])
        return area and (unquoted(qualified[1]) if qualified[1] else qualified[2], area)
    area = parse_area(text)
    if area:
        return None, area
    quoted = QUOTED.fullmatch(text)
    return (unquoted(quoted[1]) if quoted else text), Area()


def unquoted(title):
    return title.replace("''", "'")


def quoted_title(title):
    """A title as it stands before the `!`: quoted where it would be something else without."""
    plain = title.isidentifier() and not CORNER.fullmatch(title)
    return title if plain else "'" + title.replace("'", "''") + "'"


def format_range(title, area):
    """The range of an area whose ends may be open."""
    def corner(row, column):
        return (column_name(column) if column is not None else '') + (str(row + 1) if row is not None else '')

    first = corner(area.top, area.left)
    if area.is_cell():
        return f'{quoted_title(title)}!{first}'
    last = corner(area.bottom and area.bottom - 1, area.right and area.right - 1)
    if area.bottom is None and not area.top:
        first = corner(None, area.left)
    if area.right is None and not area.left:
        first = corner(area.top, None)
    return f'{quoted_title(title)}!{first}:{last}' if last else quoted_title(title)
