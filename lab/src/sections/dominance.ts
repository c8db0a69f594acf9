// dominance.ts - part 4: scaling laws, the reader's own beside the published ones.
import { scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { slider } from "../controls";
import { el, replace, svg } from "../dom";
import { best, besiroglu, hoffmann, kaplan } from "../laws";
import { picture, tableOf } from "../pictures/picture";
import { plot } from "../pictures/plot";
import { say } from "../words";
import { runner } from "./run";
import type { Section } from "./section";
import en from "../../text/en/dominance.md?raw";
import zh from "../../text/zh/dominance.md?raw";

const up = (e: number): string => `10${String(e).replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)])}`;
const power = (x: number): string => {
    const e = Math.floor(Math.log10(x));
    return `${(x / 10 ** e).toFixed(1)} × ${up(e)}`;
};

const laws = [
    { name: "Kaplan 2020", at: kaplan, color: "--decoder", dash: "none" },
    { name: "Hoffmann 2022", at: (c: number) => best(hoffmann, c), color: "--pair", dash: "7 4" },
    { name: "Besiroglu 2024", at: (c: number) => best(besiroglu, c), color: "--encoder", dash: "2 3" },
];

const FROM = 1e18, TO = 1e26; // operations

function drawing(c: number): SVGSVGElement {
    const x = scaleLog().domain([FROM, TO]), y = scaleLog().domain([1e7, 1e14]), show = (v: number) => up(Math.round(Math.log10(v)));
    const s = plot(320, { scale: x, name: say("flops_axis"), ticks: x.ticks(4), show }, { scale: y, name: say("parameters"), ticks: y.ticks(7), show });
    const [left] = x.range(), [bottom, top] = y.range();
    laws.forEach((l, i) => {
        const stroke = `fill: none; stroke: var(${l.color}); stroke-width: 2.5; stroke-dasharray: ${l.dash}`, at = top + 12 + 18 * i;
        // Each is a power of C: straight between logarithms.
        s.append(
            svg("path", { d: line<number>(x, (v) => y(l.at(v).n))([FROM, TO]), style: stroke }),
            svg("circle", { cx: x(c), cy: y(l.at(c).n), r: 4, style: `fill: var(${l.color})` }),
            svg("line", { x1: left + 12, x2: left + 40, y1: at, y2: at, style: stroke }),
            svg("text", { x: left + 46, y: at + 4 }, l.name),
        );
    });
    s.append(svg("line", { x1: x(c), x2: x(c), y1: top, y2: bottom, style: "stroke: var(--ink); stroke-dasharray: 3 3" }));
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
        replace(
            output,
            picture(say("published_plot"), drawing(c), () => ({ columns: [say("flops_axis"), ...laws.map((l) => l.name)], rows: scaleLog().domain([FROM, TO]).ticks(8).map((v) => [up(Math.round(Math.log10(v))), ...laws.map((l) => power(l.at(v).n))]) })),
            tableOf({ columns: [say("law"), say("best_n"), say("best_d"), say("tokens_a_parameter"), say("loss_nats")], rows }, say("published_title", { c: power(c) })),
        );
    };
    const exponent = slider({ name: say("compute"), key: "c", min: 18, max: 26, step: 0.1, value: 23.8, show: (v) => power(10 ** v), changed: draw });
    place.append(el("div", { class: "controls" }, exponent.node), output);
    draw();
}

export const dominance: Section = { id: "dominance", texts: { en, zh }, demos: { published, own: (place) => runner(place, { offered: ["scaling"], key: "own", recorded: ["scaling"], heading: "h3" }) } };
