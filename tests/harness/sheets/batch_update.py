"""The requests of sheets.spreadsheets.batchUpdate."""

from . import cells, masks, resource
from .errors import ApiError, invalid
from .spreadsheet import NEW_SHEET, Sheet

GRID = 'rowCount', 'columnCount', 'frozenRowCount', 'frozenColumnCount'
# What says which worksheet it is, and cannot be changed.
IDENTITY = 'sheetId', 'sheetType'
# The properties that are kept as they are.
ATTRIBUTES = {
    'hidden': 'hidden', 'gridProperties.frozenRowCount': 'frozen_rows',
    'gridProperties.frozenColumnCount': 'frozen_columns',
}


def batch_update(spreadsheet, _, body, mask):
    """Applies the requests in order. The spreadsheet is a copy, so that an error undoes those before it."""
    requests = body.get('requests')
    if not requests:
        raise invalid('Must specify at least one request.')
    replies = [apply(spreadsheet, index, request) for index, request in enumerate(requests)]
    answer = {'spreadsheetId': spreadsheet.spreadsheet_id, 'replies': replies}
    if body.get('includeSpreadsheetInResponse'):
        areas = [spreadsheet.resolve(text) for text in body.get('responseRanges', [])]
        inner = mask.get('updatedSpreadsheet', {}) if mask else {}
        with_grid = resource.wants_grid({'includeGridData': body.get('responseIncludeGridData', False)}, inner)
        answer['updatedSpreadsheet'] = resource.resource(spreadsheet, areas, with_grid)
    return answer


def apply(spreadsheet, index, request):
    """Applies one request and returns its reply."""
    where = f'Invalid requests[{index}]'
    if len(request) != 1:
        raise invalid(f'{where}: No request set.' if not request else
                      f'Invalid value at \'requests[{index}]\' (oneof), oneof field \'kind\' is already set. '
                      f'Cannot set \'{list(request)[1]}\'')
    (kind, details), = request.items()
    if kind not in REQUESTS:
        raise invalid(f'{where}: the emulator has no {kind}')
    try:
        reply = REQUESTS[kind](spreadsheet, details or {})
        spreadsheet.check_size()
    except ApiError as error:
        raise invalid(f'{where}.{kind}: {error.message}') from error
    return {kind: reply} if reply else {}


def add_sheet(spreadsheet, request):
    wanted = request.get('properties', {})
    title = wanted.get('title') or free_title(spreadsheet)
    check_title(spreadsheet, title)
    sheet = Sheet(title)
    if 'sheetId' in wanted:
        sheet.sheet_id = wanted['sheetId']
        if sheet.sheet_id < 0 or any(other.sheet_id == sheet.sheet_id for other in spreadsheet.sheets):
            raise invalid(f'The sheet id {sheet.sheet_id} is not free.')
    grid = wanted.get('gridProperties', {})
    # Google takes a size of zero as one that was not given.
    sheet.row_count = grid.get('rowCount') or NEW_SHEET[0]
    sheet.column_count = grid.get('columnCount') or NEW_SHEET[1]
    check_grid(sheet.row_count, sheet.column_count)
    sheet.frozen_rows = grid.get('frozenRowCount', 0)
    sheet.frozen_columns = grid.get('frozenColumnCount', 0)
    sheet.hidden = wanted.get('hidden', False)
    spreadsheet.sheets.insert(wanted.get('index', len(spreadsheet.sheets)), sheet)
    return {'properties': resource.properties(sheet, spreadsheet.sheets.index(sheet))}


def free_title(spreadsheet):
    return next(title for number in range(1, len(spreadsheet.sheets) + 2)
                if not spreadsheet.titled(title := f'Sheet{number}'))


def check_title(spreadsheet, title, own=None):
    if spreadsheet.titled(title) not in (None, own):
        raise invalid(f'A sheet with the name "{title}" already exists. Please enter another name.')


def delete_sheet(spreadsheet, request):
    sheet = spreadsheet.with_id(request.get('sheetId', 0))
    if len(spreadsheet.sheets) == 1:
        raise invalid("You can't remove all the sheets in a document.")
    spreadsheet.sheets.remove(sheet)


