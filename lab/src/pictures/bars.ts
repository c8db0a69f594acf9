// bars.ts - probabilities as bars, in HTML: text stays text, and a bar may be a button.
import { el, type Child } from "../dom";
import { percent } from "../words";

export interface Bar {
    label: string;
    value: number; // 0 .. 1
    faded?: boolean; // cut off by a filter
    marked?: boolean;
    pressed?: () => void;
    beside?: Child;
}

// Spaces and line ends of a token are seen.
export const shown = (token: string): string => (token === "" ? "∅" : token.replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\t/g, "⇥"));

export function bars(items: Bar[], color = "--accent"): HTMLElement {
    const max = Math.max(1e-9, ...items.map((b) => b.value));
    return el(
        "ol",
        { class: "bars", style: { "--bar": `var(${color})` } },
        ...items.map((b) => {
            const label = b.pressed ? el("button", { type: "button", class: "token", onclick: b.pressed }, b.label) : el("span", { class: "token" }, b.label);
            return el(
                "li",
                { class: `${b.faded ? "faded" : ""} ${b.marked ? "marked" : ""}` },
                label,
                el("span", { class: "track" }, el("span", { class: "bar", style: { width: `${(100 * b.value) / max}%` } })),
                el("span", { class: "value" }, b.beside ?? percent(b.value)),
            );
        }),
    );
}

// A token as it reads: the text it stands for, or its piece without the vocabulary's own marks for a space.
export const read = (t: { token: string; text?: string; special?: boolean }): string => shown(t.text && !t.special ? t.text : t.token.replace(/[\u0120\u2581]/g, " ").replace(/\u010a/g, "\n"));
