"""Notes of cells, which go where their cells go."""


class Notes:
    """Texts by (row, column). Most cells have none, so that they are kept apart from the cells."""

    def __init__(self, texts=None):
        self.texts = dict(texts or {})

    def copy(self):
        return Notes(self.texts)

    def put(self, row, column, text):
        if text:
            self.texts[row, column] = text
        else:
            self.texts.pop((row, column), None)

    def within(self, area):
        """The notes of an area within the grid, by row and then by column, both counted from its corner."""
        found = {}
        for (row, column), text in self.texts.items():
            if area.top <= row < area.bottom and area.left <= column < area.right:
                found.setdefault(row - area.top, {})[column - area.left] = text
        return found

    def relocate(self, place):
        """Puts each note where `place` says that its row and column have gone; None takes it away."""
        moved = {place(row, column): text for (row, column), text in self.texts.items()}
        moved.pop(None, None)
        self.texts = moved


def inserted(at, count):
    """Where an index goes when others are inserted before `at`."""
    return lambda index: index + count if index >= at else index


def deleted(start, end):
    """Where an index goes when those from `start` to before `end` are deleted; None for one of them."""
    return lambda index: index if index < start else None if index < end else index - (end - start)
