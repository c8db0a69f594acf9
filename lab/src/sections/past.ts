// past.ts - runs of the record, of the command as of this page: opened again, two of them side by side, and their numbers compared.
import { button } from "../controls";
import { el, replace } from "../dom";
import { picture } from "../pictures/picture";
import { leaves, list, numbersOf, open, type Opened, type Past } from "../runs";
import * as state from "../state";
import { language, say, short, whole } from "../words";

const SHOWN = 12;

// A report is shown as any page is: no script runs, and nothing of this page is within its reach.
export function report(html: string): HTMLElement {
    return el("iframe", { class: "report", sandbox: "", srcdoc: html, title: say("report") });
}

const when = (p: Past): string => new Date(p.ended).toLocaleString(language() === "zh" ? "zh-CN" : "en-US", { dateStyle: "medium", timeStyle: "short" });
const named = (p: Past): string => `${p.id}: ${p.experiment}, ${when(p)}`;

const number = (x: number): string => (Number.isInteger(x) ? whole(x) : short(x));

// Numbers that both have, with what the second is of the first.
function compared(a: Opened, b: Opened): HTMLElement | null {
    const of = (o: Opened) => new Map(leaves(numbersOf(o.html)).map((l) => [l.path, l.value]));
    const first = of(a), second = of(b);
    const rows = [...first].filter(([path]) => second.has(path)).map(([path, x]) => [path, number(x), number(second.get(path)!), x ? (second.get(path)! / x).toFixed(2) : "–"]);
    if (!rows.length) return null;
    const columns = [say("number"), `${a.id}`, `${b.id}`, `${b.id} / ${a.id}`];
    const differ = rows.filter((r) => r[1] !== r[2]).length;
    return picture(say("compared_title", { a: named(a), b: named(b) }), el("p", {}, say("compared", { n: rows.length, differ })), () => ({ columns, rows }));
}

// The list, drawn anew by what it returns. `among`: experiments of the command that are shown; none: all.
export function pastRuns(into: HTMLElement, key: string, heading: "h2" | "h3", among: readonly string[] = []): () => Promise<void> {
    let chosen = state
        .text(key, "")
        .split(",")
        .map(Number)
        .filter((n) => n > 0)
        .slice(0, 2);
    const shown = new Map<number, Opened>(), side = el("div");
    const view = async () => {
        for (const id of chosen)
            if (!shown.has(id))
                try {
                    shown.set(id, await open(id));
                } catch {
                    chosen = chosen.filter((c) => c !== id); // no longer there
                }
        const opened = chosen.map((id) => shown.get(id)).filter((o): o is Opened => !!o);
        replace(
            side,
            opened.length === 2 && compared(opened[0], opened[1]),
            opened.length > 0 && el("div", { class: opened.length === 2 ? "two" : "" }, ...opened.map((o) => el("div", {}, el("p", {}, el("b", {}, named(o))), el("p", { class: "small" }, `${o.machine}; trine ${o.version}; ${o.seconds.toFixed(0)} s`), report(o.html)))),
        );
        into.dataset.opened = String(opened.length);
    };
    return async () => {
        const record = (await list()).record.filter((p) => !among.length || among.includes(p.experiment)).slice(0, SHOWN);
        if (!record.length) return replace(into, el(heading, {}, say("past_runs")), el("p", { class: "small" }, say("no_past_runs")));
        const buttons = record.map((p) => {
            const b = button(named(p), () => {
                chosen = chosen.includes(p.id) ? chosen.filter((c) => c !== p.id) : [...chosen, p.id].slice(-2);
                state.set({ [key]: chosen.join(",") });
                mark();
                void view();
            });
            b.dataset.past = String(p.id);
            return b;
        });
        const mark = () => buttons.forEach((b) => b.setAttribute("aria-pressed", String(chosen.includes(Number(b.dataset.past)))));
        mark();
        replace(into, el(heading, {}, say("past_runs")), el("p", { class: "small" }, say("past_how")), el("ul", { class: "tokens past" }, ...buttons.map((b) => el("li", {}, b))), side);
        await view();
    };
}
