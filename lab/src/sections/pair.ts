// pair.ts - part 3, encoder-decoder: a translation grown step by step, the links by which each target token looks at the source, and the
// beams among which it was chosen. The page keeps the list of beams; every probability in it is the engine's.
import { cumsum, extent, group, mean } from "d3-array";
import { hierarchy, tree as layout, type HierarchyPointNode } from "d3-hierarchy";
import { linkHorizontal, linkVertical } from "d3-shape";
import { select, slider, textField, type Control } from "../controls";
import { el, replace, svg } from "../dom";
import { able, detokenize, task, trace, type Chance, type Model, type Token, type Trace } from "../engine";
import { fact, facts, live, missing, Missing, type Live } from "../live";
import { read } from "../pictures/bars";
import { heatmap } from "../pictures/heatmap";
import { picture } from "../pictures/picture";
import { percent, say, short } from "../words";
import { weightsTable } from "./attention";

const SENTENCE = "Where is the station?";
const LONGEST = 24;

interface Translated {
    model: Model;
    source: string; // with the instruction that names the task
}

async function translator(): Promise<Model> {
    const [m] = (await able("translation")).filter((x) => x.paradigm === "encoder-decoder");
    if (!m) throw new Missing("translation");
    return m;
}

// T5 is told its task in words (Raffel et al. 2020, sec. 2.4).
const instruct = (text: string, to: string): string => (to === "de" ? `translate English to German: ${text}` : `translate German to English: ${text}`);

async function source(m: Model, text: string, to: string): Promise<Translated> {
    return { model: m, source: instruct(text, to) };
}

const endOf = (c: Chance): boolean => c.token === "</s>" || c.token === "[EOS]";

// Greedy: the likeliest token each time. The first decoder token is the model's own start.
async function greedy(t: Translated, signal: AbortSignal): Promise<{ trace: Trace; ids: number[] }> {
    let seen = await trace({ model: t.model.id, text: t.source, top: 1 }, signal);
    const ids = seen.decoder_tokens!.map((x) => x.id);
    while (ids.length < LONGEST) {
        const [best] = seen.logits![seen.logits!.length - 1];
        ids.push(best.id);
        if (endOf(best)) break;
        seen = await trace({ model: t.model.id, text: t.source, decoder_tokens: [...ids], top: 1 }, signal);
    }
    return { trace: seen, ids };
}

function direction(l: Live, key: string): Control<"de" | "en"> {
    const c = select<"de" | "en">({
        name: say("direction"),
        key,
        among: [
            ["de", say("en_de")],
            ["en", say("de_en")],
        ],
        value: "de",
        changed: l.run,
    });
    return c;
}

/* ---- cross-attention ---- */

// Source above, target below, and a line as strong as the weight.
function links(from: string[], to: string[], weights: number[][], chosen: number, choose: (i: number) => void): SVGSVGElement {
    const widths = (words: string[]) => words.map((w) => 16 + 7.4 * w.length);
    const places = (w: number[]) => Array.from(cumsum(w, (x) => x + 6), (end, i) => end - 2 - w[i] / 2);
    const [fw, tw] = [widths(from), widths(to)], [fx, tx] = [places(fw), places(tw)];
    const width = Math.max(fx[fx.length - 1] + fw[fw.length - 1] / 2, tx[tx.length - 1] + tw[tw.length - 1] / 2) + 6, top = 34, bottom = 150;
    const s = svg("svg", { width, height: bottom + 40, viewBox: `0 0 ${width} ${bottom + 40}`, "aria-hidden": "true", class: "links" });
    const link = linkVertical();
    to.forEach((_, i) =>
        from.forEach((__, j) => {
            const on = i === chosen, w = weights[i][j];
            if (w < 0.02) return;
            s.append(svg("path", { d: link({ source: [fx[j], top], target: [tx[i], bottom] }), style: `fill: none; stroke: var(${on ? "--pair" : "--soft"}); stroke-width: ${0.6 + 7 * w}; stroke-opacity: ${on ? 0.35 + 0.65 * w : 0.16}` }));
        }),
    );
    const word = (text: string, x: number, y: number, w: number, on: boolean) =>
        svg("g", {}, svg("rect", { x: x - w / 2, y, width: w, height: 26, rx: 5, style: `fill: var(${on ? "--pair" : "--sunken"}); stroke: var(--line)` }), svg("text", { x, y: y + 17, "text-anchor": "middle", style: on ? "fill: var(--on-accent)" : "" }, text));
    from.forEach((t, j) => s.append(word(t, fx[j], 6, fw[j], false)));
    to.forEach((t, i) => {
        const g = word(t, tx[i], bottom, tw[i], i === chosen);
        g.style.cursor = "pointer";
        g.addEventListener("click", () => choose(i));
        s.append(g);
    });
    return s;
}

