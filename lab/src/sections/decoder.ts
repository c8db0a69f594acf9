// decoder.ts - part 3, decoder-only: a token at a time, what could come next, what temperature and the filters make of it, and what
// the cache takes.
import { button, select, slider, textField, type Control } from "../controls";
import { el, replace } from "../dom";
import { ask, of, trace, type Chance, type Model, type Token } from "../engine";
import { fact, facts, live, Missing } from "../live";
import { bars, read } from "../pictures/bars";
import { picture } from "../pictures/picture";
import { filtered } from "../sums";
import { bytes, percent, say } from "../words";

const TOP = 100; // likeliest tokens that the page is told
const BARS = 10;

// Keys and values of one token in f16: 2 (K and V) x layers x kv heads x width of a head x 2 bytes.
export const cacheBytes = (m: Model): number => 2 * m.layers * m.kv_heads * headWidth(m) * 2;
export const headWidth = (m: Model): number => m.d_head;

export function steps(place: HTMLElement): void {
    let added: Chance[] = []; // what was chosen so far
    let draws = 0;
    let models: Model[] = [], which: Control<string> | null = null;
    const model = () => models.find((m) => m.id === which?.get()) ?? models[0];
    const start = () => {
        ended.replaceChildren();
        added = [];
        draws = 0;
        l.run();
    };
    const l = live(place, async (signal, output) => {
        if (!models.length) {
            models = await of("decoder-only");
            if (!models.length) throw new Missing("decoder-only");
            if (models.length > 1) {
                which = select({ name: say("model"), key: "writer", among: models.map((m) => [m.id, m.id] as const), value: models[0].id, changed: start });
                l.controls.prepend(which.node);
            }
        }
        const m = model();
        const { tokens } = await ask<{ tokens: Token[] }>("/tokenize", { model: m.id, text: text.get(), add_special: true }, signal);
        const ids = [...tokens.map((t) => t.id), ...added.map((t) => t.id)];
        if (!ids.length) return replace(output);
        const t = await trace({ model: m.id, tokens: ids, top: TOP }, signal);
        const next = t.logits![t.logits!.length - 1];
        const draw = () => {
            const now = filtered(next.map((c) => c.logit), temperature.get(), topK.get(), topP.get());
            const take = (c: Chance) => {
                added.push(c);
                l.run();
            };
            const kept = now.filter((c) => c.kept).length;
            const held = output.contains(document.activeElement) ? document.activeElement?.textContent : null;
            replace(
                output,
                el(
                    "ul",
                    { class: "tokens", "aria-label": say("text_so_far") },
                    ...tokens.map((x) => el("li", {}, el("span", { class: `chip${x.special ? " special" : ""}` }, read(x)))),
                    ...added.map((x) => el("li", {}, el("span", { class: "chip new" }, read(x)))),
                ),
                picture(
                    say("next_title", { model: m.id, n: ids.length }),
                    bars(next.slice(0, BARS).map((c, i) => ({ label: read(c), value: now[i].p, faded: !now[i].kept, pressed: () => take(c) })), "--decoder"),
                    () => ({
                        columns: [say("token"), say("logit"), say("probability_at_1"), say("probability_now")],
                        rows: next.slice(0, 40).map((c, i) => [read(c), c.logit.toFixed(3), percent(c.probability), now[i].kept ? percent(now[i].p) : "0"]),
                    }),
                ),
                el(
                    "div",
                    { class: "buttons" },
                    button(say("take_best"), () => take(next[0]), "main"),
                    button(say("draw"), () => void drawOne(m, ids, next, take).catch(() => l.run())),
                    button(say("take_back"), () => {
                        added.pop();
                        l.run();
                    }),
                    button(say("restart"), start),
                ),
                facts(
                    fact(say("can_be_drawn"), kept >= next.length ? say("at_least", { n: kept }) : kept),
                    fact(say("cache_now"), `${ids.length} × ${bytes(cacheBytes(m))} = ${bytes(ids.length * cacheBytes(m))}`),
                ),
            );
            if (held) [...output.querySelectorAll("button")].find((b) => b.textContent === held)?.focus();
        };
        redraw = draw;
        draw();
    });
    let redraw = () => {};
    // The draw itself is the engine's sampler, with the reader's settings and a seed of its own for each draw.
    const drawOne = async (m: Model, ids: number[], next: Chance[], take: (c: Chance) => void) => {
        const said = await ask<{ choices: { logprobs: { tokens: string[] } }[] }>("/v1/completions", {
            model: m.id,
            prompt: ids,
            max_tokens: 1,
            temperature: temperature.get(),
            top_k: topK.get(),
            top_p: topP.get(),
            seed: ++draws * 7919 + ids.length,
            logprobs: 1,
        });
        const [drawn] = said.choices[0].logprobs.tokens;
        if (drawn === undefined) return void ended.replaceChildren(say("model_ends"));
        const known = next.find((c) => c.text === drawn);
        if (known) return take(known);
        const { tokens } = await ask<{ tokens: Token[] }>("/tokenize", { model: m.id, text: drawn, add_special: false });
        if (tokens[0]) take({ ...tokens[0], logit: 0, probability: 0 });
    };
    const ended = el("p", { class: "status", role: "status" });
    place.append(ended);
    const text = textField({ name: say("beginning"), key: "begin", value: "The capital of France is", changed: start });
    const temperature = slider({ name: say("temperature"), key: "temp", min: 0, max: 2, step: 0.05, value: 0.8, show: (v) => v.toFixed(2), changed: () => redraw() });
    const topK = slider({ name: "top-k", key: "k", min: 0, max: 100, value: 40, show: (v) => (v ? String(v) : say("off")), changed: () => redraw() });
    const topP = slider({ name: "top-p", key: "p", min: 0.05, max: 1, step: 0.05, value: 0.95, show: (v) => v.toFixed(2), changed: () => redraw() });
    l.controls.append(text.node, temperature.node, topK.node, topP.node);
    l.run();
}
