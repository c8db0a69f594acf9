// challenge.ts - part 8: the reader sets up an experiment, predicts, runs it, is graded by what was measured, and only then reads the
// model solution, each of its claims beside what the reader's own run says of it.
import { button, choice, numberField, select, type Control } from "../controls";
import { console_ } from "../console";
import { el, replace, type Child } from "../dom";
import { ask, EngineError, Gone } from "../engine";
import { caches, claimsLong, claimsScaling, gradeLong, gradeScaling, heldOut, largest, lostFacts, measuredAt, verdict, type Claim, type Long, type Lost, type Row, type LongPrediction, type Rung, type Scaling, type ScalingPrediction, type Setup, type Side } from "../grade";
import { GIB, type Plan } from "../plan";
import { tableOf } from "../pictures/picture";
import { list, numbersOf, open, type Experiment, type Listed, type Past, type RunState, type Settings } from "../runs";
import * as state from "../state";
import { inline } from "../text";
import { bytes, language, percent, say, short, whole, type Word } from "../words";
import type { Section } from "./section";
import en from "../../text/en/challenge.md?raw";
import zh from "../../text/zh/challenge.md?raw";

const CONTEXTS = [150, 400, 1000, 4000, 16000, 50000, 100000], CACHES = ["f32", "f16", "bf16", "q8_0", "q4_0"], BUDGETS = [4, 8, 16, 24, 48, 80];
const WEIGHTS = "q8_0", SUMMARY = 256; // tokens that are to be written
// Published models, by the planner's names: the one that step 1 plans, and those that step 2 chooses from.
const DEPLOYED: Record<Side, string> = { decoder: "llama-3.1-8b", "encoder-decoder": "flan-t5-xxl" };
const SIZES: Record<Side, string[]> = { decoder: ["llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", "llama-3.1-70b"], "encoder-decoder": ["flan-t5-base", "flan-t5-large", "flan-t5-xl", "flan-t5-xxl"] };

const pairs = <T extends string>(list: readonly T[], name: (t: T) => string = (t) => t): (readonly [T, string])[] => list.map((t) => [t, name(t)] as const);
const sideName = (s: string): string => say(s === "decoder" ? "decoder-only" : (s as Word));
const unset = "" as never; // a choice that is not made yet

async function plan(model: string, s: Setup): Promise<Plan> {
    const request = { model, weights: WEIGHTS, cache_type: s.cache, memory: s.budget * GIB };
    const pair = !model.startsWith("llama");
    return ask<Plan>("/plan", pair ? { ...request, contexts: [SUMMARY], source_context: s.context } : { ...request, contexts: [s.context + SUMMARY] });
}

/* ---- what both steps share ---- */

interface Predictions<P> {
    nodes: HTMLElement[];
    given: () => boolean[];
    get: () => P; // when all are given
    set: (p: P) => void;
    redraw: () => void; // after another setup
}

// What a run is graded by: fixed when it begins, for the terminal shows the answers.
interface Fixed<P> {
    setup: Setup;
    predictions: P;
}
interface Begun<P> extends Fixed<P> {
    id: number; // the run's
    at: number; // ms, the browser's clock
    extra: string;
}

interface Graded {
    rows: Row[];
    words: Record<string, (v: string | number) => string>; // how a row's values read
    claims: Claim[];
    before: Child[]; // between the grade and the solution
    conclusion: string;
}

interface StepOptions<P> {
    key: string;
    experiment: Experiment;
    extra: (changed: () => void) => { control: Control<string>; key: string; settings: (s: Setup) => Settings };
    note: (s: Setup) => Word;
    predictions: (s: () => Setup, changed: () => void) => Predictions<P>;
    grade: (html: string, s: Setup, p: P) => Promise<Graded>;
    adopt: (html: string, set: { context: Control<string> }) => boolean; // a run of the record: sets what it was run with; false: it is no such run
}

