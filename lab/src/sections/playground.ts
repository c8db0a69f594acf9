// playground.ts - part 9: every task of every loaded model, with the request as JSON and as curl; a chat; attention; the logit lens.
import { button, select, slider, textField, type Control } from "../controls";
import { el, replace, type Child } from "../dom";
import { ask, models, stream, trace, type Model, type Task } from "../engine";
import { live, missing, trouble } from "../live";
import { read } from "../pictures/bars";
import { heatmap, strength } from "../pictures/heatmap";
import { picture } from "../pictures/picture";
import { percent, say } from "../words";
import { found, names, stack, weightsTable } from "./attention";
import type { Section } from "./section";
import en from "../../text/en/playground.md?raw";
import zh from "../../text/zh/playground.md?raw";

/* ---- tasks ---- */

const samples: Record<Task, (m: Model) => { inputs: unknown; parameters: Record<string, unknown> }> = {
    "fill-mask": (m) => ({ inputs: `Paris is the ${m.mask_token ?? "[MASK]"} of France.`, parameters: { top_k: 5 } }),
    "text-classification": () => ({ inputs: "A joy from start to end.", parameters: {} }),
    "token-classification": () => ({ inputs: "Ada Lovelace lived in London.", parameters: {} }),
    translation: () => ({ inputs: "Where is the station?", parameters: { src_lang: "en", tgt_lang: "de", num_beams: 4 } }),
    summarization: () => ({ inputs: say("document_text"), parameters: { max_new_tokens: 60 } }),
    "text-generation": () => ({ inputs: "Once upon a time", parameters: { max_new_tokens: 24, temperature: 0 } }),
    "feature-extraction": () => ({ inputs: "A cat sits on the mat.", parameters: {} }),
};