// A layer's heads together: their mean.
const together = (heads: number[][][]): number[][] => heads[0].map((row, i) => row.map((_, j) => mean(heads, (h) => h[i][j])!));

export function cross(place: HTMLElement): void {
    let layer: Control<number> | null = null, chosen = 0;
    const l = live(place, async (signal, output) => {
        const m = await translator();
        if (!layer) {
            layer = slider({ name: say("decoder_layer"), key: "cl", min: 0, max: m.decoder_layers - 1, value: m.decoder_layers - 1, show: (v) => `${v + 1} / ${m.decoder_layers}`, changed: l.run });
            l.controls.append(layer.node);
        }
        const t = await source(m, text.get(), to.get());
        const { ids } = await greedy(t, signal);
        const seen = await trace({ model: m.id, text: t.source, decoder_tokens: ids, attention: true, layers: [layer.get()], top: 1 }, signal);
        const a = seen.attention!.find((x) => x.kind === "cross" && x.layer === layer!.get())!;
        // The row of a decoder token says what was looked at while the next one was written.
        const from = seen.tokens.map(read), written = seen.decoder_tokens!.slice(1).map(read), weights = together(a.weights).slice(0, written.length);
        chosen = Math.min(chosen, written.length - 1);
        const drawn = el("div");
        const draw = (i: number) => {
            chosen = i;
            replace(drawn, links(from, written, weights, chosen, draw));
        };
        draw(chosen);
        replace(
            output,
            picture(say("cross_title", { layer: layer.get() + 1, n: a.weights.length }), drawn, () => weightsTable(written, from, weights)),
            heatmap({ name: say("cross_map"), rows: written, columns: from, values: weights, row: chosen, column: weights[chosen].indexOf(Math.max(...weights[chosen])), color: "--pair", chosen: draw }),
        );
    });
    const text = textField({ name: say("sentence"), key: "ct", value: SENTENCE, max: 80, changed: l.run }), to = direction(l, "cd");
    l.controls.append(text.node, to.node);
    l.run();
}

/* ---- beams ---- */

interface Beam {
    ids: number[];
    words: string[];
    log: number; // sum of log probabilities
    parent: Beam | null;
    kept: boolean;
    done: boolean;
}

// Beam search by the book: of all continuations of the beams, the `width` likeliest stay (Sutskever et al. 2014, sec. 3.2).
async function search(t: Translated, width: number, signal: AbortSignal): Promise<Beam[]> {
    const begun = await trace({ model: t.model.id, text: t.source, top: 1 }, signal);
    const root: Beam = { ids: begun.decoder_tokens!.map((x: Token) => x.id), words: [], log: 0, parent: null, kept: true, done: false };
    const all: Beam[] = [root];
    let beams = [root];
    for (let depth = 1; depth < LONGEST && beams.some((b) => !b.done); depth++) {
        const open = beams.filter((b) => !b.done);
        const seen = await Promise.all(open.map((b) => trace({ model: t.model.id, text: t.source, decoder_tokens: b.ids, top: width + 1 }, signal)));
        const next = open.flatMap((b, i) =>
            seen[i].logits![seen[i].logits!.length - 1].slice(0, width + 1).map((c) => ({
                ids: [...b.ids, c.id],
                words: [...b.words, endOf(c) ? "∎" : read(c)],
                log: b.log + Math.log(c.probability),
                parent: b,
                kept: false,
                done: endOf(c),
            })),
        );
        const score = (b: Beam) => b.log / b.words.length;
        beams = [...beams.filter((b) => b.done), ...next].sort((x, y) => score(y) - score(x)).slice(0, width);
        for (const b of beams) b.kept = true;
        all.push(...next.filter((b) => b.kept || b.log > Math.log(0.02)));
    }
    return all;
}

function tree(all: Beam[], best: Beam): SVGSVGElement {
    const wide = 104, tall = 27, box = wide - 18, children = group(all, (b) => b.parent);
    const root = layout<Beam>()
        .nodeSize([tall, wide])
        .separation(() => 1)(hierarchy(all[0], (b) => children.get(b)).sort((a, b) => b.data.log - a.data.log));
    const nodes = root.descendants(), path = new Set(root.find((n) => n.data === best)!.ancestors()), [low, high] = extent(nodes, (n) => n.x) as [number, number];
    // The layout grows downwards; this tree grows to the right.
    const x = (n: HierarchyPointNode<Beam>) => 8 + n.y, y = (n: HierarchyPointNode<Beam>) => 8 + n.x - low;
    const width = (root.height + 1) * wide + 8, height = high - low + tall + 12, link = linkHorizontal();
    const s = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    for (const { source, target } of root.links())
        s.append(svg("path", { d: link({ source: [x(source) + box, y(source) + 10], target: [x(target), y(target) + 10] }), style: `fill: none; stroke: var(${path.has(target) ? "--pair" : "--line"}); stroke-width: ${path.has(target) ? 2.5 : 1.2}` }));
    for (const n of nodes) {
        const on = path.has(n), { words, log, kept } = n.data, word = n.depth ? words[words.length - 1] : "⟨s⟩";
        s.append(
            svg("rect", { x: x(n), y: y(n), width: box, height: 21, rx: 4, style: `fill: var(${on ? "--pair" : "--sunken"}); fill-opacity: ${kept ? 1 : 0.45}` }),
            svg("text", { x: x(n) + 5, y: y(n) + 15, style: on ? "fill: var(--on-accent)" : kept ? "" : "fill: var(--soft)" }, word.length > 6 ? word.slice(0, 5) + "…" : word),
            svg("text", { x: x(n) + box - 4, y: y(n) + 15, "text-anchor": "end", style: `font-size: 10px; ${on ? "fill: var(--on-accent)" : "fill: var(--soft)"}` }, n.depth ? log.toFixed(1).replace("-", "−") : ""),
        );
    }
    return s;
}