function setupControls(key: string, changed: () => void): { nodes: HTMLElement[]; get: () => Setup; set: (s: Setup) => void; context: Control<string> } {
    const paradigm = choice<Side>({ name: say("ch_paradigm"), key: `${key}p`, among: pairs(["decoder", "encoder-decoder"] as const, sideName), value: "decoder", changed });
    const context = select<string>({ name: say("context"), key: `${key}c`, among: pairs(CONTEXTS.map(String), (n) => (Number(n) > 16000 ? say("ch_takes_long", { n: whole(Number(n)) }) : whole(Number(n)))), value: "4000", changed });
    const cache = select<string>({ name: say("cache_type"), key: `${key}t`, among: pairs(CACHES), value: "f16", changed });
    const budget = select<string>({ name: say("ch_budget"), key: `${key}m`, among: pairs(BUDGETS.map(String), (g) => `${g} GiB`), value: "16", changed });
    return {
        nodes: [paradigm.node, context.node, cache.node, budget.node],
        get: () => ({ paradigm: paradigm.get(), context: Number(context.get()), cache: cache.get(), budget: Number(budget.get()) }),
        set: (s) => {
            paradigm.set(s.paradigm);
            context.set(String(s.context));
            cache.set(s.cache);
            budget.set(String(s.budget));
            state.set({ [`${key}p`]: s.paradigm, [`${key}c`]: String(s.context), [`${key}t`]: s.cache, [`${key}m`]: String(s.budget) });
        },
        context,
    };
}

// Sets a control, and the address with it.
function put<T>(c: Control<T>, key: string, value: T): void {
    c.set(value);
    state.set({ [key]: String(value ?? "") });
}

function gradeTable(g: Graded): HTMLElement {
    const head = [say("ch_prediction"), say("ch_yours"), say("ch_measured"), say("ch_mark")];
    return el(
        "div",
        { class: "wide", tabindex: "0", role: "group", "aria-label": say("ch_grade") },
        el(
            "table",
            { class: "grade" },
            el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))),
            el("tbody", {}, ...g.rows.map((r) => el("tr", { "data-row": r.id, "data-mark": r.mark }, el("th", { scope: "row" }, say(`ch_q_${r.id}` as Word)), el("td", {}, g.words[r.id](r.yours)), el("td", {}, g.words[r.id](r.measured)), el("td", { class: "mark" }, say(`ch_${r.mark}` as Word))))),
        ),
    );
}

function solution(g: Graded): HTMLElement {
    const v = verdict(g.claims);
    return el(
        "div",
        { class: "solution" },
        el("h4", {}, say("ch_solution")),
        el("p", { class: "verdict-line", "data-supports": v.supports, "data-contradicts": v.contradicts, "data-open": v.open }, say("ch_verdict", { all: g.claims.length, ...v })),
        el(
            "ol",
            { class: "claims" },
            ...g.claims.map((c) =>
                el(
                    "li",
                    { "data-claim": c.id, "data-weight": c.weight },
                    el("div", { class: "two" }, el("p", {}, ...inline(say(`ch_claim_${c.id}` as Word))), el("p", { class: "evidence" }, el("b", {}, say(`ch_${c.weight}` as Word)), " ", say(`ch_evidence_${c.id}` as Word, told(c)), c.weight !== "supports" && el("span", { class: "why" }, " ", ...inline(say(`ch_why_${c.id}` as Word))))),
                ),
            ),
        ),
        el("p", {}, g.conclusion),
    );
}

// A claim's numbers as they are read.
function told(c: Claim): Record<string, string> {
    const out: Record<string, string> = {};
    const isBytes = c.id === "memory" || c.id === "tiles" || c.id === "type", isShare = c.id === "ability";
    for (const [k, v] of Object.entries(c.values)) {
        if (typeof v === "string") out[k] = k === "known" ? say(`ch_${v}` as Word) : v;
        else if (k === "n" || k === "parameters" || k === "tokens") out[k] = whole(v);
        else if (k === "ratio" || k === "times") out[k] = v < 100 ? v.toFixed(1) : whole(v);
        else if (k === "miss" || k === "recall" || k === "before" || isShare) out[k] = percent(v);
        else out[k] = isBytes ? bytes(v) : short(v);
    }
    return out;
}

