// attention.ts - part 2: the formula, factor by factor, with the numbers of a chosen layer and head; masks; the scale.
import { check, choice, select, slider, textField, type Control } from "../controls";
import { el, replace } from "../dom";
import { models, trace, type Attention, type Model, type Token, type Trace } from "../engine";
import { fact, facts, live, Missing, type Live } from "../live";
import { heatmap } from "../pictures/heatmap";
import { picture, tableOf } from "../pictures/picture";
import { read } from "../pictures/bars";
import { distance, dot, entropy, length, sees, type Mask } from "../sums";
import { formula } from "../text";
import { say, short } from "../words";
import type { Section } from "./section";
import { tiles } from "./tiles";
import en from "../../text/en/attention.md?raw";
import zh from "../../text/zh/attention.md?raw";

const SENTENCE = "The animal was too tired to cross the street.";

// What is looked at: a model, a layer, a head.
export interface Look {
    model: Model;
    layer: number;
    head: number;
}

export const names = (tokens: Token[]): string[] => tokens.map(read);

// The layers of the stack that reads the text: an encoder-decoder's is its encoder.
export const stack = (m: Model): Attention["kind"] => (m.paradigm === "encoder-decoder" ? "encoder" : "self");

export function found(t: Trace, kind: Attention["kind"], layer: number): Attention {
    const a = t.attention?.find((x) => x.kind === kind && x.layer === layer);
    if (!a) throw new Error(`the trace has no ${kind} attention of layer ${layer}`);
    return a;
}

// Sets up "text, model, layer, head", the beginning of every demonstration here.
export async function looking(l: Live, prefix: string, text: string, suits: (m: Model) => boolean = () => true): Promise<{ look: () => Look; text: Control<string> } | null> {
    const all = (await models()).filter(suits);
    if (!all.length) {
        l.output.textContent = "";
        return null;
    }
    const byName = (id: string) => all.find((m) => m.id === id) ?? all[0];
    const words = textField({ name: say("sentence"), key: prefix + "text", value: text, max: 160, changed: l.run });
    const which = select({
        name: say("model"),
        key: prefix + "model",
        among: all.map((m) => [m.id, `${m.id} (${say(m.paradigm)})`] as const),
        value: all[0].id,
        changed: () => {
            draw();
            l.run();
        },
    });
    const layers = el("div"), heads = el("div");
    let layer: Control<number>, head: Control<number>;
    const draw = () => {
        const m = byName(which.get());
        layer = slider({ name: say("layer"), key: prefix + "layer", min: 0, max: m.layers - 1, value: 0, show: (v) => `${v + 1} / ${m.layers}`, changed: l.run });
        head = slider({ name: say("head"), key: prefix + "head", min: 0, max: m.heads - 1, value: 0, show: (v) => `${v + 1} / ${m.heads}`, changed: l.run });
        replace(layers, layer.node);
        replace(heads, head.node);
    };
    draw();
    l.controls.append(words.node, which.node, layers, heads);
    return { look: () => ({ model: byName(which.get()), layer: layer.get(), head: head.get() }), text: words };
}

const ask = (look: Look, text: string, more: object, signal: AbortSignal): Promise<Trace> =>
    trace({ model: look.model.id, text, attention: true, parts: true, layers: [look.layer], heads: [look.head], top: 1, ...more }, signal);

/* ---- the formula, factor by factor ---- */

const factorNames = ["q", "k", "dot", "scale", "softmax", "v", "out"] as const;
type Factor = (typeof factorNames)[number];

function vectorTable(caption: string, labels: string[], rows: number[][]): HTMLElement {
    const wide = rows[0].length;
    return tableOf({ columns: [say("token"), ...Array.from({ length: wide }, (_, i) => String(i + 1))], rows: labels.map((t, i) => [t, ...rows[i].map(short)]) }, caption);
}

