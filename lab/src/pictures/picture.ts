// picture.ts - a figure: what is drawn, what it says, and the numbers behind it as a table for who does not see it.
import { el, type Child } from "../dom";
import { say } from "../words";

export interface Table {
    columns: string[];
    rows: (string | number)[][];
}

export function tableOf(t: Table, caption: string): HTMLElement {
    return el(
        "div",
        { class: "wide", tabindex: "0", role: "group", "aria-label": caption },
        el(
            "table",
            { class: "numbers" },
            el("caption", {}, caption),
            el("thead", {}, el("tr", {}, ...t.columns.map((c) => (c ? el("th", { scope: "col" }, c) : el("td"))))),
            el("tbody", {}, ...t.rows.map((r) => el("tr", {}, ...r.map((c, i) => (i ? el("td", {}, c) : el("th", { scope: "row" }, c)))))),
        ),
    );
}

export function picture(title: string, drawn: Element, table: () => Table, ...notes: Child[]): HTMLElement {
    const more = el("details", { class: "behind" }, el("summary", {}, say("as_table")));
    more.addEventListener("toggle", () => {
        if (more.open && more.childElementCount === 1) more.append(tableOf(table(), title));
    });
    // What may be wider than its place scrolls from the keyboard too; maps and lists have places of their own to stand on.
    const stands = drawn.querySelector("[tabindex], button") || drawn.tagName === "OL" || drawn.tagName === "P";
    const room = stands ? el("div", { class: "drawn" }, drawn) : el("div", { class: "drawn", tabindex: "0", role: "group", "aria-label": title }, drawn);
    return el("figure", { class: "picture" }, el("figcaption", {}, title), room, ...notes, more);
}