// A run that began at `at` by this browser's clock, as the server counts it. Numbers of runs begin anew with each server.
const MOST_APART = 15000; // ms
const isOf = (b: Begun<unknown> | null, run: RunState): boolean => !!b && b.id === run.id && Math.abs(Date.now() - 1000 * run.seconds - b.at) < MOST_APART;

function step<P>(place: HTMLElement, o: StepOptions<P>): void {
    const output = el("div", { class: "output", "aria-live": "polite" }), past = el("div", { class: "past-choice" }), left = el("p", { class: "small", role: "status" }), note = el("p", { class: "small" });
    const changed = () => {
        predictions.redraw();
        ready();
    };
    const setup = setupControls(o.key, changed), extra = o.extra(changed), predictions = o.predictions(setup.get, () => ready());
    let fixed: Fixed<P> | null = null, running = false;
    const ready = () => {
        const given = predictions.given(), missing = given.filter((g) => !g).length;
        left.textContent = running ? say("ch_fixed") : missing ? say("ch_left", { n: missing, all: given.length }) : say("ch_ready");
        replace(note, ...inline(say(o.note(setup.get()))));
        c?.allow(!missing);
        past.querySelectorAll("button").forEach((b) => (b.disabled = running || missing > 0));
    };
    const fix = (): Fixed<P> | null => (predictions.given().every(Boolean) ? { setup: setup.get(), predictions: predictions.get() } : null);
    // While a run is on, neither its setup nor what was predicted of it can be changed.
    const hold = (on: boolean) => {
        running = on;
        for (const node of [...setup.nodes, extra.control.node, ...predictions.nodes]) node.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select").forEach((x) => (x.disabled = on));
        ready();
    };
    const grade = async (html: string, by: Fixed<P>) => {
        try {
            const g = await o.grade(html, by.setup, by.predictions);
            const right = g.rows.filter((r) => r.mark === "right").length;
            replace(output, el("p", { class: "progress" }, say("ch_score", { right, near: g.rows.filter((r) => r.mark === "near").length, all: g.rows.length })), gradeTable(g), ...g.before, solution(g));
            place.dataset.graded = "yes";
        } catch (e) {
            replace(output, el("p", { class: "status" }, e instanceof EngineError ? say("refused", { message: e.message }) : e instanceof Gone ? say("gone_short") : say("ch_no_numbers")));
        }
    };
    const heading = (n: number, word: Word) => el("h3", {}, `${n}. ${say(word)}`);
    place.append(heading(1, "ch_set_up"), el("div", { class: "controls" }, ...setup.nodes, extra.control.node), note, heading(2, "ch_predict"), el("div", { class: "predictions" }, ...predictions.nodes), left, heading(3, "ch_run"));
    const buttons = el("div", { class: "controls" });
    place.append(buttons);
    const kept = `challenge.${o.key}`;
    const c = console_(place, {
        asked: () => {
            const s = setup.get();
            fixed = fix();
            hold(true);
            return { experiment: o.experiment, settings: extra.settings(s) };
        },
        began: (id) => {
            if (fixed) state.keep(kept, { ...fixed, id, at: Date.now(), extra: extra.control.get() });
            replace(output);
        },
        idle: () => hold(false),
        ended: (s, html) => {
            if (!html) c.tell(say("ch_no_end", { exit: s.exit ?? 0 }));
            else if (fixed) void grade(html, fixed).then(recall);
            else {
                c.tell(say("ch_unpredicted"));
                void recall().catch(() => {});
            }
        },
    });
    buttons.append(c.buttons);
    place.append(past, heading(4, "ch_grade"), output);
    replace(output, el("p", { class: "small" }, say("ch_not_yet")));
    // Runs of the record, the newest first: graded without being run again; the last graded one is in the address.
    const adopt = async (p: Past) => {
        const { html } = await open(p.id);
        if (!o.adopt(html, setup)) return void c.tell(say("ch_other_run"));
        changed();
        const by = fix();
        if (!by) return;
        state.set({ [`${o.key}r`]: String(p.id) });
        await grade(html, by);
    };
    const recall = async (): Promise<Listed> => {
        const all = await list(), there = all.record.filter((p) => p.experiment === o.experiment).slice(0, 4);
        replace(past, there.length > 0 && el("p", { class: "small" }, say("ch_from_record")), there.length > 0 && el("ul", { class: "tokens" }, ...there.map((p) => el("li", {}, button(`${p.id}: ${new Date(p.ended).toLocaleString(language() === "zh" ? "zh-CN" : "en-US", { dateStyle: "medium", timeStyle: "short" })}`, () => void adopt(p).catch(() => c.tell(say("gone_short"))))))));
        ready();
        return all;
    };
    void recall().then(
        async ({ runs, record }) => {
            // A run that another page began: it is seen and stopped from here too, and graded by what was predicted when it began.
            const last = runs[runs.length - 1];
            if (last?.status === "running" && last.experiment === o.experiment) {
                const begun = state.kept<Begun<P> | null>(kept, null);
                if (begun && isOf(begun, last)) {
                    setup.set(begun.setup);
                    put(extra.control, extra.key, begun.extra);
                    predictions.redraw();
                    predictions.set(begun.predictions);
                    fixed = begun;
                } else fixed = null;
                hold(true);
                return c.attach(last.id);
            }
            const past = record.find((p) => p.experiment === o.experiment && String(p.id) === state.text(`${o.key}r`, ""));
            if (past && predictions.given().every(Boolean)) await adopt(past);
        },
        () => {},
    );
    ready();
}

