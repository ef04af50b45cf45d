import assert from "node:assert/strict";
import { test } from "node:test";

import { backlog, options } from "./backlog.js";

const occasion = { time: { year: 2018, month: 3, day: 6 }, dryRun: false };
const row = (number, ...cells) => ({ number, cells });
const rows = [
    row(1, "Approved", "E-mail"),
    row(2, "", "a@example.org"),
    row(3, "Approved", "b@example.org"),
    row(4),
    row(5, "\u00a0", "c@example.org"),
];

test("so many requests that somebody should hear of it are mailed, once a day", () => {
    const { identifier, message, report } = backlog({ to: ["x"], moreThan: 1 }, occasion, rows);
    assert.equal(identifier, "2018-03-06");
    assert.equal(message.subject, "2 requests wait for a decision");
    assert.match(message.text, /2 of 3 requests .* more than 1\.\n\nTheir rows: 2, 5\n/);
    assert.equal(report.summary, "2 of 3 requests wait for a decision; mailed to 1");
});

test("as many as are allowed are not", () => {
    assert.equal(backlog({ to: ["x"], moreThan: 2 }, occasion, rows).message, null);
});

test("what the site sets wrong is named", () => {
    assert.deepEqual(options({ to: "a@example.org" }).wanted, {
        to: ["a@example.org"],
        moreThan: 20,
        worksheet: "Form Responses 1",
    });
    assert.match(options({}).problem, /`to` has to name/);
    assert.match(options({ to: ["a"], more_than: -1 }).problem, /`more_than` has to be/);
    assert.match(options({ to: ["a"], worksheet: 3 }).problem, /`worksheet` has to be/);
    assert.match(options({ to: ["a"], than: 3 }).problem, /`than` is unknown/);
});
