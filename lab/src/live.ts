// live.ts - the frame of a demonstration: its controls, the engine's answer below, and what is said while it computes or fails.
// A newer question cancels an older one, so what is shown always belongs to what is set.
import { el, replace, type Child } from "./dom";
import { EngineError, Gone, type Paradigm, type Task } from "./engine";
import { say } from "./words";

export type Needed = Task | Paradigm | "chat";

// What cannot be shown for lack of a model, and what to do about it.
export class Missing extends Error {
    constructor(readonly what: Needed) {
        super(what);
    }
}

const hints: Record<Needed, string> = {
    "fill-mask": "trine lab -m encoder",
    "text-classification": "trine lab -m sentiment",
    "token-classification": "trine lab -m entities",
    translation: "trine lab -m translator",
    summarization: "trine lab -m translator",
    "text-generation": "trine lab -m decoder",
    "feature-extraction": "trine lab -m embedder",
    "encoder-only": "trine lab -m encoder",
    "decoder-only": "trine lab -m decoder",
    "encoder-decoder": "trine lab -m translator",
    chat: "trine lab -m decoder",
};

export function missing(what: Needed): HTMLElement {
    return el("div", { class: "missing" }, el("p", {}, say("missing", { what: say(what === "chat" ? "to_chat" : what) })), el("pre", {}, el("code", {}, hints[what])), el("p", { class: "small" }, say("missing_more")));
}

// What is said of an error. The engine speaks English and of its options: what readers meet most is said in the page's words.
export function trouble(e: unknown): string {
    if (e instanceof Gone) return say("gone_short");
    if (!(e instanceof EngineError)) return say("failed", { message: e instanceof Error ? e.message : String(e) });
    if (e.code === "empty") return say("empty_text");
    if (e.code !== "context_length_exceeded") return say("refused", { message: e.message });
    // "... has 304 tokens, ... takes 128", "takes 1 to 256 tokens, and this has 302": the smaller is what there is room for.
    const [a, b] = [...e.message.replace(/'[^']*'|text \d+/g, "").matchAll(/(?<![\w.-])\d+(?![\w.])/g)].map((m) => Number(m[0])).filter((n) => n > 1);
    return a && b && a !== b ? say("too_long", { n: Math.max(a, b), most: Math.min(a, b) }) : say("too_long_at_all");
}

export interface Live {
    node: HTMLElement;
    controls: HTMLElement;
    output: HTMLElement;
    run(): void;
    // Whether what is shown is the answer to what is set.
    settled(): Promise<void>;
}

export function live(place: HTMLElement, work: (signal: AbortSignal, output: HTMLElement) => Promise<void>): Live {
    const controls = el("div", { class: "controls" });
    const output = el("div", { class: "output" });
    const status = el("p", { class: "status", role: "status" });
    let running: AbortController | null = null;
    let last: Promise<void> = Promise.resolve();
    place.append(controls, output, status);

    const run = () => {
        running?.abort();
        const mine = new AbortController();
        running = mine;
        place.dataset.state = "busy";
        const slow = window.setTimeout(() => (status.textContent = say("computing")), 400);
        last = work(mine.signal, output)
            .then(() => {
                if (running === mine) {
                    status.textContent = "";
                    place.dataset.state = "done";
                    output.classList.remove("of-before");
                }
            })
            .catch((e: unknown) => {
                if (running !== mine || mine.signal.aborted) return;
                place.dataset.state = "failed";
                output.classList.toggle("of-before", output.childElementCount > 0 && !(e instanceof Missing));
                if (e instanceof Missing) {
                    status.textContent = "";
                    replace(output, missing(e.what));
                    return;
                }
                // What is shown belonged to what was set before: it is dimmed, and that is said.
                status.textContent = output.childElementCount ? `${trouble(e)} ${say("of_before")}` : trouble(e);
                if (!(e instanceof EngineError || e instanceof Gone)) console.error(e);
            })
            .finally(() => clearTimeout(slow));
    };
    return { node: place, controls, output, run, settled: () => last };
}

// A line that tells a number, the same everywhere.
export const fact = (name: Child, value: Child): HTMLElement => el("div", { class: "fact" }, el("dt", {}, name), el("dd", {}, value));
export const facts = (...items: HTMLElement[]): HTMLElement => el("dl", { class: "facts" }, ...items);
