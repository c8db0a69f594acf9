// plot.ts - two axes, each with its name and unit, for what is drawn over them.
import { axisBottom, axisLeft } from "d3-axis";
import type { ScaleContinuousNumeric } from "d3-scale";
import { select } from "d3-selection";
import { svg } from "../dom";

export interface Axis {
    scale: ScaleContinuousNumeric<number, number>; // with its domain; the plot gives it its range
    name: string;
    ticks: number[];
    show?: (v: number) => string;
}

const WIDTH = 640, LEFT = 62, RIGHT = 14, TOP = 30, BOTTOM = 40;

export function plot(height: number, x: Axis, y: Axis): SVGSVGElement {
    const across = x.scale.range([LEFT, WIDTH - RIGHT]), up = y.scale.range([height - BOTTOM, TOP]);
    const s = svg("svg", { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}`, "aria-hidden": "true" });
    const axis = () => select(s).append("g").attr("class", "axis");
    axis().attr("transform", `translate(${LEFT} 0)`).call(axisLeft(up).tickValues(y.ticks).tickFormat((v) => (y.show ?? String)(+v)).tickSize(LEFT + RIGHT - WIDTH).tickPadding(6));
    axis().attr("transform", `translate(0 ${height - BOTTOM})`).call(axisBottom(across).tickValues(x.ticks).tickFormat((v) => (x.show ?? String)(+v)).tickSize(0).tickPadding(8));
    s.append(svg("text", { class: "soft", x: 2, y: 12 }, y.name), svg("text", { class: "soft", x: WIDTH - RIGHT, y: height - 4, "text-anchor": "end" }, x.name));
    return s;
}
