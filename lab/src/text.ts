// text.ts - a lesson's text as elements. The little of Markdown that lessons use, formulas by KaTeX, and "@name" lines, which are
// the places of the demonstrations.
import katex from "katex";
import "katex/dist/katex.min.css";
import { append, el, type Child } from "./dom";

export function formula(tex: string, display = false): HTMLElement {
    const node = el("span", { class: display ? "formula" : "math" });
    katex.render(tex, node, { displayMode: display, output: "htmlAndMathml", throwOnError: true, trust: (c) => c.command === "\\htmlData", strict: false });
    if (display) {
        // A formula wider than the page scrolls by itself, also from the keyboard.
        node.setAttribute("tabindex", "0");
        node.setAttribute("role", "group");
        node.setAttribute("aria-label", tex.replace(/\\htmlData\{[^}]*\}/g, ""));
    }
    return node;
}

export function inline(text: string): Child[] {
    const out: Child[] = [];
    const pattern = /\$([^$]+)\$|`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
    let at = 0;
    for (const m of text.matchAll(pattern)) {
        out.push(text.slice(at, m.index));
        if (m[1]) out.push(formula(m[1]));
        else if (m[2]) out.push(el("code", {}, m[2]));
        else if (m[3]) out.push(el("strong", {}, ...inline(m[3])));
        else if (m[4]) out.push(el("em", {}, ...inline(m[4])));
        else out.push(el("a", m[6].startsWith("#") ? { href: m[6] } : { href: m[6], rel: "noreferrer noopener", target: "_blank" }, ...inline(m[5])));
        at = m.index! + m[0].length;
    }
    out.push(text.slice(at));
    return out;
}

export type Demos = Record<string, (place: HTMLElement) => void>;

function heading(level: 1 | 2 | 3, text: string, section: string): HTMLElement {
    const m = /^(.*?)\s*\{#([a-z0-9-]+)\}$/.exec(text);
    const title = m ? m[1] : text;
    if (level === 1) return el("h1", { tabindex: "-1" }, ...inline(title));
    const id = m?.[2];
    return el(level === 2 ? "h2" : "h3", { id, tabindex: "-1" }, ...inline(title), id && el("a", { class: "anchor", href: `#${section}/${id}`, "aria-label": `# ${title}` }, "#"));
}

function table(lines: string[]): HTMLElement {
    const cells = (l: string) => l.replace(/^\||\|$/g, "").split("|").map((c) => c.trim());
    const [head, , ...rows] = lines;
    return el(
        "div",
        { class: "wide", tabindex: "0", role: "group", "aria-label": cells(head).filter(Boolean).join(", ") },
        el(
            "table",
            {},
            el("thead", {}, el("tr", {}, ...cells(head).map((c) => (c ? el("th", { scope: "col" }, ...inline(c)) : el("td"))))),
            el("tbody", {}, ...rows.map((r) => el("tr", {}, ...cells(r).map((c, i) => (i ? el("td", {}, ...inline(c)) : el("th", { scope: "row" }, ...inline(c))))))),
        ),
    );
}

// Lays a lesson out in `into`; demos are drawn into their places.
export function lesson(into: HTMLElement, source: string, section: string, demos: Demos): void {
    for (const block of source.replace(/\r/g, "").trim().split(/\n{2,}/)) {
        const lines = block.split("\n");
        const first = lines[0];
        const h = /^(#{1,3}) (.*)$/.exec(first);
        if (h) into.appendChild(heading(h[1].length as 1 | 2 | 3, h[2], section));
        else if (first.startsWith("@")) {
            const place = el("div", { class: "demo", "data-demo": first.slice(1).trim() });
            into.appendChild(place);
            const draw = demos[first.slice(1).trim()];
            if (!draw) throw new Error(`lesson ${section}: there is no demonstration called ${first}`);
            draw(place);
        } else if (first.startsWith("$$")) into.appendChild(formula(block.replace(/^\$\$|\$\$$/g, "").trim(), true));
        else if (first.startsWith("- ")) into.appendChild(el("ul", {}, ...block.split(/\n(?=- )/).map((l) => el("li", {}, ...inline(l.slice(2).replace(/\n\s*/g, " "))))));
        else if (first.startsWith("> ")) into.appendChild(el("div", { class: "note" }, ...inline(lines.map((l) => l.replace(/^> ?/, "")).join(" "))));
        else if (first.startsWith("|")) into.appendChild(table(lines));
        else {
            const p = el("p");
            append(p, inline(lines.join(/[\u3000-\u9fff，。；：]$/.test(first) ? "" : " ")));
            into.appendChild(p);
        }
    }
}
