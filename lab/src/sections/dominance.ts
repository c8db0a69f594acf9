// dominance.ts - part 4: scaling laws, the reader's own beside the published ones.
import { slider } from "../controls";
import { el, replace, svg } from "../dom";
import { best, besiroglu, hoffmann, kaplan } from "../laws";
import { picture } from "../pictures/picture";
import { say } from "../words";
import { runner } from "./run";
import type { Section } from "./section";
import en from "../../text/en/dominance.md";
import zh from "../../text/zh/dominance.md";

const power = (x: number): string => {
    const e = Math.floor(Math.log10(x)), up = String(e).replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)]);
    return `${(x / 10 ** e).toFixed(1)} × 10${up}`;
};

const laws = [
    { name: "Kaplan 2020", at: kaplan, color: "--decoder" },
    { name: "Hoffmann 2022", at: (c: number) => best(hoffmann, c), color: "--pair" },
    { name: "Besiroglu 2024", at: (c: number) => best(besiroglu, c), color: "--encoder" },
];

function drawing(c: number): SVGSVGElement {
    const W = 640, H = 320, left = 62, bottom = 40, top = 30, right = 14, from = 18, to = 26;
    const x = (e: number) => left + ((W - left - right) * (e - from)) / (to - from), y = (e: number) => H - bottom - ((H - bottom - top) * (e - 7)) / (14 - 7);
    const s = svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" });
    const up = (e: number) => `10${String(e).replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)])}`;
    for (let e = 7; e <= 14; e++) s.append(svg("line", { class: "axis", x1: left, x2: W - right, y1: y(e), y2: y(e) }), svg("text", { class: "soft", x: left - 6, y: y(e) + 4, "text-anchor": "end" }, up(e)));
    for (let e = from; e <= to; e += 2) s.append(svg("text", { class: "soft", x: x(e), y: H - bottom + 18, "text-anchor": "middle" }, up(e)));
    s.append(svg("text", { class: "soft", x: W - right, y: H - 4, "text-anchor": "end" }, say("flops_axis")), svg("text", { class: "soft", x: 2, y: 12 }, say("parameters")));
    laws.forEach((l, i) => {
        const points = Array.from({ length: 41 }, (_, k) => from + ((to - from) * k) / 40).map((e) => `${x(e)},${y(Math.log10(l.at(10 ** e).n))}`);
        s.append(svg("polyline", { points: points.join(" "), style: `fill: none; stroke: var(${l.color}); stroke-width: 2.5; stroke-dasharray: ${["none", "7 4", "2 3"][i]}` }));
        s.append(svg("line", { x1: left + 12, x2: left + 40, y1: top + 12 + 18 * i, y2: top + 12 + 18 * i, style: `stroke: var(${l.color}); stroke-width: 2.5; stroke-dasharray: ${["none", "7 4", "2 3"][i]}` }), svg("text", { x: left + 46, y: top + 16 + 18 * i }, l.name));
    });
    s.append(svg("line", { x1: x(Math.log10(c)), x2: x(Math.log10(c)), y1: top, y2: H - bottom, style: "stroke: var(--ink); stroke-dasharray: 3 3" }));
    return s;
}

function published(place: HTMLElement): void {
    const output = el("div");
    const draw = () => {
        const c = 10 ** exponent.get();
        const rows = laws.map((l) => {
            const b = l.at(c);
            return [l.name, power(b.n), power(b.d), (b.d / b.n).toFixed(b.d / b.n < 10 ? 1 : 0), b.loss.toFixed(3)];
        });
        const columns = [say("law"), say("best_n"), say("best_d"), say("tokens_a_parameter"), say("loss_nats")];
        replace(
            output,
            picture(say("published_title", { c: power(c) }), drawing(c), () => ({ columns, rows })),
            el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": say("published_title", { c: power(c) }) }, el("table", {}, el("thead", {}, el("tr", {}, ...columns.map((w) => el("th", { scope: "col" }, w)))), el("tbody", {}, ...rows.map((r) => el("tr", {}, ...r.map((v, i) => (i ? el("td", {}, v) : el("th", { scope: "row" }, v)))))))),
        );
    };
    const exponent = slider({ name: say("compute"), key: "c", min: 18, max: 26, step: 0.1, value: 23.8, show: (v) => power(10 ** v), changed: draw });
    place.append(el("div", { class: "controls" }, exponent.node), output);
    draw();
}

export const dominance: Section = { id: "dominance", texts: { en, zh }, demos: { published, own: (place) => runner(place, { offered: ["scaling"], key: "own", recorded: ["scaling"], heading: "h3" }) } };
