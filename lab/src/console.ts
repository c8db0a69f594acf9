// console.ts - a terminal of 80 x 24 with Run and Stop, in which a run of the command is seen as it goes.
import "@xterm/xterm/css/xterm.css";
import { button } from "./controls";
import { el } from "./dom";
import { EngineError, Gone } from "./engine";
import { follow, open, start, stop, type Experiment, type RunState, type Settings } from "./runs";
import { say } from "./words";

// xterm.js, loaded when it is first wanted. Screen readers get its text from the live region that xterm keeps.
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

export interface Console {
    buttons: HTMLElement;
    attach(id: number): Promise<void>;
    allow(may: boolean): void; // Run may be pressed
    tell(line: string): void;
}

interface ConsoleOptions {
    asked: () => { experiment: Experiment; settings: Settings }; // what Run starts
    began?: (id: number) => void;
    idle?: () => void; // nothing runs, or no longer
    ended: (state: RunState, html: string | null) => void; // html: of its report
}

export function console_(place: HTMLElement, o: ConsoleOptions): Console {
    const screen = el("div", { class: "terminal" }), line = el("p", { class: "status", role: "status" });
    let id = -1, may = false, running = false;
    const go = button(say("run"), () => void begin(), "main"), halt = button(say("stop"), () => void stop(id).catch(() => {}));
    const set = () => {
        go.disabled = !may || running;
        halt.disabled = !running;
    };
    set();
    place.append(el("div", { class: "drawn" }, screen), line);
    const shown = terminal(screen);
    void shown.then((t) => t.write(`${say("terminal_ready")}\r\n`));
    const tell = (s: RunState) => {
        const seconds = s.seconds.toFixed(0);
        line.textContent = s.status === "running" ? say("running", { seconds }) : s.status === "stopped" ? say("was_stopped", { seconds, exit: s.exit ?? 0 }) : say("has_ended", { seconds, exit: s.exit ?? 0 });
    };
    const attach = async (which: number) => {
        const t = await shown;
        id = which;
        running = true;
        set();
        place.dataset.state = "busy";
        t.clear();
        try {
            const end = await follow(which, (text) => t.write(text), tell);
            place.dataset.exit = String(end.exit);
            o.ended(end, end.report ? (await open(end.report)).html : null);
        } catch (e) {
            line.textContent = e instanceof Gone ? say("gone_short") : e instanceof Error ? e.message : "";
        }
        running = false;
        set();
        place.dataset.state = "done";
        o.idle?.();
    };
    const begin = async () => {
        const { experiment, settings } = o.asked();
        let began: number;
        go.disabled = true;
        try {
            began = (await start(experiment, settings)).id;
        } catch (e) {
            line.textContent = e instanceof EngineError ? say("refused", { message: e.message }) : say("gone_short");
            set();
            return o.idle?.();
        }
        o.began?.(began);
        await attach(began);
    };
    return {
        buttons: el("div", { class: "buttons" }, go, halt),
        attach,
        allow: (now) => {
            may = now;
            set();
        },
        tell: (said) => (line.textContent = said),
    };
}
