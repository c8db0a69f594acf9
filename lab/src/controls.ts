// controls.ts - what the reader sets: every control has a name, works from the keyboard, and may keep its value in the address.
import { el, unique, type Child } from "./dom";
import * as state from "./state";

export interface Control<T> {
    node: HTMLElement;
    get(): T;
    set(value: T): void;
}

function field(name: string, input: HTMLElement, beside?: Child): HTMLElement {
    const id = input.id || (input.id = unique("field"));
    return el("div", { class: "field" }, el("label", { for: id }, name), input, beside);
}

interface SliderOptions {
    name: string;
    key?: string; // in the address
    min: number;
    max: number;
    step?: number;
    value: number;
    show?: (v: number) => string;
    changed: (v: number) => void;
}

export function slider(o: SliderOptions): Control<number> {
    const show = o.show ?? String;
    const start = o.key ? state.number(o.key, o.value, o.min, o.max) : o.value;
    const input = el("input", { type: "range", min: o.min, max: o.max, step: o.step ?? 1 });
    input.value = String(start);
    const out = el("output", {}, show(start));
    const told = () => {
        out.textContent = show(Number(input.value));
        input.setAttribute("aria-valuetext", out.textContent);
    };
    told();
    input.addEventListener("input", () => {
        told();
        if (o.key) state.set({ [o.key]: input.value });
        o.changed(Number(input.value));
    });
    const node = field(o.name, input, out);
    node.classList.add("slider");
    return {
        node,
        get: () => Number(input.value),
        set: (v) => {
            input.value = String(v);
            told();
        },
    };
}

interface ChoiceOptions<T extends string> {
    name: string;
    key?: string;
    among: readonly (readonly [T, string])[];
    value: T;
    changed: (v: T) => void;
}

// A few alternatives side by side: radio buttons, so that arrows move between them.
export function choice<T extends string>(o: ChoiceOptions<T>): Control<T> {
    const group = unique("choice");
    let now = o.key ? state.choice(o.key, o.among.map((a) => a[0]), o.value) : o.value;
    const inputs: HTMLInputElement[] = [];
    const node = el("fieldset", { class: "choice" }, el("legend", {}, o.name));
    const row = el("div", { class: "segments" });
    for (const [value, label] of o.among) {
        const input = el("input", { type: "radio", name: group, id: unique("radio"), value });
        input.checked = value === now;
        input.addEventListener("change", () => {
            now = value;
            if (o.key) state.set({ [o.key]: value });
            o.changed(value);
        });
        inputs.push(input);
        row.append(el("span", {}, input, el("label", { for: input.id }, label)));
    }
    node.append(row);
    return {
        node,
        get: () => now,
        set: (v) => {
            now = v;
            for (const i of inputs) i.checked = i.value === v;
        },
    };
}

// One of many.
export function select<T extends string>(o: ChoiceOptions<T>): Control<T> {
    const now = o.key ? state.choice(o.key, o.among.map((a) => a[0]), o.value) : o.value;
    const input = el("select", {}, ...o.among.map(([value, label]) => el("option", { value, selected: value === now }, label)));
    input.addEventListener("change", () => {
        if (o.key) state.set({ [o.key]: input.value });
        o.changed(input.value as T);
    });
    return { node: field(o.name, input), get: () => input.value as T, set: (v) => (input.value = v) };
}

export function check(o: { name: string; key?: string; value: boolean; changed: (v: boolean) => void }): Control<boolean> {
    const input = el("input", { type: "checkbox", id: unique("check") });
    input.checked = o.key ? state.text(o.key, o.value ? "1" : "0") === "1" : o.value;
    input.addEventListener("change", () => {
        if (o.key) state.set({ [o.key]: input.checked ? "1" : "0" });
        o.changed(input.checked);
    });
    return {
        node: el("div", { class: "check" }, input, el("label", { for: input.id }, o.name)),
        get: () => input.checked,
        set: (v) => (input.checked = v),
    };
}

// A number that the reader writes; null until there is one.
export function numberField(o: { name: string; unit: string; key?: string; min: number; max: number; changed: (v: number | null) => void }): Control<number | null> {
    const input = el("input", { type: "number", min: o.min, max: o.max, step: "any", inputmode: "decimal" });
    input.value = o.key ? state.text(o.key, "") : "";
    const get = () => (input.value.trim() !== "" && Number(input.value) >= o.min && Number(input.value) <= o.max ? Number(input.value) : null);
    input.addEventListener("input", () => {
        if (o.key) state.set({ [o.key]: input.value });
        o.changed(get());
    });
    const node = field(o.name, input, el("span", { class: "unit" }, o.unit));
    node.classList.add("number");
    return { node, get, set: (v) => (input.value = v === null ? "" : String(v)) };
}

interface TextOptions {
    name: string;
    key?: string;
    value: string;
    max?: number; // characters
    lines?: number;
    changed: (v: string) => void; // once typing pauses, or on Enter
}

export function textField(o: TextOptions): Control<string> {
    const attributes = { maxlength: o.max ?? 240, spellcheck: "false", autocomplete: "off" };
    const input = o.lines ? el("textarea", { ...attributes, rows: o.lines }) : el("input", { ...attributes, type: "text" });
    input.value = o.key ? state.text(o.key, o.value) : o.value;
    let timer = 0;
    let told = input.value;
    const tell = () => {
        clearTimeout(timer);
        if (input.value === told) return;
        told = input.value;
        if (o.key) state.set({ [o.key]: input.value });
        o.changed(input.value);
    };
    input.addEventListener("input", () => {
        clearTimeout(timer);
        timer = window.setTimeout(tell, 350);
    });
    input.addEventListener("change", tell);
    const node = field(o.name, input);
    node.classList.add("long");
    return {
        node,
        get: () => input.value,
        set: (v) => {
            input.value = told = v;
            if (o.key) state.set({ [o.key]: v });
        },
    };
}

export function button(name: string, pressed: () => void, look: "" | "main" = ""): HTMLButtonElement {
    return el("button", { type: "button", class: look, onclick: pressed }, name);
}