/* ---- step 1: the bottleneck ---- */

const TRAININGS = ["300000", "3200000", "24000000"] as const;

function lostBlock(lost: Lost[], d: Long, cache: string): Child[] {
    const recall = (["decoder", "encoder-decoder"] as const).map((s) => [sideName(s), ...Object.values(d[s].cache_types[cache].recall).map((x) => percent(x))]);
    return [
        el("h4", {}, say("ch_facts")),
        lost.length
            ? el("ul", { class: "lost" }, ...lost.map((l) => el("li", { "data-lost": `${l.side}-${l.place}` }, say("ch_lost", { side: sideName(l.side), place: say(`ch_${l.place}` as Word), planted: l.planted, said: l.said }))))
            : el("p", {}, say("ch_none_lost")),
        tableOf({ columns: [say("ch_recall"), say("ch_beginning"), say("ch_middle"), say("ch_end")], rows: recall }, say("ch_recall_all")),
    ];
}

function bottleneck(place: HTMLElement): void {
    const read = (html: string): Long => {
        const d = numbersOf<Long>(html);
        if (!d?.lengths) throw new Error("not a run on long documents");
        return d;
    };
    let first: Control<Side | "equal">, again: Control<number | null>, cache: Control<number | null>, lost: Control<string>, fits: Control<"yes" | "no">;
    step<LongPrediction>(place, {
        key: "a",
        experiment: "long-document",
        note: (s) => (s.paradigm === "decoder" ? "ch_note_decoder" : "ch_note_pair"),
        extra: (changed) => {
            const training = select<string>({ name: say("ch_training"), key: "an", among: pairs(TRAININGS, (t) => say(`ch_training_${t}` as Word)), value: "3200000", changed });
            return { control: training, key: "an", settings: (s) => ({ lengths: s.context > 150 ? [150, s.context] : [s.context], train_tokens: Number(training.get()) }) };
        },
        predictions: (s, changed) => {
            first = choice({ name: say("ch_ask_first"), key: "a1", among: pairs(["decoder", "encoder-decoder", "equal"] as const, (x) => (x === "equal" ? say("ch_equal") : sideName(x))), value: unset, changed });
            again = numberField({ name: say("ch_ask_again"), unit: say("ch_times"), key: "a2", min: 0.01, max: 1e5, changed });
            cache = numberField({ name: say("ch_ask_cache"), unit: "MiB", key: "a3", min: 0.001, max: 1e6, changed });
            lost = choice<string>({ name: say("ch_ask_lost"), key: "a4", among: pairs(["beginning", "middle", "end", "none"], (x) => say(`ch_${x}` as Word)), value: unset, changed });
            const slot = el("div");
            fits = choice({ name: "", key: "a5", among: pairs(["yes", "no"] as const, (x) => say(`ch_${x}` as Word)), value: unset, changed });
            const legend = fits.node.querySelector("legend")!;
            slot.append(fits.node);
            const redraw = () => (legend.textContent = say("ch_ask_fits", { model: DEPLOYED[s().paradigm], weights: WEIGHTS, n: whole(s().context), budget: s().budget }));
            redraw();
            const set = (p: LongPrediction) => {
                put(first, "a1", p.first);
                put(again, "a2", p.again);
                put(cache, "a3", p.cache);
                put(lost, "a4", p.lost);
                put(fits, "a5", p.fits);
            };
            return { nodes: [first.node, again.node, cache.node, lost.node, slot], given: () => [!!first.get(), again.get() !== null, cache.get() !== null, !!lost.get(), !!fits.get()], get: () => ({ first: first.get(), again: again.get()!, cache: cache.get()!, lost: lost.get() as LongPrediction["lost"], fits: fits.get() }), set, redraw };
        },
        adopt: (html, { context }) => {
            const d = read(html), n = String(d.lengths[measuredAt(d)]);
            if (!CONTEXTS.map(String).includes(n)) return false;
            context.set(n);
            state.set({ ac: n });
            return true;
        },
        grade: async (html, s, p) => {
            const d = read(html), planned = await plan(DEPLOYED[s.paradigm], s), at = planned.contexts[0];
            const rows = gradeLong(d, s, p, !at.impossible && at.fits);
            const mine = d[s.paradigm].cache_types[s.cache], claims = claimsLong(d, s), costs = claims.slice(0, 4), cheaper = (w: string) => costs.filter((c) => c.weight === w).length;
            const side = (v: string | number) => (v === "equal" ? say("ch_equal") : sideName(String(v)));
            return {
                rows,
                claims,
                words: {
                    first: side,
                    again: (v) => `${Number(Number(v).toPrecision(3))} ${say("ch_times")}`,
                    cache: (v) => `${Number(v).toPrecision(3)} MiB`,
                    lost: (v) => String(v).split("+").map((p) => say(`ch_${p}` as Word)).join(language() === "zh" ? "、" : ", "),
                    fits: (v) => say(`ch_${v}` as Word),
                },
                before: [
                    el("p", { class: "small" }, say("ch_session", { bytes: bytes(caches(mine)), n: whole(mine.tokens) })),
                    el("p", { class: "small" }, at.impossible ? at.impossible : say("ch_planned", { model: planned.model, parameters: (planned.parameters / 1e9).toFixed(1), total: bytes(at.total_bytes), weights: bytes(at.weights_bytes), cache: bytes(at.kv_bytes + at.cross_kv_bytes), temporaries: bytes(at.activation_bytes), budget: s.budget })),
                    ...lostBlock(lostFacts(d, s.cache), d, s.cache),
                ],
                conclusion: say("ch_conclusion_long", { n: whole(costs[0].values.n as number), decoder: cheaper("supports"), pair: cheaper("contradicts"), equal: cheaper("open") }),
            };
        },
    });
}