export function beams(place: HTMLElement): void {
    const l = live(place, async (signal, output) => {
        const m = await translator(), t = await source(m, text.get(), to.get());
        const all = await search(t, width.get(), signal);
        // When none has come to an end, those that got furthest.
        const ended = all.filter((b) => b.kept && b.done), furthest = Math.max(...all.filter((b) => b.kept).map((b) => b.words.length));
        const best = (ended.length ? ended : all.filter((b) => b.kept && b.words.length === furthest)).sort((a, b) => b.log / b.words.length - a.log / a.words.length)[0];
        const [own] = await task<{ translation_text: string }[]>("translation", m.id, text.get(), { src_lang: to.get() === "de" ? "en" : "de", tgt_lang: to.get(), num_beams: width.get() }, signal);
        // Pieces are put together by the engine: several may be bytes of one character.
        const texts = new Map(await Promise.all([...new Set([...ended, best])].map(async (b) => [b, (await detokenize(m.id, b.ids, signal)).trim()] as const)));
        const spoken = (b: Beam) => texts.get(b)!;
        replace(
            output,
            picture(say("beams_title", { n: width.get() }), tree(all, best), () => ({
                columns: [say("beam_text"), "log p", say("log_a_token")],
                rows: ended.sort((a, b) => b.log / b.words.length - a.log / a.words.length).map((b) => [spoken(b), short(b.log), short(b.log / b.words.length)]),
            })),
            facts(fact(say("tree_best"), `${spoken(best)} (${percent(Math.exp(best.log))})`), fact(say("engine_best"), own.translation_text)),
        );
    });
    const text = textField({ name: say("sentence"), key: "bt", value: "I have no time today.", max: 60, changed: l.run }), to = direction(l, "bd");
    const width = slider({ name: say("beams"), key: "beams", min: 1, max: 4, value: 3, changed: l.run });
    l.controls.append(text.node, to.node, width.node);
    l.run();
}

/* ---- text to text ---- */

export function text_to_text(place: HTMLElement): void {
    const l = live(place, async (signal, output) => {
        const m = await translator();
        const [said] = await task<{ translation_text: string }[]>("translation", m.id, text.get(), { src_lang: to.get() === "de" ? "en" : "de", tgt_lang: to.get(), num_beams: 4 }, signal);
        // Every T5 has the form for it; one of a million parameters has not learnt it, and the one that ships only from the built-in corpus.
        const all = (await able("summarization")).filter((x) => x.parameters > 5e6), summariser = all.find((x) => x.paradigm === "encoder-decoder") ?? all[0];
        const summary = el("div");
        if (summariser && long.get().trim()) {
            const [short_] = await task<{ summary_text: string }[]>("summarization", summariser.id, long.get(), { max_new_tokens: 60 }, signal);
            replace(summary, el("p", { class: "small" }, say(summariser.parameters > 2e7 ? "summary_by" : "summary_by_small", { model: summariser.id })), el("p", { class: "answer" }, short_.summary_text));
        } else if (!summariser) replace(summary, missing("summarization"));
        replace(
            output,
            el("p", { class: "small" }, say("given_in", { model: m.id })),
            el("p", { class: "answer" }, el("code", {}, instruct(text.get(), to.get()))),
            el("p", { class: "small" }, say("comes_out")),
            el("p", { class: "answer", lang: to.get() }, said.translation_text),
            el("h3", {}, say("summary")),
            long.node,
            summary,
        );
    });
    const text = textField({ name: say("sentence"), key: "tt", value: SENTENCE, max: 120, changed: l.run }), to = direction(l, "td");
    const long = textField({ name: say("document"), value: say("document_text"), lines: 4, max: 4000, changed: l.run });
    l.controls.append(text.node, to.node);
    l.run();
}