function explain(f: Factor, a: Attention, labels: string[], i: number, j: number, visible: (q: number, k: number) => boolean): HTMLElement {
    const q = a.query![0], k = a.key![0], v = a.value![0], s = a.scores![0], w = a.weights[0], o = a.mixed![0];
    const d = q[0].length, product = dot(q[i], k[j]);
    const out = el("div", { class: "factor-text" });
    const line = (text: string) => out.append(el("p", {}, text));
    const names = { row: labels[i], column: labels[j], d };
    switch (f) {
        case "q":
            line(say("factor_q", names));
            out.append(vectorTable("Q", labels, q));
            break;
        case "k":
            line(say("factor_k", names));
            out.append(vectorTable("K", labels, k));
            break;
        case "dot":
            line(say("factor_dot", names));
            out.append(
                facts(
                    fact(formula("q \\cdot k"), `${q[i].slice(0, 3).map((x, c) => `${short(x)} × ${short(k[j][c])}`).join(" + ")} + … = ${short(product)}`),
                    fact(formula("\\lVert q \\rVert"), short(length(q[i]))),
                    fact(formula("\\lVert k \\rVert"), short(length(k[j]))),
                ),
            );
            break;
        case "scale": {
            const scaled = product / Math.sqrt(d);
            line(say("factor_scale", names));
            out.append(
                facts(
                    fact(formula(`q \\cdot k / \\sqrt{${d}}`), `${short(product)} / ${short(Math.sqrt(d))} = ${short(scaled)}`),
                    fact(say("engine_score"), short(s[i][j])),
                ),
            );
            // T5 divides by nothing and adds a bias by distance: then the two differ, and it is said.
            if (Math.abs(scaled - s[i][j]) > 1e-3 * Math.max(1, Math.abs(scaled))) out.append(el("p", { class: "note" }, say("unscaled_model", { product: short(product), bias: short(s[i][j] - product) })));
            break;
        }
        case "softmax": {
            line(say("factor_softmax", names));
            const seen = s[i].map((_, c) => c).filter((c) => visible(i, c));
            const max = Math.max(...seen.map((c) => s[i][c]));
            const sum = seen.reduce((x, c) => x + Math.exp(s[i][c] - max), 0);
            out.append(
                tableOf(
                    {
                        columns: [say("token"), say("score"), "exp(score − max)", say("weight")],
                        rows: labels.map((t, c) => (visible(i, c) ? [t, short(s[i][c]), short(Math.exp(s[i][c] - max)), short(w[i][c])] : [t, short(s[i][c]), say("hidden"), "0"])),
                    },
                    say("softmax_of", { row: labels[i], sum: short(sum) }),
                ),
            );
            break;
        }
        case "v":
            line(say("factor_v", names));
            out.append(vectorTable("V", labels, v));
            break;
        case "out":
            line(say("factor_out", names));
            out.append(vectorTable("softmax(…) V", labels, o));
    }
    return out;
}

// The formula itself, its factors to be pointed at.
function typeset(on: (f: Factor) => void): { node: HTMLElement; mark: (f: Factor) => void } {
    const part = (f: Factor, tex: string) => `\\htmlData{factor=${f}}{${tex}}`;
    const node = formula(
        `\\mathrm{Attention}(Q, K, V) = \\htmlData{factor=out}{\\underbrace{\\htmlData{factor=softmax}{\\mathrm{softmax}}\\!\\left(\\frac{${part("q", "Q")}\\,${part("k", "K^{\\top}")}}{${part("scale", "\\sqrt{d_k}")}}\\right) ${part("v", "V")}}}`,
        true,
    );
    const of = (e: Event) => (e.target as Element).closest<HTMLElement>("[data-factor]")?.dataset.factor as Factor | undefined;
    for (const kind of ["pointerover", "click"])
        node.addEventListener(kind, (e) => {
            const f = of(e);
            if (f && f !== "out") on(f);
        });
    for (const p of node.querySelectorAll<HTMLElement>("[data-factor]")) if (p.dataset.factor !== "out") p.classList.add("factor");
    return { node, mark: (f) => node.querySelectorAll<HTMLElement>("[data-factor]").forEach((p) => p.classList.toggle("on", p.dataset.factor === f && f !== "out")) };
}