// What a shell takes as one word.
const quote = (text: string): string => `'${text.replace(/'/g, `'\\''`)}'`;

// Long lists of numbers are told by their beginning.
function brief(answer: unknown): string {
    const cut = (v: unknown): unknown => (Array.isArray(v) ? (v.length > 12 && v.every((x) => typeof x === "number") ? [...v.slice(0, 8).map((x) => Math.round(x * 1e5) / 1e5), `… ${v.length}`] : v.map(cut)) : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, cut(x)])) : v);
    return JSON.stringify(cut(answer), null, 2);
}

function copying(name: string, text: () => string): HTMLElement {
    const b = button(name, () => {
        const done = () => {
            b.textContent = say("copied");
            setTimeout(() => (b.textContent = name), 1500);
        };
        // Pages of another host by plain HTTP have no clipboard: then the text is selected, to be copied by hand.
        if (navigator.clipboard) void navigator.clipboard.writeText(text()).then(done, () => {});
        else done();
    });
    return b;
}

const code = (text: string, label: string): HTMLElement => el("pre", { tabindex: "0", role: "group", "aria-label": label }, el("code", {}, text));

// A request that the reader has changed, and of which model and task it is: it outlives the page's being drawn anew.
let edited: { of: string; text: string } | null = null;

function tasks(place: HTMLElement): void {
    let which: Control<string>, what: Control<string>, request: Control<string>;
    let all: Model[] = [];
    const model = () => all.find((m) => m.id === which.get()) ?? all[0];
    const slot = el("div"), box = el("div", { class: "stretch" });
    const path = () => `/tasks/${what.get()}`;
    const chosenTask = () => `${which.get()} ${what.get()}`;
    const fresh = () => {
        const m = model(), s = samples[what.get() as Task](m);
        if (edited?.of !== chosenTask()) edited = null;
        request.set(edited?.text ?? JSON.stringify({ model: m.id, ...s }, null, 2));
        send();
    };
    const send = () => {
        try {
            JSON.parse(request.get());
        } catch (e) {
            return replace(l.output, el("p", { class: "note" }, say("no_json", { message: (e as Error).message })));
        }
        l.run();
    };
    const choose = () => {
        what = select({ name: say("task"), key: "task", among: model().tasks.map((t) => [t, say(t)] as const), value: model().tasks[0], changed: fresh });
        replace(slot, what.node);
    };
    const l = live(place, async (signal, output) => {
        if (!all.length) return replace(output, missing("encoder-decoder"));
        const curl = `curl ${location.origin}${path()} -H 'Content-Type: application/json' -d ${quote(JSON.stringify(JSON.parse(request.get())))}`;
        const began = performance.now();
        const answer = await ask<unknown>(path(), JSON.parse(request.get()), signal);
        const ms = performance.now() - began;
        replace(
            output,
            el("p", { class: "small" }, say("answer_in", { ms: ms.toFixed(0) })),
            code(brief(answer), say("answer")),
            el("h3", {}, "curl"),
            code(curl, "curl"),
            el("div", { class: "buttons" }, copying(say("copy_json"), () => JSON.stringify(answer)), copying(say("copy_curl"), () => curl)),
        );
    });
    void models().then((m) => {
        all = m.filter((x) => x.tasks.length);
        if (!all.length) return l.run();
        which = select({
            name: say("model"),
            key: "pm",
            among: all.map((x) => [x.id, `${x.id} (${say(x.paradigm)})`] as const),
            value: all[0].id,
            changed: () => {
                choose();
                fresh();
            },
        });
        request = textField({
            name: say("request"),
            value: "",
            lines: 8,
            max: 20000,
            changed: () => {
                edited = { of: chosenTask(), text: request.get() };
                send();
            },
        });
        request.node.querySelector("textarea")!.classList.add("code");
        replace(box, request.node);
        choose();
        l.controls.append(which.node, slot, box);
        fresh();
    });
}

/* ---- chat ---- */

interface Turn {
    role: "user" | "assistant";
    content: string;
}

function chat(place: HTMLElement): void {
    const turns: Turn[] = [];
    let running: AbortController | null = null;
    const log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": say("chat"), tabindex: "0" });
    const l = live(place, async (_signal, output) => {
        const [m] = (await models()).filter((x) => x.chats);
        if (!m) return replace(output, missing("chat"));
        const input = el("input", { type: "text", id: "chat-say", maxlength: 2000, autocomplete: "off" });
        const send = button(say("send"), () => void go(), "main"), stop = button(say("stop"), () => running?.abort());
        stop.disabled = true;
        const bubble = (t: Turn) => {
            const node = el("p", { class: `turn ${t.role}` }, el("b", {}, t.role === "user" ? say("you") : m.id), " ", t.content);
            log.append(node);
            log.scrollTop = log.scrollHeight;
            return node;
        };
        const go = async () => {
            const content = input.value.trim();
            if (!content || running) return;
            input.value = "";
            turns.push({ role: "user", content });
            bubble(turns[turns.length - 1]);
            const answer: Turn = { role: "assistant", content: "" }, node = bubble(answer);
            running = new AbortController();
            send.disabled = true;
            stop.disabled = false;
            try {
                for await (const c of stream<{ choices: { delta: { content?: string } }[] }>("/v1/chat/completions", { model: m.id, messages: turns, stream: true, max_tokens: 200, temperature: 0.7, seed: turns.length }, running.signal)) {
                    const more = c.choices[0]?.delta.content ?? "";
                    answer.content += more;
                    node.append(more);
                    log.scrollTop = log.scrollHeight;
                }
            } catch (e) {
                if (!running.signal.aborted) node.append(el("em", {}, ` ${trouble(e)}`));
            }
            turns.push(answer);
            running = null;
            send.disabled = false;
            stop.disabled = true;
            input.focus();
        };
        const form = el(
            "form",
            {
                class: "controls",
                onsubmit: (e: Event) => {
                    e.preventDefault();
                    void go();
                },
            },
            el("div", { class: "field long" }, el("label", { for: "chat-say" }, say("say_something", { model: m.id })), input),
            el("div", { class: "buttons" }, send, stop),
        );
        replace(output, log, form);
    });
    l.run();
}

/* ---- attention of all heads, of one, across ---- */

const MINI = 7;

function mini(w: number[][]): HTMLCanvasElement {
    const rows = w.length, columns = w[0].length, size = Math.max(2, Math.min(MINI, Math.floor(84 / columns)));
    const canvas = el("canvas", { width: columns * size, height: rows * size, "aria-hidden": "true" });
    const c = canvas.getContext("2d")!, color = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    const strong = strength(1);
    c.fillStyle = color;
    w.forEach((r, i) =>
        r.forEach((x, j) => {
            c.globalAlpha = strong(x);
            c.fillRect(j * size, i * size, size - 1, size - 1);
        }),
    );
    return canvas;
}

function explorer(place: HTMLElement): void {
    let all: Model[] = [], which: Control<string>, kind: Control<string>, layer: Control<number>, chosen = 0;
    const kinds = el("div"), layers = el("div");
    const model = () => all.find((m) => m.id === which.get()) ?? all[0];
    const l = live(place, async (signal, output) => {
        if (!all.length) return replace(output, missing("decoder-only"));
        const m = model(), cross = kind.get() === "cross", causal = m.paradigm === "decoder-only" || kind.get() === "decoder", pair = m.paradigm === "encoder-decoder";
        const t = await trace({ model: m.id, text: text.get(), ...(pair ? { decoder_text: target.get() } : {}), attention: true, layers: [layer.get()], top: 1 }, signal);
        const a = found(t, cross ? "cross" : kind.get() === "decoder" ? "self" : stack(m), layer.get());
        const rows = names(cross || kind.get() === "decoder" ? t.decoder_tokens! : t.tokens), columns = names(kind.get() === "decoder" ? t.decoder_tokens! : t.tokens);
        chosen = Math.min(chosen, a.weights.length - 1);
        const one = el("div");
        const draw = () => {
            const title = say("weights_title", { model: m.id, layer: layer.get() + 1, head: chosen + 1 });
            replace(one, picture(title, heatmap({ name: title, rows, columns, values: a.weights[chosen], blocked: causal ? (q, k) => k > q : undefined }), () => weightsTable(rows, columns, a.weights[chosen])));
            grid.querySelectorAll("button").forEach((b, i) => b.setAttribute("aria-pressed", i === chosen ? "true" : "false"));
        };
        const grid = el(
            "div",
            { class: "heads", role: "group", "aria-label": say("all_heads") },
            ...a.weights.map((w, i) =>
                el(
                    "button",
                    {
                        type: "button",
                        "aria-label": say("head_n", { n: i + 1 }),
                        onclick: () => {
                            chosen = i;
                            draw();
                        },
                    },
                    mini(w),
                    el("span", {}, String(i + 1)),
                ),
            ),
        );
        replace(output, grid, one);
        draw();
    });
    const text = textField({ name: say("sentence"), key: "at", value: "The keys that open the old door are on the table.", max: 160, changed: l.run });
    const target = textField({ name: say("target"), key: "ag", value: "Die Schlüssel liegen auf dem Tisch.", max: 160, changed: l.run });
    const set = () => {
        const m = model(), pair = m.paradigm === "encoder-decoder";
        const among: [string, string][] = pair
            ? [
                  ["encoder", say("stack_encoder")],
                  ["decoder", say("stack_decoder")],
                  ["cross", say("mask_cross")],
              ]
            : [["self", say("stack_self")]];
        kind = select({
            name: say("which_attention"),
            key: "ak",
            among,
            value: among[0][0],
            changed: () => {
                depth();
                l.run();
            },
        });
        replace(kinds, kind.node);
        target.node.hidden = !pair;
        depth();
    };
    const depth = () => {
        const m = model(), n = kind.get() === "cross" || kind.get() === "decoder" ? m.decoder_layers : m.layers;
        layer = slider({ name: say("layer"), key: "al", min: 0, max: n - 1, value: 0, show: (v) => `${v + 1} / ${n}`, changed: l.run });
        replace(layers, layer.node);
    };
    void models().then((m) => {
        all = m;
        if (!all.length) return l.run();
        which = select({
            name: say("model"),
            key: "am",
            among: all.map((x) => [x.id, x.id] as const),
            value: all[0].id,
            changed: () => {
                set();
                l.run();
            },
        });
        set();
        l.controls.append(text.node, target.node, which.node, kinds, layers);
        l.run();
    });
}

/* ---- the logit lens ---- */

function lens(place: HTMLElement): void {
    let all: Model[] = [], which: Control<string>;
    const l = live(place, async (signal, output) => {
        if (!all.length) return replace(output, missing("decoder-only"));
        const m = all.find((x) => x.id === which.get()) ?? all[0];
        const t = await trace({ model: m.id, text: text.get(), lens: true, top: 1 }, signal);
        const tokens = t.decoder_tokens ?? t.tokens;
        const layers = [...(t.lens ?? [])].sort((a, b) => b.layer - a.layer);
        // The last layer's is what the model says.
        if (t.logits && layers[0]?.layer !== m.layers) layers.unshift({ layer: m.layers, positions: t.logits });
        const head: Child[] = [el("th", { scope: "col" }, say("layer")), ...tokens.map((x) => el("th", { scope: "col" }, read(x)))];
        const cell = (c: { token: string; text?: string; probability: number }): HTMLElement =>
            el("td", { style: { "background-color": `color-mix(in srgb, var(--accent) ${(38 * c.probability).toFixed(0)}%, transparent)` } }, read(c), el("small", {}, percent(c.probability)));
        replace(
            output,
            el(
                "div",
                { class: "wide tall", tabindex: "0", role: "group", "aria-label": say("lens") },
                el("table", { class: "lens" }, el("caption", { class: "small" }, say(m.paradigm === "encoder-only" ? "lens_caption_encoder" : "lens_caption")), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...layers.map((x) => el("tr", {}, el("th", { scope: "row" }, x.layer === 0 ? say("embedding") : x.layer), ...x.positions.map((p) => cell(p[0])))))),
            ),
        );
    });
    const text = textField({ name: say("sentence"), key: "lt", value: "The capital of France is", max: 120, changed: l.run });
    void models().then((m) => {
        all = m.filter((x) => x.paradigm !== "encoder-decoder" && x.tasks.some((t) => t === "text-generation" || t === "fill-mask"));
        if (all.length) {
            which = select({ name: say("model"), key: "lm", among: all.map((x) => [x.id, x.id] as const), value: all[0].id, changed: l.run });
            l.controls.append(text.node, which.node);
        }
        l.run();
    });
}

export const playground: Section = { id: "playground", texts: { en, zh }, demos: { tasks, chat, explorer, lens } };
