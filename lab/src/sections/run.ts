// run.ts - part 6: the architecture comparison, run for real in a terminal of 80 x 24; what it drew, and runs of the record.
import { choice, type Control } from "../controls";
import { console_ } from "../console";
import { el, replace } from "../dom";
import { experiments, list, type Experiment } from "../runs";
import { say } from "../words";
import { pastRuns, report } from "./past";
import type { Section } from "./section";
import en from "../../text/en/arch_comparison.md?raw";
import zh from "../../text/zh/arch_comparison.md?raw";

interface RunnerOptions {
    offered: readonly Experiment[];
    key: string; // in the address
    recorded?: readonly string[]; // runs of the record that are listed, as the command calls them; none: all
    heading: "h2" | "h3"; // of what is below
}

// A terminal with Run and Stop, for some of the experiments.
export function runner(place: HTMLElement, { offered, key, recorded, heading }: RunnerOptions): void {
    const slot = el("div"), controls = el("div", { class: "controls" }, slot), out = el("div"), past = el("div", { class: "past-runs" });
    let what: Control<Experiment>;
    place.append(controls);
    const c = console_(place, {
        asked: () => ({ experiment: what.get(), settings: {} }),
        began: () => replace(out),
        ended: (_, html) => {
            if (html) replace(out, el(heading, {}, say("report")), report(html));
            void refresh().catch(() => {});
        },
    });
    controls.append(c.buttons);
    place.append(out, past);
    const refresh = pastRuns(past, `${key}_past`, heading, recorded);
    void refresh().catch(() => {});
    void list().then(
        (r) => {
            const there = offered.filter((x) => r.experiments.includes(x));
            if (!there.length) return c.tell(say("no_runs"));
            what = choice({ name: say("experiment"), key, among: there.map((x) => [x, say(`experiment_${x}`)] as const), value: there[0], changed: () => {} });
            replace(slot, what.node);
            c.allow(true);
            // What a page left running, another finds.
            const last = r.runs[r.runs.length - 1];
            if (last?.status === "running" && (offered as readonly string[]).includes(last.experiment)) void c.attach(last.id);
        },
        () => {},
    );
}

export const archComparison: Section = { id: "arch_comparison", texts: { en, zh }, demos: { arch_comparison: (place) => runner(place, { offered: experiments, key: "experiment", heading: "h2" }) } };
