// corrupt.ts - one sentence, three ways of hiding a part of it: what each paradigm is asked during pre-training.
import { button, choice, slider, textField, type Control } from "../controls";
import { el, replace, type Child } from "../dom";
import { models, tokenize, type Model, type Token } from "../engine";
import { live, Missing } from "../live";
import { read } from "../pictures/bars";
import { say } from "../words";

// mulberry32: the same seed hides the same tokens, on every machine.
export function generator(seed: number): () => number {
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = a;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

export interface Masked {
    index: number;
    becomes: "mask" | "random" | "same"; // 80, 10, 10 of a hundred (Devlin et al. 2019, sec. 3.1)
}

export function maskWords(n: number, share: number, random: () => number): Masked[] {
    const wanted = Math.max(1, Math.round(n * share));
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
    }
    return order
        .slice(0, wanted)
        .sort((a, b) => a - b)
        .map((index) => {
            const u = random();
            return { index, becomes: u < 0.8 ? "mask" : u < 0.9 ? "random" : "same" };
        });
}

// Spans of noise: `share` of the tokens in spans of `mean` tokens on average, cut at random, never side by side
// (Raffel et al. 2020, sec. 3.1.4; random_spans_noise_mask of its code). Some of what stands before the first goes behind the last:
// else a text would always end in a span, and one with a single span would have no choice.
export function spans(n: number, share: number, mean: number, random: () => number): [number, number][] {
    const noise = Math.min(n - 1, Math.max(1, Math.round(n * share)));
    const count = Math.min(noise, n - noise, Math.max(1, Math.round(noise / mean)));
    const cut = (total: number, parts: number): number[] => {
        const marks = Array.from({ length: total - 1 }, (_, i) => i < parts - 1);
        for (let i = marks.length - 1; i > 0; i--) {
            const j = Math.floor(random() * (i + 1));
            [marks[i], marks[j]] = [marks[j], marks[i]];
        }
        const sizes: number[] = [];
        let run = 1;
        for (const m of marks) {
            if (m) {
                sizes.push(run);
                run = 1;
            } else run++;
        }
        return [...sizes, run];
    };
    const hidden = cut(noise, count), clear = cut(n - noise, count);
    const out: [number, number][] = [];
    let at = -Math.floor(random() * (clear[0] + 1));
    for (let i = 0; i < count; i++) {
        at += clear[i];
        out.push([at, at + hidden[i]]);
        at += hidden[i];
    }
    return out;
}

const chip = (text: string, look = ""): HTMLElement => el("li", {}, el("span", { class: `chip ${look}` }, text));
const row = (name: string, ...chips: Child[]): HTMLElement => el("div", {}, el("p", { class: "small" }, name), el("ul", { class: "tokens" }, ...chips));

function block(look: "encoder" | "decoder" | "pair", title: string, note: string, ...rows: Child[]): HTMLElement {
    return el("section", { class: `column ${look}` }, el("h3", {}, title), el("p", { class: "small" }, note), ...rows);
}

export function three_ways(place: HTMLElement): void {
    let seed = 1, mean: Control<number>;
    const l = live(place, async (signal, output) => {
        const all = await models();
        if (!all.length) throw new Missing("encoder-decoder");
        const m: Model = all.find((x) => x.paradigm === "encoder-decoder") ?? all[0];
        const { tokens } = await tokenize(m.id, text.get(), signal);
        const own = tokens.filter((t: Token) => !t.special), words = own.map(read), n = words.length;
        if (n < 4) return replace(output, el("p", { class: "note" }, say("longer_please")));
        const rate = share.get() / 100;
        const masked = maskWords(n, rate, generator(seed)), noise = spans(n, rate, mean.get(), generator(seed + 77));
        const at = new Map(masked.map((x) => [x.index, x.becomes]));
        const random = generator(seed + 5);
        const bert = words.map((w, i) => {
            const becomes = at.get(i);
            if (!becomes) return chip(w);
            return becomes === "mask" ? chip("[MASK]", "hidden-token") : becomes === "same" ? chip(w, "hidden-token") : chip(words[Math.floor(random() * n)], "hidden-token");
        });
        const input: Child[] = [], target: Child[] = [];
        let from = 0;
        noise.forEach(([start, end], i) => {
            input.push(...words.slice(from, start).map((w) => chip(w)), chip(`<extra_id_${i}>`, "noise"));
            target.push(chip(`<extra_id_${i}>`, "noise"), ...words.slice(start, end).map((w) => chip(w)));
            from = end;
        });
        input.push(...words.slice(from).map((w) => chip(w)));
        target.push(chip(`<extra_id_${noise.length}>`, "noise"));
        const prefix = mode.get() === "prefix" ? Math.floor(n / 2) : 0;
        replace(
            output,
            el(
                "div",
                { class: "columns" },
                block("encoder", say("mlm"), say("mlm_note", { n: masked.length, all: n }), row(say("input"), ...bert), row(say("to_say"), ...masked.map((x) => chip(words[x.index], "hidden-token")))),
                block(
                    "decoder",
                    say("clm"),
                    say("clm_note", { n: n - 1 - Math.max(0, prefix - 1), all: n }),
                    row(say("input"), ...words.slice(0, -1).map((w, i) => chip(w, i < prefix ? "special" : ""))),
                    row(say("to_say"), ...words.slice(1).map((w, i) => (i + 1 < prefix ? chip("·", "special") : chip(w, "new")))),
                ),
                block("pair", say("span"), say("span_note", { n: noise.reduce((s, [a, b]) => s + b - a, 0), spans: noise.length }), row(say("input"), ...input), row(say("to_say"), ...target)),
            ),
            el("p", { class: "small" }, say("tokens_of", { model: m.id })),
        );
    });
    const text = textField({ name: say("sentence"), key: "three", value: "Thank you for inviting me to your party last week.", max: 160, changed: l.run });
    const share = slider({ name: say("noise_share"), key: "share", min: 5, max: 50, step: 5, value: 15, show: (v) => `${v}%`, changed: l.run });
    mean = slider({ name: say("span_mean"), key: "mean", min: 1, max: 5, value: 3, changed: l.run });
    const mode = choice<"all" | "prefix">({
        name: say("scored"),
        key: "scored",
        among: [
            ["all", say("scored_all")],
            ["prefix", say("scored_prefix")],
        ],
        value: "all",
        changed: l.run,
    });
    l.controls.append(
        text.node,
        share.node,
        mean.node,
        mode.node,
        button(say("again"), () => {
            seed++;
            l.run();
        }),
    );
    l.run();
}