def update_sheet_properties(spreadsheet, request):
    wanted = request.get('properties', {})
    sheet = spreadsheet.with_id(wanted.get('sheetId', 0))
    paths = mask_paths(request, wanted)
    if 'gridProperties' in paths:
        paths += [f'gridProperties.{name}' for name in GRID]
        paths.remove('gridProperties')
    sizes = {'gridProperties.rowCount': sheet.row_count, 'gridProperties.columnCount': sheet.column_count}
    for path in paths:
        inner, _, name = path.rpartition('.')
        value = (wanted.get('gridProperties', {}) if inner else wanted).get(name)
        if path == 'title':
            rename(spreadsheet, sheet, value)
        elif path == 'index':
            move(spreadsheet, sheet, value or 0)
        elif path in sizes:
            sizes[path] = value or 0
        elif path in ATTRIBUTES:
            setattr(sheet, ATTRIBUTES[path], value or 0)
        else:
            raise invalid(f'the emulator does not keep {path}')
    check_grid(*sizes.values())
    sheet.resize(*sizes.values())


def rename(spreadsheet, sheet, title):
    if not title:
        raise invalid('The title must not be empty.')
    check_title(spreadsheet, title, sheet)
    sheet.title = title


def move(spreadsheet, sheet, index):
    """Moves a worksheet before the one that has the index now."""
    index -= index > spreadsheet.sheets.index(sheet)
    spreadsheet.sheets.remove(sheet)
    spreadsheet.sheets.insert(index, sheet)


def check_grid(row_count, column_count):
    if row_count < 1 or column_count < 1:
        raise invalid('A sheet has at least one row and one column.')


def mask_paths(request, everything):
    """The paths that the field mask of a request names; `*` names all that `everything` has."""
    text = request.get('fields')
    if not text:
        raise invalid("At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)")
    try:
        mask = masks.parse(text)
    except masks.BadMask as error:
        raise invalid(f'Invalid field: {error}') from error
    paths = list(masks.leaves(mask or everything))
    return paths if mask else [path for path in paths if path not in IDENTITY]


def update_cells(spreadsheet, request):
    if ('start' in request) == ('range' in request):
        raise invalid('Exactly one of start and range must be set.')
    kept = kept_parts(request)
    lines, notes = cell_lines(request), note_lines(request)
    if 'start' in request:
        start = request['start']
        sheet = spreadsheet.with_id(start.get('sheetId', 0))
        top, left = start.get('rowIndex', 0), start.get('columnIndex', 0)
        bottom, right = sheet.row_count, sheet.column_count
    else:
        sheet, area = resource.grid_area(spreadsheet, request['range'])
        top, left, bottom, right = area.within(sheet.row_count, sheet.column_count)
        lines, notes = filled(lines, bottom - top, right - left), filled(notes, bottom - top, right - left)
    check_fits(lines, top, left, bottom, right)
    put(spreadsheet, sheet, top, left, lines, notes, kept)


def filled(lines, rows, columns):
    """Lines for every cell of a range: what is not given is empty."""
    lines = lines + [[] for _ in range(rows - len(lines))]
    return [line + [None] * (columns - len(line)) for line in lines]


def put(spreadsheet, sheet, top, left, lines, notes, kept):
    """Writes the parts of cells that the mask names."""
    if 'userEnteredValue' in kept:
        spreadsheet.write(sheet, top, left, lines)
    if 'note' in kept:
        for row, line in enumerate(notes, top):
            for column, note in enumerate(line, left):
                sheet.notes.put(row, column, note)


def append_cells(spreadsheet, request):
    if 'tableId' in request:
        raise invalid('the emulator has no tables')
    kept = kept_parts(request)
    sheet = spreadsheet.with_id(request.get('sheetId', 0))
    lines, top = cell_lines(request), len(sheet.rows)
    check_fits(lines, top, 0, top + len(lines), sheet.column_count)
    # The rows are there, whichever parts of their cells are written.
    sheet.row_count = max(sheet.row_count, top + len(lines))
    put(spreadsheet, sheet, top, 0, lines, note_lines(request), kept)


def kept_parts(request):
    """The parts of cells that the mask names. Writing what is not kept would be lost without a word."""
    parts = {path.partition('.')[0] for path in mask_paths(request, {'userEnteredValue': {}, 'note': {}})}
    for part in sorted(parts - {'userEnteredValue', 'note'}):
        raise invalid(f'the emulator does not keep {part}')
    return parts


