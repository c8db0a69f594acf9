// heatmap.ts - a matrix of weights between tokens. A cell is chosen by the mouse or by the arrow keys; the choice is told in words.
import { max } from "d3-array";
import { scaleSqrt } from "d3-scale";
import { el, svg, unique } from "../dom";
import { say, short } from "../words";

export interface HeatMap {
    rows: string[];
    columns: string[];
    values: number[][];
    blocked?: (row: number, column: number) => boolean; // what a mask hides
    row?: number; // chosen at first
    column?: number;
    name: string;
    chosen?: (row: number, column: number) => void;
    color?: string; // a custom property's name
}

// How much of the color a weight has: what is small is still seen.
export const strength = (most: number): ((weight: number) => number) => scaleSqrt([0, Math.max(1e-9, most)], [0.05, 1]).clamp(true);

const CELL = 26;
const clip = (t: string): string => (t.length > 10 ? t.slice(0, 9) + "…" : t);

export function heatmap(o: HeatMap): HTMLElement {
    const left = 12 + 7.2 * Math.max(...o.rows.map((t) => clip(t).length));
    const top = 12 + 5.6 * Math.max(...o.columns.map((t) => clip(t).length));
    const width = left + CELL * o.columns.length + 26, height = top + CELL * o.rows.length + 4;
    const strong = strength(max(o.values, (r) => max(r)) ?? 0);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true", class: "heat" });
    const color = o.color ?? "--accent";
    const cells: SVGRectElement[][] = [];
    o.columns.forEach((t, j) =>
        picture.append(svg("text", { x: 0, y: 0, class: "label", transform: `translate(${left + CELL * j + CELL / 2 + 3} ${top - 5}) rotate(-45)` }, clip(t))),
    );
    o.rows.forEach((t, i) => {
        picture.append(svg("text", { x: left - 6, y: top + CELL * i + CELL / 2 + 4, "text-anchor": "end", class: "label" }, clip(t)));
        cells.push(
            o.columns.map((_, j) => {
                const blocked = o.blocked?.(i, j) ?? false;
                const at = { x: left + CELL * j + 1, y: top + CELL * i + 1, width: CELL - 2, height: CELL - 2, rx: 3 };
                const cell = svg("rect", { ...at, class: blocked ? "cell blocked" : "cell", "data-row": i, "data-column": j });
                if (!blocked) {
                    cell.style.fill = `var(${color})`;
                    cell.style.fillOpacity = String(strong(o.values[i][j]));
                }
                picture.append(cell);
                return cell;
            }),
        );
    });
    const frame = svg("rect", { width: CELL, height: CELL, rx: 4, class: "frame" });
    picture.append(frame);

    const told = el("p", { class: "told", "aria-live": "polite", id: unique("told") });
    let row = Math.min(o.row ?? o.rows.length - 1, o.rows.length - 1), column = Math.min(o.column ?? 0, o.columns.length - 1);
    const choose = (i: number, j: number, tell: boolean) => {
        row = i;
        column = j;
        frame.setAttribute("x", String(left + CELL * j));
        frame.setAttribute("y", String(top + CELL * i));
        told.textContent = o.blocked?.(i, j)
            ? say("cell_blocked", { row: o.rows[i], column: o.columns[j] })
            : say("cell", { row: o.rows[i], column: o.columns[j], value: short(o.values[i][j]) });
        if (tell) o.chosen?.(i, j);
    };
    picture.addEventListener("click", (e) => {
        const cell = (e.target as Element).closest<SVGRectElement>("rect.cell");
        if (cell) choose(Number(cell.dataset.row), Number(cell.dataset.column), true);
    });
    const node = el("div", { class: "heatmap", tabindex: "0", role: "group", "aria-label": `${o.name}. ${say("arrows")}`, "aria-describedby": told.id }, picture);
    node.addEventListener("keydown", (e) => {
        const step: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -column], End: [0, o.columns.length - 1 - column] };
        const s = step[e.key];
        if (!s) return;
        e.preventDefault();
        choose(Math.min(o.rows.length - 1, Math.max(0, row + s[0])), Math.min(o.columns.length - 1, Math.max(0, column + s[1])), true);
    });
    choose(row, column, false);
    return el("div", {}, node, told);
}
