// decoder.ts - part 3, decoder-only: a token at a time, what could come next, what temperature and the filters make of it, and what
// the cache takes.
import { button, select, slider, textField, type Control } from "../controls";
import { el, replace } from "../dom";
import { ask, of, trace, type Chance, type Model, type Token } from "../engine";
import { fact, facts, live, Missing } from "../live";
import { bars, read } from "../pictures/bars";
import { picture } from "../pictures/picture";
import { drawn } from "../sums";
import { bytes, percent, say, whole } from "../words";

const TOP = 100; // likeliest tokens that the page is told by name; of the others it knows the logits
const BARS = 10;

// Keys and values of one token in f16: 2 (K and V) x layers x kv heads x width of a head x 2 bytes.
export const cacheBytes = (m: Model): number => 2 * m.layers * m.kv_heads * headWidth(m) * 2;
export const headWidth = (m: Model): number => m.d_head;

export function steps(place: HTMLElement): void {
    let added: Chance[] = []; // what was chosen so far
    let draws = 0, texts = 0; // texts: begun so far
    let held: string | null = null; // the button that has the focus, while it is made anew
    let busy = false; // a token is being added or drawn
    let models: Model[] = [], which: Control<string> | null = null;
    const model = () => models.find((m) => m.id === which?.get()) ?? models[0];
    const start = () => {
        ended.replaceChildren();
        added = [];
        draws = 0;
        texts++;
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
        const t = await trace({ model: m.id, tokens: ids, top: TOP, spread: true }, signal);
        const next = t.logits![t.logits!.length - 1];
        const draw = () => {
            const now = drawn(t.spread!, temperature.get(), topK.get(), topP.get());
            // What is shown belongs to the text as it stands: until the answer to a longer one is there, no second token is taken from it.
            const hold = (on: boolean) => {
                busy = on;
                output.querySelectorAll("button").forEach((b) => (b.disabled = on));
            };
            const go = (change: () => void, back: () => void = () => {}) => {
                held = document.activeElement?.textContent ?? null;
                hold(true);
                change();
                l.run();
                void l.settled().then(() => {
                    if (place.dataset.state !== "failed") return;
                    back(); // refused: the text stays as it was
                    hold(false);
                });
            };
            const take = (c: Chance) =>
                go(
                    () => added.push(c),
                    () => (added = added.filter((x) => x !== c)),
                );
            if (output.contains(document.activeElement)) held = document.activeElement?.textContent ?? null;
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
                    bars(next.slice(0, BARS).map((c, i) => ({ label: read(c), value: now.beside(i), faded: i >= now.kept, beside: percent(now.share(i)), pressed: () => take(c) })), "--decoder"),
                    () => ({
                        columns: [say("token"), say("logit"), say("probability_at_1"), say("probability_now")],
                        rows: next.slice(0, 40).map((c, i) => [read(c), c.logit.toFixed(3), percent(c.probability), percent(now.share(i))]),
                    }),
                ),
                el(
                    "div",
                    { class: "buttons" },
                    button(say("take_best"), () => take(next[0]), "main"),
                    button(say("draw"), () => {
                        const of = texts;
                        held = say("draw");
                        hold(true);
                        // Of a text that was begun anew meanwhile this is no next token.
                        void drawOne(m, ids, next, (c) => of === texts && take(c)).catch(() => l.run()).finally(() => place.dataset.state !== "busy" && hold(false));
                    }),
                    button(say("take_back"), () => go(() => added.pop())),
                    button(say("restart"), start),
                ),
                facts(
                    fact(say("can_be_drawn"), whole(now.kept)),
                    fact(say("cache_now"), `${ids.length} × ${bytes(cacheBytes(m))} = ${bytes(ids.length * cacheBytes(m))}`),
                ),
            );
            if (busy) hold(true);
            if (held && !busy) [...output.querySelectorAll("button")].find((b) => b.textContent === held)?.focus();
            if (!busy) held = null;
        };
        redraw = draw;
        busy = false;
        draw();
    });
    let redraw = () => {};
    // The draw itself is the engine's sampler, with the reader's settings and a seed of its own for each draw.
    const drawOne = async (m: Model, ids: number[], next: Chance[], take: (c: Chance) => void) => {
        const said = await ask<{ choices: { logprobs: { tokens: string[]; token_logprobs: number[] } }[] }>("/v1/completions", {
            model: m.id,
            prompt: ids,
            max_tokens: 1,
            temperature: temperature.get(),
            top_k: topK.get(),
            top_p: topP.get(),
            min_p: 0,
            seed: ++draws * 7919 + ids.length,
            logprobs: 1,
        });
        const { tokens: [one], token_logprobs: [log] } = said.choices[0].logprobs;
        if (one === undefined) return void ended.replaceChildren(say("model_ends"));
        // Told is what a token reads as, or its piece where that is no text; tokens may read the same, and the probability tells which it was.
        const off = (c: Chance) => Math.abs(Math.log(c.probability) - log), [known] = next.filter((c) => c.text === one || c.token === one).sort((a, b) => off(a) - off(b));
        if (known) return take(known);
        const { tokens } = await ask<{ tokens: Token[] }>("/tokenize", { model: m.id, text: one, add_special: false });
        const found = tokens.find((x) => x.text === one || x.token === one);
        if (found) take({ ...found, logit: 0, probability: 0 });
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
