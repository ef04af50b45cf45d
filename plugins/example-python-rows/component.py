"""The component around the sheet reader: turns its values into those of the WIT package, and nothing else."""

from wit_world.imports import settings, types as wit

import sheet

WORKSHEETS = {
    "access.requests": "Sign-ups",
    "access.done": "Members",
    "quota.requests": "Quota requests",
    "quota.done": "Quotas granted",
}


class WitWorld:
    def describe(self) -> wit.Layout:
        return wit.Layout(access=layout("access"), quota=layout("quota"))

    def parse_rows(self, kind: wit.SheetKind, rows: list[wit.Row]) -> wit.Parsed:
        name = "access" if kind == wit.SheetKind.ACCESS else "quota"
        body = access_body if name == "access" else quota_body
        try:
            read = sheet.read_sheet(name, [(row.number, row.cells) for row in rows])
            return wit.Parsed_Rows([parsed_row(number, result, body) for number, result in read])
        except sheet.Unreadable as unreadable:
            return wit.Parsed_Unreadable(str(unreadable))


def layout(kind):
    requests, done = (worksheet(f"{kind}.{which}") for which in ("requests", "done"))
    return wit.SheetLayout(requests, done, sheet.NOTIFIED_COLUMN, sheet.REMINDED_COLUMN, None)


def worksheet(key):
    value = settings.get(key)
    return WORKSHEETS[key] if value is None else str(value.value)


def parsed_row(number, result, body):
    if isinstance(result, sheet.Rejected):
        outcome = wit.Outcome_Rejected(wit.Rejection(result.requester, str(result)))
    else:
        outcome = wit.Outcome_Request(wit.Request(result.key, stage(result.stage), body(result)))
    return wit.ParsedRow(number, outcome, [])


def stage(value):
    if isinstance(value, sheet.Waiting):
        return wit.Stage_Waiting(wit.Waiting(local_time(value.since), local_time(value.reminded)))
    return {"denied": wit.Stage_Denied, "approved": wit.Stage_Approved, "ready": wit.Stage_Ready}[value]()


def local_time(time):
    return time and wit.LocalTime(time.year, time.month, time.day, time.hour, time.minute, time.second)


def access_body(signup):
    cells = signup.cells
    if signup.is_new_project:
        new = wit.NewProject(cells["project"], cells["description"], signup.members)
        project = wit.ProjectChoice_Create(new)
    else:
        existing = wit.ExistingProject(cells["project"], cells["contact"], cells["contact e-mail"])
        project = wit.ProjectChoice_Join(existing)
    return wit.RequestBody_Access(
        wit.AccessRequest(
            email=cells["e-mail"],
            first_name=cells["first name"],
            last_name=cells["last name"],
            account=wit.Account.NEW if signup.is_new_account else wit.Account.EXISTING,
            organisation=cells["organisation"],
            position=cells["position"],
            phone=cells["phone"],
            sponsor=cells["sponsor"],
            pin=cells["pin"] if signup.is_new_account and sheet.is_decided_for(signup) else None,
            comment=cells["comment"],
            project=project,
        )
    )


def quota_body(signup):
    cells, until = signup.cells, signup.until
    if until is None:
        term = wit.QuotaTerm_Permanent()
    else:
        term = wit.QuotaTerm_Temporary(wit.LocalDate(until.year, until.month, until.day))
    return wit.RequestBody_Quota(
        wit.QuotaRequest(
            email=cells["e-mail"],
            first_name=cells["first name"],
            last_name=cells["last name"],
            organisation="",
            project=cells["project"],
            term=term,
            size=None,
            limits=[wit.WantedLimit(key, limit) for key, limit in signup.limits],
            comment=cells["comment"],
            notes="",
        )
    )
