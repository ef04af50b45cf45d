// The component around the backlog: turns the host's interfaces into plain values, and the outcome into its answers.

import mail from "usher:plugin/mail@0.1.0";
import settings from "usher:plugin/settings@0.1.0";
import sheet from "usher:plugin/sheet@0.1.0";

import { backlog, options } from "./backlog.js";

// What the host's functions throw is the error of their WIT type.
function attempt(call, explain) {
    try {
        return call();
    } catch (error) {
        throw explain(error.payload ?? error);
    }
}

export function run(occasion) {
    const entries = settings.all().map(({ key, value }) => [key, value.val]);
    const { wanted, problem } = options(Object.fromEntries(entries));
    if (problem) {
        throw { tag: "final", val: problem };
    }
    const rows = attempt(
        () => sheet.read(wanted.worksheet),
        ({ tag, val }) =>
            tag === "no-such-worksheet"
                ? { tag: "final", val: `there is no worksheet "${wanted.worksheet}"; ${val}: correct the setting \`worksheet\`` }
                : { tag: "passing", val },
    );
    const { identifier, message, report } = backlog(wanted, occasion, rows);
    if (message && !occasion.dryRun) {
        attempt(
            () => mail.send(identifier, wanted.to, message),
            ({ tag, val }) => ({ tag: tag === "unavailable" ? "passing" : "final", val }),
        );
    }
    return report;
}
