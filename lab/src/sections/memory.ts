// memory.ts - part 5: what a model takes as the text grows. Every number is the planner's, which is the allocator's own count.
import { max } from "d3-array";
import { scaleLinear, scaleLog } from "d3-scale";
import { area, stack, type SeriesPoint } from "d3-shape";
import { select, slider, type Control } from "../controls";
import { el, replace, svg } from "../dom";
import { ask } from "../engine";
import { fact, facts, live } from "../live";
import { picture } from "../pictures/picture";
import { plot } from "../pictures/plot";
import { GIB as gib, known, type Context, type Plan } from "../plan";
import { valueBytes as VALUE } from "../sums";
import { formula } from "../text";
import { bytes, say, whole } from "../words";
import type { Section } from "./section";
import en from "../../text/en/memory.md?raw";
import zh from "../../text/zh/memory.md?raw";

const MODELS = ["llama-3-8b", "llama-3-70b", "llama-3.2-1b", "gpt2", "t5-base", "bert-base-uncased"];
const LENGTHS = [1024, 2048, 4096, 8192, 16384, 32768, 65536, 100000, 131072];
// A number's bytes in a formula: 34/32 is exact, 1.063 is not.
const written = (type: string): string => (VALUE[type] % 1 ? `\\tfrac{${32 * VALUE[type]}}{32}` : String(VALUE[type]));

/* ---- the cache, a token at a time ---- */

export const cacheOf = (layers: number, kvHeads: number, width: number, type: string): number => 2 * layers * kvHeads * width * VALUE[type];

function growth(place: HTMLElement): void {
    let tokens: Control<number>, heads: Control<number>, window_: Control<number>, plan: Plan | null = null;
    const l = live(place, async (signal, output) => {
        await known();
        plan = await ask<Plan>("/plan", { model: model.get(), contexts: [1024], cache_type: type.get() }, signal);
        const p = plan, perToken = p.contexts[0].kv_bytes_per_token;
        if (!heads || heads.node.dataset.model !== p.model) {
            const steps = Array.from({ length: p.heads }, (_, i) => i + 1).filter((n) => p.heads % n === 0);
            heads = slider({ name: say("kv_heads"), min: 0, max: steps.length - 1, value: steps.indexOf(p.kv_heads), show: (i) => `${steps[i]} / ${p.heads}`, changed: () => draw() });
            heads.node.dataset.model = p.model;
            replace(slot, heads.node);
        }
        const steps = Array.from({ length: p.heads }, (_, i) => i + 1).filter((n) => p.heads % n === 0);
        draw = () => {
            const kv = steps[heads.get()], n = tokens.get(), kept = window_.get() ? Math.min(n, window_.get() * 1024) : n;
            const each = (perToken / p.kv_heads) * kv, total = each * kept;
            replace(
                output,
                formula(`2 \\cdot ${p.layers} \\cdot ${kv} \\cdot ${p.d_head} \\cdot ${written(type.get())} = ${whole(each).replace(/,/g, "{,}")}\\ \\mathrm{B}`, true),
                picture(say("cache_title", { model: p.model }), blocks(kept, n, each), () => ({
                    columns: [say("tokens_n"), say("cache")],
                    rows: [1, 1000, 8192, 100000].map((x) => [whole(x), bytes(each * (window_.get() ? Math.min(x, window_.get() * 1024) : x))]),
                })),
                facts(fact(say("a_token"), bytes(each)), fact(say("tokens_kept"), whole(kept)), fact(say("cache"), bytes(total)), fact(say("as_it_is"), `${p.kv_heads} / ${p.heads}: ${bytes(perToken)}`)),
            );
        };
        draw();
    });
    let draw = () => {};
    const slot = el("div");
    const model = select({ name: say("model"), key: "gm", among: MODELS.filter((m) => !m.startsWith("bert")).map((m) => [m, m] as const), value: "llama-3-8b", changed: l.run });
    const type = select({ name: say("cache_type"), key: "gt", among: ["f32", "f16", "q8_0", "q4_0"].map((t) => [t, t] as const), value: "f16", changed: l.run });
    tokens = slider({ name: say("tokens_n"), key: "gn", min: 1, max: 100000, value: 8192, show: whole, changed: () => draw() });
    window_ = slider({ name: say("window_k"), key: "gw", min: 0, max: 32, value: 0, show: (v) => (v ? `${v} K` : say("off")), changed: () => draw() });
    l.controls.append(model.node, type.node, tokens.node, slot, window_.node);
    l.run();
}

