"""Tests of the sheet reader. Run with `python3 -m unittest` in this folder."""

import unittest
from datetime import date, datetime

import sheet

ACCESS_HEADER = list(sheet.BOOKKEEPING + sheet.ACCESS + ("members",))
READY = {
    "status": "Approved",
    "notified": "14 Mar 2018 16:00:00",
    "submitted": "2018-03-14T15:48:48",
    "e-mail": "User@example.org",
    "first name": "New",
    "last name": "User",
    "new account": "yes",
    "pin": "0412",
    "project": "First Project",
    "new project": "yes",
    "members": "member@example.org, colleague@example.org,",
}
QUOTA_HEADER = list(sheet.BOOKKEEPING + sheet.QUOTA + tuple(name for name, _, _ in sheet.LIMITS))
QUOTA = READY | {"until": "2018-12-31", "instances": "10", "ram gb": "4", "comment": "Tables"}


def read(kind, header, *rows):
    cells = [[row.get(name, "") for name in header] for row in rows]
    return list(sheet.read_sheet(kind, enumerate([header, *cells], start=1)))


class AccessSheet(unittest.TestCase):
    def one(self, **changes):
        row = READY | {name.replace("_", " "): text for name, text in changes.items()}
        [(number, result)] = read("access", ACCESS_HEADER, row)
        self.assertEqual(number, 2)
        return result

    def test_a_ready_row(self):
        signup = self.one()
        self.assertEqual((signup.stage, signup.is_new_account, signup.is_new_project), ("ready", True, True))
        self.assertEqual(signup.key, "2018-03-14T15:48:48 user@example.org")
        self.assertEqual(signup.members, ["member@example.org", "colleague@example.org"])

    def test_columns_are_found_wherever_they_stand(self):
        header = list(sheet.BOOKKEEPING) + ["Extra"] + [name.upper() for name in reversed(ACCESS_HEADER[3:])]
        row = {name.upper(): text for name, text in READY.items()} | {"status": "approved", "notified": "x"}
        [(_, signup)] = read("access", header, row)
        self.assertEqual((signup.stage, signup.cells["first name"]), ("ready", "New"))

    def test_missing_columns_are_named(self):
        header = [name for name in ACCESS_HEADER if name not in ("pin", "project")]
        with self.assertRaisesRegex(sheet.Unreadable, 'no column "pin", there is no column "project"$'):
            read("access", header, READY)
        with self.assertRaisesRegex(sheet.Unreadable, 'column A has to be headed "status"'):
            read("access", ["name"], READY)
        with self.assertRaisesRegex(sheet.Unreadable, 'two columns "pin"'):
            read("access", ACCESS_HEADER + ["PIN"], READY)

    def test_stages(self):
        self.assertEqual(self.one(notified="").stage, "approved")
        self.assertEqual(self.one(status="denied").stage, "denied")
        waiting = self.one(status="", reminded="15 Mar 2018 10:00:00").stage
        self.assertEqual(waiting.since, datetime(2018, 3, 14, 15, 48, 48))
        self.assertEqual(waiting.reminded, datetime(2018, 3, 15, 10))

    def test_marks(self):
        self.assertEqual(sheet.mark("1 Dec 2018 23:59:59"), datetime(2018, 12, 1, 23, 59, 59))
        self.assertEqual(sheet.mark("2018-12-01 10:00"), datetime(2018, 12, 1, 10))
        for text in ("", "yesterday", "31 Feb 2018 10:00:00", "1 Foo 2018 10:00:00", "1 Dec 2018 25:00:00"):
            self.assertIsNone(sheet.mark(text), text)

    def test_an_approved_row_is_rejected_with_all_its_faults(self):
        rejected = str(self.one(submitted="14/3/2018", pin="12", **{"e-mail": "user"}))
        for part in ('"submitted" has to be a time', '"e-mail" has to be one address', '"pin" has to hold four'):
            self.assertIn(part, rejected)
        rejected = self.one(pin="12345", new_project="perhaps")
        self.assertEqual(str(rejected), '"new project" has to be yes or no; "pin" has to hold four digits')

    def test_a_waiting_row_is_not_rejected_for_its_values(self):
        self.assertIsInstance(self.one(status="", submitted="?", pin="", project="").stage, sheet.Waiting)

    def test_a_row_without_a_name_is_rejected(self):
        [(_, rejected)] = read("access", ACCESS_HEADER, {"status": "approved"})
        self.assertIsInstance(rejected, sheet.Rejected)

    def test_blank_rows_are_skipped(self):
        self.assertEqual([number for number, _ in read("access", ACCESS_HEADER, {}, READY, {})], [3])
        self.assertEqual(list(sheet.read_sheet("access", [(1, ["", " "])])), [])

    def test_short_rows_are_read(self):
        rows = [(1, ACCESS_HEADER), (2, ["", "", "", "2018-03-14T15:48:48", "user@example.org"])]
        [(_, signup)] = sheet.read_sheet("access", rows)
        self.assertEqual(signup.cells["project"], "")


class QuotaSheet(unittest.TestCase):
    def test_limits_and_end(self):
        [(_, signup)] = read("quota", QUOTA_HEADER, QUOTA)
        self.assertEqual(signup.limits, [("instances", 10), ("ram", 4096)])
        self.assertEqual(signup.until, date(2018, 12, 31))

    def test_faults(self):
        [(_, rejected)] = read("quota", QUOTA_HEADER, QUOTA | {"until": "New Year", "cores": "2.5", "comment": ""})
        for part in ('"until" has to be a date', '"cores" has to be a whole number', '"comment" is blank'):
            self.assertIn(part, str(rejected))
        [(_, rejected)] = read("quota", QUOTA_HEADER, QUOTA | {"instances": "", "ram gb": ""})
        self.assertEqual(str(rejected), "no limit is asked for")

    def test_unlimited_ram_is_not_multiplied(self):
        [(_, signup)] = read("quota", QUOTA_HEADER, QUOTA | {"until": "", "ram gb": "-1"})
        self.assertEqual((signup.limits[1], signup.until), (("ram", -1), None))


if __name__ == "__main__":
    unittest.main()
