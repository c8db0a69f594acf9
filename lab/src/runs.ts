// runs.ts - experiments of the command: started, followed, and opened again from the record.
import { ask } from "./engine";

export const experiments = ["quick", "standard", "masks", "scaling", "long-document"] as const;
export type Experiment = (typeof experiments)[number];
// Numbers that a run may set, by the server's names.
export type Settings = Partial<Record<"lengths" | "sizes" | "budgets", number[]> & Record<"train_tokens" | "recall_tokens", number>>;

export interface RunState {
    id: number;
    experiment: string;
    status: "running" | "stopped" | "over";
    exit?: number;
    seconds: number;
    report?: number; // of the record
}

interface Told extends RunState {
    text: string;
    next: number;
}

// A report of the record, without its page.
export interface Past {
    id: number;
    experiment: string; // as the command calls it
    title: string;
    ended: string;
    seconds: number;
    version: string;
    machine: string;
}

export interface Opened extends Past {
    html: string;
}

export interface Listed {
    experiments: string[];
    runs: RunState[];
    record: Past[];
}

export const list = (): Promise<Listed> => ask<Listed>("/runs");
export const start = (experiment: Experiment, settings: Settings): Promise<{ id: number }> => ask("/runs", { experiment, settings });
export const stop = (id: number): Promise<unknown> => ask(`/runs/${id}/stop`, {});
export const open = (id: number): Promise<Opened> => ask<Opened>(`/runs/record/${id}`);

// Follows a run to its end, telling what it writes as it comes.
export async function follow(id: number, text: (t: string) => void, changed: (s: RunState) => void): Promise<RunState> {
    let from = 0;
    for (;;) {
        const told = await ask<Told>(`/runs/${id}`, { from });
        if (told.text) text(told.text);
        from = told.next;
        changed(told);
        if (told.status !== "running" && !told.text) return told;
    }
}

// The numbers of a report: the document that `--json` prints stands in its page.
export function numbersOf<T>(html: string): T | null {
    const found = new DOMParser().parseFromString(html, "text/html").getElementById("numbers")?.textContent;
    return found ? (JSON.parse(found) as T) : null;
}

export interface Leaf {
    path: string;
    value: number;
}

// Every number of a document by its path; items of a list go by what tells them apart, and lists of many items are left out: they are curves.
export function leaves(value: unknown, path: string[] = []): Leaf[] {
    if (typeof value === "number") return [{ path: path.join(" · "), value }];
    if (Array.isArray(value)) {
        if (value.length > 8) return [];
        return value.flatMap((v, i) => {
            const named = v as { tokens?: number } | null;
            const name = named && typeof named === "object" && named.tokens !== undefined ? `${Math.round(named.tokens)} tokens` : String(i + 1);
            return leaves(v, [...path, name]);
        });
    }
    if (value && typeof value === "object") return Object.entries(value).flatMap(([k, v]) => (k === "seed" || k === "run" || k === "tokens" ? [] : leaves(v, [...path, k.replace(/_/g, " ")])));
    return [];
}
