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
export const shown = (token: string): string => (token === "" ? "∅" : token.replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\r/g, "␍").replace(/\t/g, "⇥"));

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

// Byte-level vocabularies spell each byte as a letter: those that print as themselves, the others as letters from U+0100 on (GPT-2's encoder.py).
const spelt = new Map<string, number>();
for (let byte = 0, next = 256; byte < 256; byte++) spelt.set(String.fromCharCode((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : next++), byte);

// A piece whose bytes are no whole characters, byte by byte: <0xE4>.
function inBytes(piece: string): string {
    if (/^(<0x[0-9A-F]{2}>)+$/.test(piece)) return piece;
    const all = [...piece].map((c) => spelt.get(c));
    return all.every((b) => b !== undefined) ? all.map((b) => (b! > 31 && b! < 127 ? String.fromCharCode(b!) : `<0x${b!.toString(16).toUpperCase().padStart(2, "0")}>`)).join("") : piece;
}

// A token as it reads: the text it stands for, or its piece without the vocabulary's own marks for a space.
export const read = (t: { token: string; text?: string; special?: boolean }): string =>
    shown(t.text?.includes("\ufffd") && !t.special ? inBytes(t.token) : t.text && !t.special ? t.text : t.token.replace(/[\u0120\u2581]/g, " ").replace(/\u010a/g, "\n"));