/* ---- step 2: scaling ---- */

const LADDERS: Record<string, Settings> = {
    glance: { sizes: [12000, 30000, 70000], budgets: [20000, 50000, 120000], recall_tokens: 240000 },
    quick: {},
    long: { budgets: [30000, 80000, 220000, 600000], recall_tokens: 3000000 },
};

interface Law {
    predicted: number;
}

function scaling(place: HTMLElement): void {
    const read = (html: string): Scaling => {
        const d = numbersOf<Scaling>(html);
        if (!d?.paradigms) throw new Error("not a run on scaling");
        return d;
    };
    let size: Control<string>, loss: Control<number | null>, miss: Control<"near" | "some" | "far">, recall: Control<number | null>, known: Control<"determined" | "loosely" | "undetermined">;
    step<ScalingPrediction>(place, {
        key: "b",
        experiment: "scaling",
        note: () => "ch_note_scaling",
        extra: (changed) => {
            const ladder = select<string>({ name: say("ch_ladder"), key: "bn", among: pairs(Object.keys(LADDERS), (l) => say(`ch_ladder_${l}` as Word)), value: "quick", changed });
            return { control: ladder, key: "bn", settings: () => LADDERS[ladder.get()] };
        },
        predictions: (s, changed) => {
            const slot = el("div");
            let drawn: Side | "" = "";
            const redraw = () => {
                if (drawn === s().paradigm) return;
                drawn = s().paradigm;
                size = choice<string>({ name: say("ch_ask_size", { weights: WEIGHTS }), key: "b1", among: pairs([...SIZES[drawn], "none"], (x) => (x === "none" ? say("ch_no_size") : x)), value: unset, changed });
                replace(slot, size.node);
            };
            redraw();
            loss = numberField({ name: say("ch_ask_loss"), unit: say("ch_nats"), key: "b2", min: 0.1, max: 20, changed });
            miss = choice({ name: say("ch_ask_miss"), key: "b3", among: pairs(["near", "some", "far"] as const, (x) => say(`ch_miss_${x}` as Word)), value: unset, changed });
            recall = numberField({ name: say("ch_ask_recall"), unit: "%", key: "b4", min: 0, max: 100, changed });
            known = choice({ name: say("ch_ask_told"), key: "b5", among: pairs(["determined", "loosely", "undetermined"] as const, (x) => say(`ch_${x}` as Word)), value: unset, changed });
            const set = (p: ScalingPrediction) => {
                put(size, "b1", p.size);
                put(loss, "b2", p.loss);
                put(miss, "b3", p.miss);
                put(recall, "b4", p.recall);
                put(known, "b5", p.told);
            };
            return { nodes: [slot, loss.node, miss.node, recall.node, known.node], given: () => [!!size.get(), loss.get() !== null, !!miss.get(), recall.get() !== null, !!known.get()], get: () => ({ size: size.get(), loss: loss.get()!, miss: miss.get(), recall: recall.get()!, told: known.get() }), set, redraw };
        },
        adopt: (html) => !!read(html),
        grade: async (html, s, p) => {
            const d = read(html);
            // The engine fits the law anew, without the run that is to be foretold.
            const foretell = async (who: Side) => {
                const f = d.paradigms[who], top: Rung = largest(f);
                return (await ask<Law>("/fit", { runs: heldOut(f), parameters: top.parameters, tokens: top.tokens })).predicted;
            };
            const [mine, theirs] = [await foretell(s.paradigm), await foretell("decoder")];
            let fitting = "none";
            for (const m of SIZES[s.paradigm]) {
                const at = (await plan(m, s)).contexts[0];
                if (!at.impossible && at.fits) fitting = m;
            }
            const rows = gradeScaling(d, s, p, mine, fitting);
            const claims = claimsScaling(d, theirs), v = verdict(claims), top = largest(d.paradigms[s.paradigm]);
            return {
                rows,
                claims,
                words: {
                    size: (x) => (x === "none" ? say("ch_no_size") : String(x)),
                    loss: (x) => `${Number(x).toFixed(3)} ${say("ch_nats")}`,
                    miss: (x) => say(`ch_miss_${x}` as Word),
                    recall: (x) => `${Number(x).toFixed(0)}%`,
                    told: (x) => say(`ch_${x}` as Word),
                },
                before: [el("p", { class: "small" }, say("ch_foretold", { side: sideName(s.paradigm), parameters: whole(top.parameters), tokens: whole(top.tokens), foretold: mine.toFixed(3), loss: top.loss.toFixed(3) })), el("p", { class: "small" }, d.paradigms[s.paradigm].alpha.why ? say("ch_alpha_says", { why: d.paradigms[s.paradigm].alpha.why! }) : "")],
                conclusion: say(v.supports > v.contradicts ? "ch_conclusion_with" : "ch_conclusion_against", v),
            };
        },
    });
}

export const challenge: Section = { id: "challenge", texts: { en, zh }, demos: { bottleneck, scaling } };