// 1,000 tokens a column of blocks; those that fell out of the window are outlines.
function blocks(kept: number, all: number, each: number): SVGSVGElement {
    const PER = 1000, n = Math.ceil(all / PER), columns = 25, size = 22, rows = Math.ceil(n / columns);
    const s = svg("svg", { width: columns * size, height: rows * size + 20, viewBox: `0 0 ${columns * size} ${rows * size + 20}`, "aria-hidden": "true" });
    const gone = all - kept;
    for (let i = 0; i < n; i++) {
        const first = i * PER, inside = first + PER > gone, share = Math.min(1, (all - first) / PER);
        s.append(svg("rect", { x: (i % columns) * size + 1, y: Math.floor(i / columns) * size + 1, width: Math.max(1, (size - 3) * share), height: size - 3, rx: 3, style: inside ? "fill: var(--decoder)" : "fill: none; stroke: var(--line)" }));
    }
    s.append(svg("text", { x: 0, y: rows * size + 15, class: "soft" }, say("block_is", { n: whole(PER), bytes: bytes(PER * each) })));
    return s;
}

/* ---- what it all takes, against what is there ---- */

// Weights, temporaries, cache, one on the other.
const LAYERS = [
    ["weights_bytes", "--soft", 0.35],
    ["activation_bytes", "--accent", 0.75],
    ["cache_bytes", "--decoder", 0.75],
] as const;

function curve(p: Plan, memory: number): SVGSVGElement {
    const points = p.contexts.filter((c) => !c.impossible), high = max([memory, ...points.map((c) => c.total_bytes)])!;
    const x = scaleLog().domain([LENGTHS[0], LENGTHS[LENGTHS.length - 1]]), y = scaleLinear().domain([0, high / gib]).nice(4);
    const s = plot(
        300,
        { scale: x, name: say("tokens_axis"), ticks: [1024, 8192, 32768, 100000], show: (n) => (n === 100000 ? "100k" : `${n / 1024}k`) },
        { scale: y, name: "GiB", ticks: y.ticks(4) },
    );
    const [left, right] = x.range(), at = y(memory / gib), layers = stack<unknown, Context, keyof Context>().keys(LAYERS.map(([key]) => key)).value((c, key) => c[key] as number)(points);
    const band = area<SeriesPoint<Context>>((c) => x(c.data.context), (c) => y(c[0] / gib), (c) => y(c[1] / gib));
    LAYERS.forEach(([, color, opacity], i) => s.append(svg("path", { d: band(layers[i]), style: `fill: var(${color}); fill-opacity: ${opacity}` })));
    s.append(svg("line", { x1: left, x2: right, y1: at, y2: at, style: "stroke: var(--wrong); stroke-width: 2; stroke-dasharray: 6 4" }), svg("text", { x: left + 8, y: at - 6, style: "fill: var(--wrong)" }, say("memory_line", { bytes: bytes(memory) })));
    return s;
}

