// one_model.ts - part 1: the reader's sentence, and what each paradigm does with it, side by side.
import { button, textField } from "../controls";
import { el, replace } from "../dom";
import { able, EngineError, models, of, stream, task, type Model } from "../engine";
import { live, missing, trouble } from "../live";
import { bars, shown } from "../pictures/bars";
import { about, listed, say } from "../words";
import { fill, gaps, hide, maskOf, withGap, words } from "./masking";
import type { Section } from "./section";
import en from "../../text/en/one_model.md?raw";
import zh from "../../text/zh/one_model.md?raw";

const MOST_GAPS = 3; // that are shown
const SENTENCE = "The cat is on the table.";

interface Column {
    node: HTMLElement;
    body: HTMLElement;
}

function column(look: "encoder" | "decoder" | "pair", title: string, sees: string): Column {
    const body = el("div");
    return { node: el("section", { class: `column ${look}` }, el("h3", {}, title), el("p", { class: "small" }, sees), body), body };
}

// Vectors of the sentence and of three others; how near they lie.
async function compare(m: Model, text: string, signal: AbortSignal, into: HTMLElement): Promise<void> {
    const others = [say("near_1"), say("near_2"), say("near_3")];
    const vectors = await task<number[][]>("feature-extraction", m.id, [text, ...others], {}, signal);
    const flat = vectors.map((v) => v as unknown as number[]);
    const norm = (v: number[]) => Math.sqrt(v.reduce((s, x) => s + x * x, 0));
    const near = others.map((o, i) => ({ label: o, value: flat[0].reduce((s, x, c) => s + x * flat[i + 1][c], 0) / (norm(flat[0]) * norm(flat[i + 1])) }));
    replace(
        into,
        el("p", {}, say("encoder_vector", { model: m.id, d: flat[0].length })),
        el("ul", { class: "plain" }, ...near.sort((a, b) => b.value - a.value).map((x) => el("li", {}, el("code", {}, x.value.toFixed(2)), " ", x.label))),
    );
}

async function encode(text: string, signal: AbortSignal, into: HTMLElement): Promise<void> {
    const [filler] = await able("fill-mask");
    if (filler) {
        // The last word is hidden, unless the reader has left a gap.
        const mask = maskOf(filler), all = await words(filler, text, signal);
        const masked = all.length && !gaps(text, mask) ? hide(text, all[all.length - 1], mask) : withGap(text, mask);
        const found = (await fill(filler, masked, 5, signal)).slice(0, MOST_GAPS);
        replace(
            into,
            el("p", {}, say("encoder_fills", { model: filler.id })),
            el("p", { class: "answer" }, masked),
            ...found.flatMap((g, i) => [found.length > 1 && el("p", { class: "small" }, say("gap_n", { n: i + 1 })), bars(g.map((c) => ({ label: shown(c.token_str), value: c.score })), "--encoder")]),
        );
        return;
    }
    const readers = await able("feature-extraction"), encoder = readers.find((m) => m.paradigm === "encoder-only");
    const reader = encoder ?? readers.find((m) => m.paradigm === "encoder-decoder");
    if (!reader) return replace(into, missing("encoder-only"));
    await compare(reader, text, signal, into);
    if (!encoder) into.append(el("p", { class: "small" }, say("encoder_half", { model: reader.id })));
}

interface Chunk {
    choices: { text: string }[];
}

async function write(text: string, signal: AbortSignal, into: HTMLElement): Promise<void> {
    const [m] = await of("decoder-only");
    if (!m) return replace(into, missing("decoder-only"));
    const out = el("span", { class: "new-text" });
    replace(into, el("p", {}, say("decoder_goes_on", { model: m.id })), el("p", { class: "answer" }, text, out));
    for await (const c of stream<Chunk>("/v1/completions", { model: m.id, prompt: text, max_tokens: 16, temperature: 0, stream: true }, signal)) out.append(c.choices[0]?.text ?? "");
}

async function translate(text: string, signal: AbortSignal, into: HTMLElement): Promise<void> {
    const [m] = (await able("translation")).filter((x) => x.paradigm === "encoder-decoder");
    if (!m) return replace(into, missing("encoder-decoder"));
    const [said] = await task<{ translation_text: string }[]>("translation", m.id, text, { src_lang: "en", tgt_lang: "de", num_beams: 4 }, signal);
    replace(into, el("p", {}, say("pair_translates", { model: m.id })), el("p", { class: "answer", lang: "de" }, said.translation_text));
}

function side_by_side(place: HTMLElement): void {
    const columns = [column("encoder", say("encoder-only"), say("sees_all")), column("decoder", say("decoder-only"), say("sees_past")), column("pair", say("encoder-decoder"), say("sees_both"))];
    const l = live(place, async (signal, output) => {
        const t = text.get().trim() || SENTENCE;
        replace(output, el("div", { class: "columns" }, ...columns.map((c) => c.node)));
        await models();
        // What one model refuses, another may take.
        const each = async (work: Promise<void>, into: HTMLElement) => {
            try {
                await work;
            } catch (e) {
                if (!(e instanceof EngineError)) throw e;
                replace(into, el("p", { class: "note" }, trouble(e)));
            }
        };
        await Promise.all([encode, write, translate].map((f, i) => each(f(t, signal, columns[i].body), columns[i].body)));
    });
    const text = textField({ name: say("sentence"), key: "text", value: SENTENCE, max: 120, changed: l.run });
    l.controls.append(text.node, button(say("run"), l.run, "main"));
    l.run();
}

function loaded(place: HTMLElement): void {
    const l = live(place, async (_signal, output) => {
        const all = await models();
        if (!all.length) return replace(output, missing("encoder-decoder"));
        replace(
            output,
            el(
                "div",
                { class: "wide", tabindex: "0", role: "group", "aria-label": say("loaded") },
                el(
                    "table",
                    {},
                    el("thead", {}, el("tr", {}, ...["model", "kind", "parameters", "layers_n", "tasks"].map((w) => el("th", { scope: "col" }, say(w as "model"))))),
                    el(
                        "tbody",
                        {},
                        ...all.map((m) =>
                            el(
                                "tr",
                                {},
                                el("th", { scope: "row" }, m.id),
                                el("td", {}, say(m.paradigm)),
                                el("td", {}, about(m.parameters)),
                                el("td", {}, m.paradigm === "encoder-decoder" ? `${m.layers} + ${m.decoder_layers}` : m.layers),
                                el("td", {}, listed(m.tasks.map((t) => say(t)))),
                            ),
                        ),
                    ),
                ),
            ),
        );
    });
    l.run();
}

export const oneModel: Section = { id: "one_model", texts: { en, zh }, demos: { side_by_side, loaded } };
