// encoder.ts - part 3, encoder-only: a word hidden and guessed; a text's mood; its names.
import { select, textField, type Control } from "../controls";
import { append, el, replace } from "../dom";
import { able, task, type Model, type Task } from "../engine";
import { live, Missing, type Live } from "../live";
import { bars, shown } from "../pictures/bars";
import { picture } from "../pictures/picture";
import * as state from "../state";
import { percent, say } from "../words";
import { fill, gaps, hide, maskOf, withGap, words, type Word } from "./masking";

async function first(l: Live, what: Task, key: string): Promise<() => Model> {
    const all = await able(what);
    if (!all.length) throw new Missing(what);
    if (all.length === 1) return () => all[0];
    let which: Control<string> | null = null;
    which = select({ name: say("model"), key, among: all.map((m) => [m.id, m.id] as const), value: all[0].id, changed: l.run });
    l.controls.append(which.node);
    return () => all.find((m) => m.id === which!.get()) ?? all[0];
}

export function mask(place: HTMLElement): void {
    let chosen = state.number("word", -1, -1, 99);
    let model: Promise<() => Model> | null = null;
    const l = live(place, async (signal, output) => {
        model ??= first(l, "fill-mask", "fill");
        const m = (await model)(), t = text.get();
        const all = await words(m, t, signal), gap = maskOf(m);
        if (!t.trim()) return replace(output, el("p", { class: "note" }, say("empty_text")));
        // Of a text without words the gap that it has is filled, or one at its end; gaps of the reader's own stay beside the word that is hidden.
        if (chosen < 0 || chosen >= all.length) chosen = Math.min(all.length - 1, Math.floor(all.length / 2));
        const word: Word | undefined = all[chosen], masked = word ? hide(t, word, gap) : withGap(t, gap);
        const choices = (await fill(m, masked, 8, signal))[word ? gaps(t, gap, word.start) : 0];
        const original = word ? word.text : gap;
        const list = el(
            "ul",
            { class: "tokens", "aria-label": say("click_word") },
            ...all.map((w, i) =>
                el(
                    "li",
                    {},
                    el(
                        "button",
                        {
                            type: "button",
                            "aria-pressed": i === chosen ? "true" : "false",
                            onclick: () => {
                                chosen = i;
                                state.set({ word: String(i) });
                                l.run();
                            },
                        },
                        i === chosen ? gap : w.text,
                    ),
                ),
            ),
        );
        // The list is made anew: who pressed a word stays on it.
        const held = output.contains(document.activeElement);
        replace(
            output,
            word ? list : el("p", { class: "answer" }, masked),
            picture(
                say("fill_title", { model: m.id, word: original }),
                bars(
                    choices.map((c) => ({ label: shown(c.token_str), value: c.score, marked: c.token_str.trim().toLowerCase() === original.toLowerCase() })),
                    "--encoder",
                ),
                () => ({ columns: [say("token"), say("probability")], rows: choices.map((c) => [c.token_str, c.score.toFixed(5)]) }),
            ),
        );
        if (held) list.querySelectorAll("button")[chosen]?.focus();
    });
    const text = textField({
        name: say("sentence"),
        key: "masked",
        value: "The doctor went home because she was tired.",
        changed: () => {
            chosen = -1;
            l.run();
        },
    });
    l.controls.append(text.node);
    l.run();
}

export function sentiment(place: HTMLElement): void {
    let model: Promise<() => Model> | null = null;
    const l = live(place, async (signal, output) => {
        model ??= first(l, "text-classification", "classifier");
        const m = (await model)();
        const labels = await task<{ label: string; score: number }[]>("text-classification", m.id, text.get(), {}, signal);
        replace(
            output,
            picture(say("labels_title", { model: m.id }), bars(labels.map((x) => ({ label: x.label, value: x.score })), "--encoder"), () => ({
                columns: [say("label"), say("probability")],
                rows: labels.map((x) => [x.label, x.score.toFixed(5)]),
            })),
        );
    });
    const text = textField({ name: say("sentence"), key: "mood", value: "A quiet film, and I could not look away.", changed: l.run });
    l.controls.append(text.node);
    l.run();
}

interface Entity {
    entity_group: string;
    score: number;
    word: string;
    start: number; // characters
    end: number;
}

export function entities(place: HTMLElement): void {
    let model: Promise<() => Model> | null = null;
    const l = live(place, async (signal, output) => {
        model ??= first(l, "token-classification", "tagger");
        const m = (await model)(), t = text.get();
        const found = await task<Entity[]>("token-classification", m.id, t, {}, signal);
        const points = [...t];
        const line = el("p", { class: "answer" });
        let at = 0;
        for (const e of found) {
            append(line, [points.slice(at, e.start).join(""), el("span", { class: "entity" }, points.slice(e.start, e.end).join(""), el("small", {}, e.entity_group))]);
            at = e.end;
        }
        line.append(points.slice(at).join(""));
        replace(
            output,
            picture(say("entities_title", { model: m.id }), line, () => ({
                columns: [say("word"), say("kind"), say("place"), say("probability")],
                rows: found.map((e) => [e.word, e.entity_group, `${e.start}–${e.end}`, percent(e.score)]),
            })),
        );
    });
    const text = textField({ name: say("sentence"), key: "names", value: "Ada Lovelace wrote to Charles Babbage in London.", changed: l.run });
    l.controls.append(text.node);
    l.run();
}
