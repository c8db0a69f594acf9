// live.ts - the frame of a demonstration: its controls, the engine's answer below, and what is said while it computes or fails.
// A newer question cancels an older one, so what is shown always belongs to what is set.
import { el, replace, type Child } from "./dom";
import { EngineError, Gone, type Paradigm, type Task } from "./engine";
import { say } from "./words";

// What cannot be shown for lack of a model, and what to do about it.
export class Missing extends Error {
    constructor(readonly what: Task | Paradigm) {
        super(what);
    }
}

const hints: Record<Task | Paradigm, string> = {
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
};

export function missing(what: Task | Paradigm): HTMLElement {
    return el("div", { class: "missing" }, el("p", {}, say("missing", { what: say(what) })), el("pre", {}, el("code", {}, hints[what])), el("p", { class: "small" }, say("missing_more")));
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
                }
            })
            .catch((e: unknown) => {
                if (running !== mine || mine.signal.aborted) return;
                place.dataset.state = "failed";
                if (e instanceof Missing) {
                    status.textContent = "";
                    replace(output, missing(e.what));
                } else if (e instanceof EngineError) status.textContent = say("refused", { message: e.message });
                else if (e instanceof Gone) status.textContent = say("gone_short");
                else throw e;
            })
            .finally(() => clearTimeout(slow));
    };
    return { node: place, controls, output, run, settled: () => last };
}

// A line that tells a number, the same everywhere.
export const fact = (name: Child, value: Child): HTMLElement => el("div", { class: "fact" }, el("dt", {}, name), el("dd", {}, value));
export const facts = (...items: HTMLElement[]): HTMLElement => el("dl", { class: "facts" }, ...items);