function factors(place: HTMLElement): void {
    let now: Factor = "q", row = -1, column = 0;
    let redraw = () => {};
    const set = typeset((f) => {
        which.set(f);
        now = f;
        set.mark(f);
        redraw();
    });
    const which = choice<Factor>({
        name: say("factor"),
        key: "factor",
        among: factorNames.map((f) => [f, say(`name_${f}`)] as const),
        value: "q",
        changed: (f) => {
            now = f;
            set.mark(f);
            redraw();
        },
    });
    now = which.get();
    set.mark(now);
    place.append(set.node);
    const l = live(place, async (signal, output) => {
        const c = await ready;
        if (!c) throw new Missing("decoder-only");
        const look = c.look();
        const t = await ask(look, c.text.get(), {}, signal);
        const a = found(t, stack(look.model), look.layer), labels = names(t.tokens);
        const mask: Mask = look.model.paradigm === "decoder-only" ? "causal" : "bidirectional";
        const visible = (q: number, k: number) => sees(mask, 0, q, k);
        if (row < 0 || row >= labels.length) row = Math.max(0, t.tokens.map((x) => !x.special && /\p{L}/u.test(read(x))).lastIndexOf(true));
        if (column >= labels.length) column = 0;
        const words = el("div", { "aria-live": "polite" });
        redraw = () => replace(words, explain(now, a, labels, row, column, visible));
        const map = heatmap({
            name: say("weights_map"),
            rows: labels,
            columns: labels,
            values: a.weights[0],
            blocked: (q, k) => !visible(q, k),
            row,
            column,
            chosen: (q, k) => {
                row = q;
                column = k;
                redraw();
            },
        });
        const title = say("weights_title", { model: look.model.id, layer: look.layer + 1, head: look.head + 1 });
        replace(output, el("div", { class: "two reading" }, picture(title, map, () => weightsTable(labels, labels, a.weights[0])), words));
        redraw();
    });
    const ready = looking(l, "", SENTENCE);
    void ready.then(() => {
        l.controls.append(which.node);
        l.run();
    });
}

export function weightsTable(rows: string[], columns: string[], w: number[][]): { columns: string[]; rows: (string | number)[][] } {
    return { columns: [say("query_key"), ...columns], rows: rows.map((t, i) => [t, ...w[i].map(short)]) };
}

/* ---- masks: the same weights, other scores let through ---- */

const maskWord = (mask: Mask, n: number): string => (mask === "prefix" || mask === "window" ? `${mask}:${n}` : mask);

function masks(place: HTMLElement): void {
    let mask: Control<Mask>, size: Control<number>;
    const l = live(place, async (signal, output) => {
        const c = await ready;
        if (!c) throw new Missing("decoder-only");
        const look = c.look(), pair = look.model.paradigm === "encoder-decoder";
        const own: Mask = look.model.paradigm === "decoder-only" ? "causal" : "bidirectional";
        const chosen = mask.get();
        if (chosen === "cross" && !pair) {
            replace(output, el("p", { class: "note" }, say("no_cross", { model: look.model.id })));
            return;
        }
        const text = c.text.get();
        const target = pair ? { decoder_text: text } : {};
        const [before, after] = await Promise.all([
            ask(look, text, { mask: own, ...target }, signal),
            ask(look, text, { mask: chosen === "cross" ? own : maskWord(chosen, size.get()), ...target }, signal),
        ]);
        const kind = chosen === "cross" ? "cross" : stack(look.model);
        const a = found(before, stack(look.model), look.layer), b = found(after, kind, Math.min(look.layer, kind === "cross" ? look.model.decoder_layers - 1 : look.layer));
        const labels = names(before.tokens), rows = chosen === "cross" ? names(after.decoder_tokens ?? []) : labels;
        const hidden = (m: Mask) => (q: number, k: number) => !sees(m, size.get(), q, k);
        const draw = (title: string, at: Attention, rowLabels: string[], m: Mask) =>
            picture(title, heatmap({ name: title, rows: rowLabels, columns: labels, values: at.weights[0], blocked: hidden(m), color: m === "causal" || m === "window" ? "--decoder" : m === "cross" || m === "prefix" ? "--pair" : "--encoder" }), () =>
                weightsTable(rowLabels, labels, at.weights[0]),
            );
        const said = el("div");
        if (chosen !== "cross") {
            const moved = labels.map((_, i) => distance(a.mixed![0][i], b.mixed![0][i]) / Math.max(1e-9, length(a.mixed![0][i])));
            const most = moved.indexOf(Math.max(...moved));
            said.append(
                facts(
                    fact(say("pairs_seen"), `${labels.reduce((n, _, i) => n + labels.filter((__, j) => sees(chosen, size.get(), i, j)).length, 0)} / ${labels.length ** 2}`),
                    fact(say("output_moved"), moved[most] < 1e-6 ? say("not_at_all") : say("moved_most", { token: labels[most], by: `${(100 * moved[most]).toFixed(0)}%` })),
                ),
            );
        }
        replace(output, el("div", { class: "two" }, draw(say("own_mask", { mask: say(`mask_${own}`) }), a, labels, own), draw(say("chosen_mask", { mask: say(`mask_${chosen}`) }), b, rows, chosen)), said);
    });
    const ready = looking(l, "m", SENTENCE);
    void ready.then(() => {
        mask = choice<Mask>({ name: say("mask"), key: "mask", among: (["bidirectional", "causal", "prefix", "window", "cross"] as const).map((m) => [m, say(`mask_${m}`)] as const), value: "causal", changed: l.run });
        size = slider({ name: say("mask_size"), key: "size", min: 1, max: 8, value: 3, changed: l.run });
        l.controls.append(mask.node, size.node);
        l.run();
    });
}