function fits(place: HTMLElement): void {
    const sizes = [4, 8, 16, 24, 32, 64, 141, 512];
    const l = live(place, async (signal, output) => {
        const c = await known();
        const have = memory.get() === "here" ? c.memory_available : Number(memory.get()) * gib;
        const request = { model: model.get(), weights: weights.get() === "as" ? undefined : weights.get(), cache_type: type.get(), batch: batch.get(), memory: Math.floor(have) };
        const p = await ask<Plan>("/plan", { ...request, contexts: [...LENGTHS, context.get() * 1000] }, signal);
        const at = p.contexts[p.contexts.length - 1];
        p.contexts.pop();
        const title = say("fits_title", { model: p.model, weights: p.weights, type: type.get(), batch: batch.get() });
        const said = at.impossible
            ? el("p", { class: "note" }, p.max_tokens && at.context > p.max_tokens ? say("takes_no_more", { model: p.model, made: whole(p.max_tokens), n: whole(at.context) }) : at.impossible)
            : el(
                  "div",
                  {},
                  facts(
                      fact(say("parameters"), `${(p.parameters / 1e9).toPrecision(3)} × 10⁹`),
                      fact(say("weights_bytes"), bytes(at.weights_bytes)),
                      fact(say("cache"), bytes(at.kv_bytes + at.cross_kv_bytes)),
                      fact(say("temporaries"), bytes(at.activation_bytes)),
                      fact(say("total"), bytes(at.total_bytes)),
                      fact(say("not_needed"), bytes(at.plain_attention_bytes)),
                  ),
                  el("p", { class: "verdict", "data-fits": at.fits ? "yes" : "no" }, at.fits ? say("it_fits", { n: whole(at.context), longest: whole(p.longest_context) }) : p.longest_context ? say("it_does_not", { n: whole(at.context), over: bytes(at.total_bytes - have), longest: whole(p.longest_context) }) : say("never_fits", { over: bytes(at.total_bytes - have) })),
              );
        // Memory is not all: a model knows no place in a text that it has not learnt.
        if (!at.impossible && p.max_tokens && Math.max(at.context, p.longest_context) > p.max_tokens) said.append(el("p", { class: "note", "data-made": p.max_tokens }, say("beyond_made", { model: p.model, made: whole(p.max_tokens) })));
        const legend = el("p", { class: "small legend" }, ...(["weights_bytes", "temporaries", "cache"] as const).map((k) => el("span", { class: `key ${k}` }, say(k))));
        replace(
            output,
            picture(
                title,
                curve(p, have),
                () => ({ columns: [say("tokens_n"), say("weights_bytes"), say("temporaries"), say("cache"), say("total")], rows: p.contexts.map((x) => (x.impossible ? [whole(x.context), "–", "–", "–", "–"] : [whole(x.context), bytes(x.weights_bytes), bytes(x.activation_bytes), bytes(x.cache_bytes), bytes(x.total_bytes)])) }),
                legend,
            ),
            said,
        );
        if (!at.impossible && !at.fits) output.append(el("h3", {}, say("would_have_to")), await remedies(request, context.get() * 1000, signal));
    });
    const model = select({ name: say("model"), key: "fm", among: MODELS.map((m) => [m, m] as const), value: "llama-3-8b", changed: l.run });
    const weights = select({
        name: say("weights_type"),
        key: "fw",
        among: [["as", say("as_published")], ...["bf16", "q8_0", "q6_k", "q4_k_m", "q4_0"].map((t) => [t, t] as [string, string])],
        value: "as",
        changed: l.run,
    });
    const type = select({ name: say("cache_type"), key: "ft", among: ["f32", "f16", "q8_0", "q4_0"].map((t) => [t, t] as const), value: "f16", changed: l.run });
    const context = slider({ name: say("context"), key: "fc", min: 1, max: 128, value: 100, show: (v) => whole(v * 1000), changed: l.run });
    const batch = slider({ name: say("batch"), key: "fb", min: 1, max: 16, value: 1, changed: l.run });
    const memory = select({ name: say("memory"), key: "fx", among: [["here", say("this_machine")], ...sizes.map((s) => [String(s), `${s} GiB`] as [string, string])], value: "here", changed: l.run });
    l.controls.append(model.node, weights.node, type.node, memory.node, context.node, batch.node);
    l.run();
}

// One change at a time, then two: what each would save, and whether it is enough.
async function remedies(request: { weights?: string; cache_type: string; batch: number }, context: number, signal: AbortSignal): Promise<HTMLElement> {
    const tries: [string, object][] = [];
    for (const t of ["q8_0", "q4_0"]) if (VALUE[t] < VALUE[request.cache_type]) tries.push([say("try_cache", { type: t }), { cache_type: t }]);
    for (const w of ["q8_0", "q4_k_m"]) if (w !== request.weights) tries.push([say("try_weights", { type: w }), { weights: w }]);
    tries.push([say("try_both"), { weights: "q4_k_m", cache_type: "q4_0" }]);
    if (request.batch > 1) tries.push([say("try_batch"), { batch: 1 }]);
    const rows: HTMLElement[] = [];
    for (const [name, change] of tries) {
        const p = await ask<Plan>("/plan", { ...request, ...change, contexts: [context] }, signal), c = p.contexts[0];
        if (c.impossible) continue;
        rows.push(el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, bytes(c.total_bytes)), el("td", {}, c.fits ? say("enough") : say("not_enough")), el("td", {}, whole(p.longest_context))));
    }
    return el(
        "div",
        { class: "wide", tabindex: "0", role: "group", "aria-label": say("would_have_to") },
        el("table", {}, el("thead", {}, el("tr", {}, ...[say("change"), say("total"), say("fits_q"), say("longest")].map((w) => el("th", { scope: "col" }, w)))), el("tbody", {}, ...rows)),
    );
}

export const memory: Section = { id: "memory", texts: { en, zh }, demos: { growth, fits } };
