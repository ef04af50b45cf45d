// Whether so many requests wait for a decision that somebody should hear of it. Knows nothing of the host: `node --test`
// tries it.

const DECISION = 0;
const KEYS = ["to", "more_than", "worksheet"];

// What the site sets: `to` (addresses, needed), `more_than` (20), `worksheet` (Form Responses 1).
export function options(settings) {
    const unknown = Object.keys(settings).find((key) => !KEYS.includes(key));
    if (unknown) {
        return { problem: `the plugin's setting \`${unknown}\` is unknown; there are ${KEYS.join(", ")}` };
    }
    const to = [settings.to ?? []].flat();
    if (to.length === 0 || to.some((address) => typeof address !== "string")) {
        return { problem: "the plugin's setting `to` has to name at least one address" };
    }
    const moreThan = settings.more_than ?? 20;
    if (!Number.isInteger(moreThan) || moreThan < 0) {
        return { problem: "the plugin's setting `more_than` has to be a whole number from 0 on" };
    }
    const worksheet = settings.worksheet ?? "Form Responses 1";
    if (typeof worksheet !== "string") {
        return { problem: "the plugin's setting `worksheet` has to be a text" };
    }
    return { wanted: { to, moreThan, worksheet } };
}

const isBlank = (cell) => (cell ?? "").trim() === "";

// What an occasion comes to, from all rows of the worksheet, header included. The mail is named after its day, so that
// it goes out once on that day however often the job runs.
export function backlog({ to, moreThan }, { time, dryRun }, rows) {
    const requests = rows.slice(1).filter(({ cells }) => !cells.every(isBlank));
    const waiting = requests.filter(({ cells }) => isBlank(cells[DECISION]));
    const part = (number, digits) => String(number).padStart(digits, "0");
    const identifier = `${part(time.year, 4)}-${part(time.month, 2)}-${part(time.day, 2)}`;
    const counted = `${waiting.length} of ${requests.length} requests wait for a decision`;
    if (waiting.length <= moreThan) {
        return { identifier, message: null, report: { summary: `${counted}; no mail`, details: [] } };
    }
    const numbers = waiting.map(({ number }) => number).join(", ");
    const message = {
        sender: null,
        cc: [],
        subject: `${waiting.length} requests wait for a decision`,
        text: `${counted}, more than ${moreThan}.\n\nTheir rows: ${numbers}\n`,
        html: null,
    };
    const sent = dryRun ? "would be mailed" : "mailed";
    return { identifier, message, report: { summary: `${counted}; ${sent} to ${to.length}`, details: [] } };
}
