// tiles.ts - the tiled computation, a tile of keys at a time, on real scores; and what both ways move and store.
import { extent } from "d3-array";
import { scaleLinear } from "d3-scale";
import { button, slider, type Control } from "../controls";
import { el, replace, svg } from "../dom";
import { trace } from "../engine";
import { fact, facts, live, Missing } from "../live";
import { picture } from "../pictures/picture";
import { movedPlain, movedTiled, tiled, type Running } from "../sums";
import { bytes, say, short, whole } from "../words";
import { found, looking, names, stack } from "./attention";

const TEXT = "The animal was too tired to cross the street, so it lay down in the shade of a tree.";

// One query's scores as a row of cells, tile after tile.
function strip(labels: string[], scores: number[], steps: Running[], at: number): SVGSVGElement {
    const W = 30, top = 70, tall = scaleLinear(extent(scores) as [number, number], [6, 50]);
    const picture = svg("svg", { width: W * scores.length + 8, height: top + 84, viewBox: `0 0 ${W * scores.length + 8} ${top + 84}`, "aria-hidden": "true" });
    steps.forEach((t, i) => {
        picture.append(svg("rect", { x: 2 + W * t.first, y: 4, width: W * (t.last - t.first) - 2, height: top - 2, rx: 4, style: `fill: var(${i === at ? "--accent" : "--sunken"}); fill-opacity: ${i === at ? 0.18 : i < at ? 1 : 0.35}` }));
    });
    scores.forEach((s, j) => {
        const tile = steps.findIndex((t) => j < t.last);
        picture.append(
            svg("rect", { x: 6 + W * j, y: top - tall(s), width: W - 10, height: tall(s), rx: 2, style: `fill: var(--accent); fill-opacity: ${tile < at ? 0.35 : tile === at ? 1 : 0.12}` }),
            svg("text", { x: 0, y: 0, class: tile <= at ? "" : "soft", transform: `translate(${W * j + 12} ${top + 12}) rotate(55)` }, labels[j].length > 9 ? labels[j].slice(0, 8) + "…" : labels[j]),
        );
    });
    return picture;
}

export function tiles(place: HTMLElement): void {
    let size: Control<number>, at = 0, timer = 0;
    const steady = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const stop = () => {
        clearInterval(timer);
        timer = 0;
        play.textContent = say("play");
    };
    const play = button(say("play"), () => {
        if (timer) return stop();
        play.textContent = say("pause");
        timer = window.setInterval(() => step(1, true), 900);
    });
    let step: (by: number, around: boolean) => void = () => {};
    const l = live(place, async (signal, output) => {
        const c = await ready;
        if (!c) throw new Missing("decoder-only");
        const look = c.look();
        const t = await trace({ model: look.model.id, text: c.text.get(), attention: true, parts: true, layers: [look.layer], heads: [look.head], top: 1 }, signal);
        const a = found(t, stack(look.model), look.layer), labels = names(t.tokens), last = labels.length - 1;
        // The last query sees every key, under any of the models' own masks.
        const scores = a.scores![0][last], steps = tiled(scores, a.value![0], size.get());
        at = Math.min(at, steps.length - 1);
        const said = el("div", { "aria-live": timer ? "off" : "polite" }), drawn = el("div");
        const draw = () => {
            const s = steps[at];
            replace(drawn, strip(labels, scores, steps, at));
            replace(
                said,
                facts(
                    fact(say("tile"), `${at + 1} / ${steps.length}`),
                    fact(say("running_max"), short(s.max)),
                    fact(say("rescale"), short(s.rescale)),
                    fact(say("running_sum"), short(s.sum)),
                    fact(say("running_out"), s.mixed.slice(0, 3).map((x) => short(x / s.sum)).join(", ") + " …"),
                ),
            );
            if (at === steps.length - 1) {
                const worst = Math.max(...s.mixed.map((x, i) => Math.abs(x / s.sum - a.mixed![0][last][i])));
                said.append(el("p", { class: "note", "data-worst": worst }, say("tiles_agree", { worst: worst.toExponential(1) })));
            }
        };
        step = (by, around) => {
            if (around && at + by >= steps.length) return stop();
            at = Math.min(steps.length - 1, Math.max(0, at + by));
            draw();
        };
        replace(
            output,
            picture(say("tiles_title", { token: labels[last] }), drawn, () => ({
                columns: [say("tile"), say("keys"), say("running_max"), say("rescale"), say("running_sum")],
                rows: steps.map((s, i) => [i + 1, `${s.first + 1}–${s.last}`, short(s.max), short(s.rescale), short(s.sum)]),
            })),
            el("div", { class: "buttons" }, button(say("back"), () => step(-1, false)), button(say("forward"), () => step(1, false), "main"), steady ? null : play, button(say("restart"), () => step(-1e6, false))),
            said,
        );
        draw();
    });
    const ready = looking(l, "t", TEXT);
    void ready.then(() => {
        size = slider({ name: say("tile_keys"), key: "tile", min: 1, max: 8, value: 4, changed: l.run });
        l.controls.append(size.node);
        l.run();
    });

    // What moves, by formula: at lengths that no picture could hold.
    const box = el("div", { class: "moved" });
    const count = () => {
        const n = 2 ** tokens.get(), d = 64, b = 4, plain = movedPlain(n, d) * b, tiledBytes = movedTiled(n, d, rows.get()) * b;
        replace(
            box,
            facts(
                fact(say("plain_moved"), bytes(plain)),
                fact(say("tiled_moved"), bytes(tiledBytes)),
                fact(say("plain_stored"), bytes(n * n * b)),
                fact(say("tiled_stored"), bytes(rows.get() * 64 * b)),
                fact(say("moved_ratio"), `${(plain / tiledBytes).toFixed(1)} ×`),
            ),
        );
    };
    const tokens = slider({ name: say("tokens_n"), key: "n", min: 6, max: 17, value: 13, show: (v) => whole(2 ** v), changed: () => count() });
    const rows = slider({ name: say("query_rows"), key: "rows", min: 16, max: 256, step: 16, value: 64, changed: () => count() });
    place.append(el("hr"), el("div", { class: "controls" }, tokens.node, rows.node), box);
    count();
}
