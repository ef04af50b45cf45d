"""Reads a sheet whose columns are found by their headings, with dates in ISO form.

Plain functions over plain values: nothing here knows that it runs in a component, so
`python3 -m unittest` tests it as it is.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime

# The host writes its marks by position, so the bookkeeping columns stand first, in this order.
BOOKKEEPING = ("status", "notified", "reminded")
NOTIFIED_COLUMN = 1
REMINDED_COLUMN = 2

REQUESTER = ("submitted", "e-mail", "first name", "last name")
ACCESS = REQUESTER + ("new account", "pin", "project", "new project", "description", "comment")
QUOTA = REQUESTER + ("project", "until", "comment")

# Columns that a sheet may have.
ACCESS_EXTRA = ("organisation", "position", "phone", "sponsor", "members", "contact", "contact e-mail")
# Heading, OpenStack's key, and how many of OpenStack's units one of the sheet's is.
LIMITS = (
    ("instances", "instances", 1),
    ("cores", "cores", 1),
    ("ram gb", "ram", 1024),
    ("floating ips", "floatingip", 1),
    ("networks", "network", 1),
    ("ports", "port", 1),
    ("volumes", "volumes", 1),
    ("snapshots", "snapshots", 1),
    ("gigabytes", "gigabytes", 1),
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ADDRESS = re.compile(r"[^@\s,;<>\"().]+(\.[^@\s,;<>\"().]+)*@([^@\s,;<>\"().]+\.)+[^@\s,;<>\"().]+")


class Unreadable(Exception):
    """The sheet does not have the columns; the text says which are missing."""


class Rejected(Exception):
    """A row cannot be used; the text says what to correct. `requester` is its e-mail cell."""

    requester = ""


@dataclass
class Waiting:
    """Nobody has decided yet."""

    since: datetime | None
    reminded: datetime | None


@dataclass
class Signup:
    """One row that asks for something. The stage is "denied", "approved", "ready" or a Waiting."""

    key: str
    stage: str | Waiting
    cells: dict[str, str]
    members: list[str] = field(default_factory=list)
    limits: list[tuple[str, int]] = field(default_factory=list)
    until: date | None = None

    @property
    def is_new_account(self) -> bool:
        return is_yes(self.cells["new account"])

    @property
    def is_new_project(self) -> bool:
        return is_yes(self.cells["new project"])


def read_sheet(kind, rows):
    """Yields (row number, Signup or Rejected) for each row below the header that is not blank.

    `kind` is "access" or "quota", `rows` pairs of a number and a list of cells. Raises Unreadable.
    """
    rows = [(number, cells) for number, cells in rows if any(cell.strip() for cell in cells)]
    if not rows:
        return
    columns = find_columns(kind, rows[0][1])
    read = read_access if kind == "access" else read_quota
    for number, cells in rows[1:]:
        values = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
        try:
            yield number, read(values)
        except Rejected as rejected:
            rejected.requester = values["e-mail"]
            yield number, rejected


def find_columns(kind, header):
    """The position of each column by its name. Raises Unreadable."""
    headings = [" ".join(heading.lower().split()) for heading in header]
    needed, extra = (ACCESS, ACCESS_EXTRA) if kind == "access" else (QUOTA, tuple(name for name, _, _ in LIMITS))
    wrong = [
        f'column {"ABC"[at]} has to be headed "{name}"'
        for at, name in enumerate(BOOKKEEPING)
        if headings[at : at + 1] != [name]
    ]
    wrong += [f'there is no column "{name}"' for name in needed if name not in headings]
    wrong += [f'there are two columns "{name}"' for name in needed + extra if headings.count(name) > 1]
    if wrong:
        raise Unreadable(f"the {kind} sheet does not have the layout: {', '.join(wrong)}")
    # A column that is not there is one whose cells are all blank.
    return {name: headings.index(name) if name in headings else len(headings) for name in BOOKKEEPING + needed + extra}


def read_access(cells):
    """A request for an account or a project."""
    signup = Signup(key_of(cells), stage_of(cells), cells)
    names = re.split(r"[,;\n]", cells["members"])
    signup.members = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if is_decided_for(signup):
        faults = faults_of_requester(cells)
        if not cells["project"]:
            faults.append('"project" is blank')
        for name in ("new account", "new project"):
            if cells[name].lower() not in ("yes", "no"):
                faults.append(f'"{name}" has to be yes or no')
        if signup.is_new_account and not re.fullmatch("[0-9]{4}", cells["pin"]):
            faults.append('"pin" has to hold four digits')
        reject(faults)
    return signup


def read_quota(cells):
    """A request for changed quotas."""
    signup = Signup(key_of(cells), stage_of(cells), cells)
    faults = faults_of_requester(cells)
    for name in ("project", "comment"):
        if not cells[name]:
            faults.append(f'"{name}" is blank')
    for name, key, unit in LIMITS:
        if re.fullmatch("-1|[0-9]{1,9}", cells[name]):
            number = int(cells[name])
            signup.limits.append((key, number if number == -1 else number * unit))
        elif cells[name]:
            faults.append(f'"{name}" has to be a whole number, or blank to leave the limit as it is')
    if not signup.limits:
        faults.append("no limit is asked for")
    if cells["until"]:
        signup.until = parse(date, cells["until"])
        if signup.until is None:
            faults.append('"until" has to be a date such as 2018-12-31, or blank for a permanent change')
    if is_decided_for(signup):
        reject(faults)
    return signup


def key_of(cells):
    """Names the submission by what nobody edits: when it was sent, and by whom."""
    submitted = parse(datetime, cells["submitted"])
    when = submitted.isoformat(timespec="seconds") if submitted else "_".join(cells["submitted"].split())
    if not when and not cells["e-mail"]:
        raise Rejected('nobody can tell which request this is: "submitted" and "e-mail" are both blank')
    return f"{when} {cells['e-mail'].lower()}"


def stage_of(cells):
    """How far the request has come."""
    status = cells["status"].lower()
    if not status:
        return Waiting(parse(datetime, cells["submitted"]), mark(cells["reminded"]))
    if status != "approved":
        return "denied"
    return "ready" if cells["notified"] else "approved"


def mark(text):
    """A bookkeeping mark, which the host writes as `14 Mar 2018 15:48:48`."""
    # Not strptime: it imports a module when it is first called, and a component has no files to import from.
    parts = re.fullmatch(r"([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9:]{8})", text)
    if parts is None or parts[2] not in MONTHS:
        return parse(datetime, text)
    return parse(datetime, f"{parts[3]}-{MONTHS.index(parts[2]) + 1:02}-{parts[1]:0>2}T{parts[4]}")


def parse(form, text):
    """A date or a time in ISO form without an offset; None where the text is none."""
    try:
        value = form.fromisoformat(text)
    except ValueError:
        return None
    return None if getattr(value, "tzinfo", None) else value


def faults_of_requester(cells):
    faults = []
    if parse(datetime, cells["submitted"]) is None:
        faults.append('"submitted" has to be a time such as 2018-03-14T15:48:48')
    if not ADDRESS.fullmatch(cells["e-mail"]):
        faults.append('"e-mail" has to be one address such as name@example.org')
    return faults


def reject(faults):
    if faults:
        raise Rejected("; ".join(faults))


def is_decided_for(signup):
    return signup.stage in ("approved", "ready")


def is_yes(text):
    return text.lower() == "yes"
