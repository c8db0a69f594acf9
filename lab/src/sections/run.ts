// run.ts - part 6: the architecture comparison, run for real in a terminal of 80 x 24; what it drew, and runs of before.
import "@xterm/xterm/css/xterm.css";
import { button, choice, type Control } from "../controls";
import { el, replace } from "../dom";
import { ask, EngineError, Gone } from "../engine";
import * as state from "../state";
import { say } from "../words";
import type { Section } from "./section";
import en from "../../text/en/arch_comparison.md";
import zh from "../../text/zh/arch_comparison.md";

export interface RunState {
    id: number;
    experiment: string;
    status: "running" | "stopped" | "over";
    exit?: number;
    seconds: number;
    report: boolean;
}

export interface Told extends RunState {
    text: string;
    next: number;
}

interface Kept {
    experiment: string;
    when: string;
    seconds: number;
    exit: number;
    text: string;
    report: string;
}

const MOST_KEPT = 6;

// A terminal: xterm.js, loaded when it is first wanted. Screen readers get its text from the live region that xterm keeps.
async function terminal(into: HTMLElement): Promise<{ write(text: string): void; clear(): void }> {
    const xterm = await import("@xterm/xterm"), { Terminal } = (xterm as unknown as { default?: typeof xterm }).default ?? xterm;
    const css = getComputedStyle(document.documentElement);
    const t = new Terminal({
        cols: 80,
        rows: 24,
        convertEol: true,
        disableStdin: true,
        cursorBlink: false,
        fontSize: 13,
        fontFamily: css.getPropertyValue("--mono"),
        scrollback: 5000,
        screenReaderMode: true,
        theme: { background: "#14161a", foreground: "#e9eaee", cursor: "#14161a" },
    });
    t.open(into);
    t.textarea?.setAttribute("aria-label", say("terminal"));
    // Tab leaves it: it takes no input.
    t.attachCustomKeyEventHandler((e) => e.key !== "Tab");
    return { write: (text) => t.write(text), clear: () => t.reset() };
}

// Follows a run to its end, telling what it writes as it comes.
export async function follow(id: number, text: (t: string) => void, changed: (s: RunState) => void, signal?: AbortSignal): Promise<RunState> {
    let from = 0;
    for (;;) {
        const told = await ask<Told>(`/runs/${id}`, { from }, signal);
        if (told.text) text(told.text);
        from = told.next;
        changed(told);
        if (told.status !== "running" && !told.text) return told;
    }
}

export const ready = (): string => `${say("terminal_ready")}\r\n`;

function report(html: string): HTMLElement {
    // Of this machine's own making, but shown as any page is: no script runs, and nothing of this page is within its reach.
    return el("iframe", { class: "report", sandbox: "", srcdoc: html, title: say("report") });
}

export const experiments = ["quick", "standard", "masks", "scaling", "long-document"] as const;

// A terminal with Run and Stop, for some of the experiments.
export function runner(place: HTMLElement, offered: readonly (typeof experiments)[number][], key: string): void {
    const screen = el("div", { class: "terminal" }), line = el("p", { class: "status", role: "status" }), out = el("div"), past = el("div");
    let id = -1, what: Control<(typeof experiments)[number]>, all = "";
    const run = button(say("run"), () => void start(), "main"), stop = button(say("stop"), () => void ask(`/runs/${id}/stop`, {}).catch(() => {}));
    stop.disabled = true;
    const slot = el("div");
    place.append(el("div", { class: "controls" }, slot, el("div", { class: "buttons" }, run, stop)), el("div", { class: "drawn" }, screen), line, out, past);
    const shown = terminal(screen);
    void shown.then((t) => t.write(ready()));

    const tell = (s: RunState) => {
        const seconds = s.seconds.toFixed(0);
        line.textContent = s.status === "running" ? say("running", { seconds }) : s.status === "stopped" ? say("was_stopped", { seconds, exit: s.exit ?? 0 }) : say("has_ended", { seconds, exit: s.exit ?? 0 });
    };
    const attach = async (which: number) => {
        const t = await shown;
        id = which;
        run.disabled = true;
        stop.disabled = false;
        place.dataset.state = "busy";
        all = "";
        t.clear();
        replace(out);
        try {
            const end = await follow(which, (text) => ((all += text), t.write(text)), tell);
            place.dataset.exit = String(end.exit);
            if (end.report) {
                const { html } = await ask<{ html: string }>(`/runs/${which}/report`, {});
                replace(out, el("h3", {}, say("report")), report(html));
                remember({ experiment: end.experiment, when: new Date().toISOString(), seconds: end.seconds, exit: end.exit ?? 0, text: all, report: html });
                list();
            }
        } catch (e) {
            line.textContent = e instanceof Gone ? say("gone_short") : e instanceof Error ? e.message : "";
        }
        run.disabled = false;
        stop.disabled = true;
        place.dataset.state = "done";
    };
    const start = async () => {
        try {
            const { id: began } = await ask<{ id: number }>("/runs", { experiment: what.get() });
            await attach(began);
        } catch (e) {
            line.textContent = e instanceof EngineError ? say("refused", { message: e.message }) : say("gone_short");
        }
    };
    const remember = (k: Kept) => state.keep("reports", [k, ...state.kept<Kept[]>("reports", [])].slice(0, MOST_KEPT));
    const list = () => {
        const kept = state.kept<Kept[]>("reports", []).filter((k) => (offered as readonly string[]).includes(k.experiment));
        if (!kept.length) return replace(past);
        const side = el("div", { class: "two" });
        const open = (k: Kept) => {
            if (side.childElementCount > 1) side.firstElementChild!.remove();
            side.append(el("div", {}, el("p", { class: "small" }, `${k.experiment}, ${new Date(k.when).toLocaleString()}`), report(k.report)));
            void shown.then((t) => (t.clear(), t.write(k.text)));
        };
        replace(
            past,
            el("h3", {}, say("past_runs")),
            el("ul", { class: "tokens" }, ...kept.map((k) => el("li", {}, button(`${k.experiment}, ${new Date(k.when).toLocaleString()}, ${k.seconds.toFixed(0)} s`, () => open(k))))),
            side,
        );
    };
    list();
    run.disabled = true;
    void ask<{ experiments: string[]; runs: RunState[] }>("/runs").then(
        (r) => {
            const there = offered.filter((x) => r.experiments.includes(x));
            if (!there.length) return void (line.textContent = say("no_runs"));
            what = choice({ name: say("experiment"), key, among: there.map((x) => [x, say(`experiment_${x}`)] as const), value: there[0], changed: () => {} });
            replace(slot, what.node);
            run.disabled = false;
            // What a page left running, another finds.
            const last = r.runs[r.runs.length - 1];
            if (last?.status === "running" && (offered as readonly string[]).includes(last.experiment)) void attach(last.id);
        },
        () => {},
    );
}

export const archComparison: Section = { id: "arch_comparison", texts: { en, zh }, demos: { arch_comparison: (place) => runner(place, experiments, "experiment") } };