/* ---- the scale ---- */

function scale(place: HTMLElement): void {
    let off: Control<boolean>;
    const l = live(place, async (signal, output) => {
        const c = await ready;
        if (!c) throw new Missing("decoder-only");
        const look = c.look();
        const [with_, without] = await Promise.all([ask(look, c.text.get(), {}, signal), ask(look, c.text.get(), { unscaled: true }, signal)]);
        const a = found(with_, "self", look.layer), b = found(without, "self", look.layer), labels = names(with_.tokens);
        const causal = look.model.paradigm === "decoder-only";
        const now = off.get() ? b : a;
        // Under the causal mask the first token sees itself alone: its row says nothing of the scale.
        const seen = (w: number[][]) => (causal && w.length > 1 ? w.map((r, i) => r.slice(0, i + 1)).slice(1) : w);
        const mean = (x: number[]) => x.reduce((s, y) => s + y, 0) / Math.max(1, x.length);
        const tell = (at: Attention) => [short(mean(seen(at.weights[0]).map(entropy))), short(mean(seen(at.weights[0]).map((r) => Math.max(...r)))), short(Math.max(...seen(at.scores![0]).flat().map(Math.abs)))];
        const [x, y] = [tell(a), tell(b)];
        const title = off.get() ? say("scale_off") : say("scale_on");
        replace(
            output,
            el(
                "div",
                { class: "two" },
                picture(title, heatmap({ name: title, rows: labels, columns: labels, values: now.weights[0], blocked: causal ? (q, k) => k > q : undefined }), () => weightsTable(labels, labels, now.weights[0])),
                tableOf(
                    {
                        columns: ["", formulaWord("QK^T/√d_k"), formulaWord("QK^T")],
                        rows: [
                            [say("mean_entropy"), x[0], y[0]],
                            [say("mean_largest"), x[1], y[1]],
                            [say("largest_score"), x[2], y[2]],
                        ],
                    },
                    say(causal ? "scale_table_causal" : "scale_table", { d: a.query![0][0].length }),
                ),
            ),
        );
    });
    const ready = looking(l, "s", SENTENCE, (m) => m.paradigm !== "encoder-decoder");
    void ready.then(() => {
        off = check({ name: say("without_scale"), key: "unscaled", value: false, changed: l.run });
        l.controls.append(off.node);
        l.run();
    });
}

const formulaWord = (text: string): string => text;

export const attention: Section = { id: "attention", texts: { en, zh }, demos: { factors, masks, scale, tiles } };
