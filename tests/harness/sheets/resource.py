"""A spreadsheet as sheets.spreadsheets.get shows it."""

from . import cells, masks
from .a1 import Area
from .answers import Rows
from .errors import invalid

ROW_HEIGHT, COLUMN_WIDTH = 21, 100


def get(spreadsheet, parameters, _, mask):
    areas = [spreadsheet.resolve(text) for text in parameters.get('ranges', [])]
    return resource(spreadsheet, areas, wants_grid(parameters, mask))


def get_by_data_filter(spreadsheet, _, body, mask):
    areas = []
    for index, data_filter in enumerate(body.get('dataFilters', [])):
        if 'a1Range' in data_filter:
            areas.append(spreadsheet.resolve(data_filter['a1Range']))
        elif 'gridRange' in data_filter:
            areas.append(grid_area(spreadsheet, data_filter['gridRange']))
        else:
            raise invalid(f'Invalid dataFilters[{index}]: the emulator knows only a1Range and gridRange')
    return resource(spreadsheet, areas, wants_grid(body, mask))


def grid_area(spreadsheet, grid_range):
    """The worksheet and the area of a GridRange."""
    area = Area(
        grid_range.get('startRowIndex', 0), grid_range.get('startColumnIndex', 0),
        grid_range.get('endRowIndex'), grid_range.get('endColumnIndex'))
    if area.top < 0 or area.left < 0 or any(
            end is not None and end < start for start, end in ((area.top, area.bottom), (area.left, area.right))):
        raise invalid(f'Invalid range: {grid_range}')
    return spreadsheet.with_id(grid_range.get('sheetId', 0)), area


def wants_grid(options, mask):
    """Whether the cells are wanted; a mask says so by itself."""
    return masks.wants(mask, 'sheets', 'data') if mask else options.get('includeGridData', False)


def resource(spreadsheet, areas, with_grid):
    """The spreadsheet, or what of it has to do with some areas."""
    sheets = []
    for index, sheet in enumerate(spreadsheet.sheets):
        wanted = [area for found, area in areas if found is sheet]
        if areas and not wanted:
            continue
        shown = {'properties': properties(sheet, index)}
        if with_grid:
            shown['data'] = [grid_data(sheet, sheet.area(area)) for area in wanted or [Area()]]
        sheets.append(shown)
    return {
        'spreadsheetId': spreadsheet.spreadsheet_id,
        'properties': {
            'title': spreadsheet.title, 'locale': 'en_US', 'autoRecalc': 'ON_CHANGE', 'timeZone': 'Etc/GMT',
        },
        'sheets': sheets,
        'spreadsheetUrl': f'https://docs.google.com/spreadsheets/d/{spreadsheet.spreadsheet_id}/edit',
    }


def properties(sheet, index):
    """The SheetProperties of a worksheet."""
    grid = {'rowCount': sheet.row_count, 'columnCount': sheet.column_count}
    if sheet.frozen_rows:
        grid['frozenRowCount'] = sheet.frozen_rows
    if sheet.frozen_columns:
        grid['frozenColumnCount'] = sheet.frozen_columns
    found = {
        'sheetId': sheet.sheet_id, 'title': sheet.title, 'index': index, 'sheetType': 'GRID', 'gridProperties': grid}
    return found | ({'hidden': True} if sheet.hidden else {})


def grid_data(sheet, area):
    """The GridData of an area within the grid."""
    data = {}
    if area.top:
        data['startRow'] = area.top
    if area.left:
        data['startColumn'] = area.left
    rows, notes = sheet.read(area), sheet.notes.within(area)
    count = max([len(rows), *(row + 1 for row in notes)])
    if count:
        data['rowData'] = Rows(
            row_data(rows[index] if index < len(rows) else (), notes.get(index, {})) for index in range(count))
    data['rowMetadata'] = Rows({'pixelSize': ROW_HEIGHT} for _ in range(area.top, area.bottom))
    data['columnMetadata'] = Rows({'pixelSize': COLUMN_WIDTH} for _ in range(area.left, area.right))
    return data


def row_data(row, notes):
    values = [cell_data(cell) for cell in row]
    for column, note in notes.items():
        values += [{} for _ in range(column + 1 - len(values))]
        values[column] = values[column] | {'note': note}
    return {'values': values} if values else {}


def cell_data(cell):
    if cell is None:
        return {}
    entered = cells.entered(cell)
    return {
        'userEnteredValue': entered, 'effectiveValue': cells.effective(cell, entered),
        'formattedValue': cells.shown(cell),
    }