def cell_lines(request):
    """The rows of cells for an array of RowData. A cell without a value is emptied."""
    return [
        [cells.from_extended(cell.get('userEnteredValue')) for cell in row.get('values', [])]
        for row in request.get('rows', [])]


def note_lines(request):
    """The notes for an array of RowData. A cell without one loses the one that it has."""
    return [[cell.get('note') for cell in row.get('values', [])] for row in request.get('rows', [])]


def check_fits(lines, top, left, bottom, right):
    if top < 0 or left < 0:
        raise invalid('An index must not be negative.')
    if top + len(lines) > bottom:
        raise invalid(f'Attempting to write row: {bottom}, beyond the last requested row of: {bottom - 1}')
    if any(left + len(line) > right for line in lines):
        raise invalid(f'Attempting to write column: {right}, beyond the last requested column of: {right - 1}')


def dimension(spreadsheet, span):
    """Worksheet, whether it is about rows, how many there are, and the start and end of a DimensionRange."""
    sheet = spreadsheet.with_id(span.get('sheetId', 0))
    if span.get('dimension') not in ('ROWS', 'COLUMNS'):
        raise invalid('No dimension specified.')
    by_rows = span['dimension'] == 'ROWS'
    count = sheet.row_count if by_rows else sheet.column_count
    start, end = span.get('startIndex', 0), span.get('endIndex', count)
    if not 0 <= start < end:
        raise invalid(f'The span from {start} to {end} is not valid.')
    return sheet, by_rows, count, start, end


def delete_dimension(spreadsheet, request):
    sheet, by_rows, count, start, end = dimension(spreadsheet, request.get('range', {}))
    what = 'row' if by_rows else 'column'
    if end > count:
        raise invalid(f"Cannot delete a {what} that doesn't exist. Tried to delete {what} index {max(start, count)} "
                      f'but there are only {count} {what}s.')
    if end - start == count:
        raise invalid(f"You can't delete all the {what}s on the sheet.")
    frozen = sheet.frozen_rows if by_rows else sheet.frozen_columns
    if start <= frozen and end == count:
        raise invalid(f'Sorry, it is not possible to delete all non-frozen {what}s.')
    if by_rows:
        sheet.delete_rows(start, end)
        sheet.frozen_rows -= max(min(end, frozen) - start, 0)
    else:
        sheet.delete_columns(start, end)
        sheet.frozen_columns -= max(min(end, frozen) - start, 0)


def insert_dimension(spreadsheet, request):
    span = request.get('range', {})
    sheet, by_rows, count, start, end = dimension(spreadsheet, span)
    if 'endIndex' not in span:
        raise invalid('Both the start and end indexes must be bounded.')
    if start > count or request.get('inheritFromBefore') and not start:
        raise invalid(f'Cannot insert at index {start} of {count}.')
    (sheet.insert_rows if by_rows else sheet.insert_columns)(start, end - start)


def append_dimension(spreadsheet, request):
    sheet = spreadsheet.with_id(request.get('sheetId', 0))
    length = request.get('length', 0)
    if length < 1 or request.get('dimension') not in ('ROWS', 'COLUMNS'):
        raise invalid('A dimension and a length above zero are needed.')
    if request['dimension'] == 'ROWS':
        sheet.row_count += length
    else:
        sheet.column_count += length


def sort_range(spreadsheet, request):
    sheet, area = resource.grid_area(spreadsheet, request.get('range', {}))
    keys = []
    for spec in request.get('sortSpecs', []):
        if set(spec) - {'dimensionIndex', 'sortOrder'}:
            raise invalid('the emulator sorts only by values')
        keys.append((spec.get('dimensionIndex', 0), spec.get('sortOrder') == 'DESCENDING'))
    sheet.sort(sheet.area(area), keys)


REQUESTS = {
    'addSheet': add_sheet, 'deleteSheet': delete_sheet, 'updateSheetProperties': update_sheet_properties,
    'updateCells': update_cells, 'appendCells': append_cells, 'deleteDimension': delete_dimension,
    'insertDimension': insert_dimension, 'appendDimension': append_dimension, 'sortRange': sort_range,
}
