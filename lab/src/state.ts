// state.ts - what the reader has set up lives in the address: "#attention?layer=1&head=2". A link is a state, Back undoes it.

export type Values = Record<string, string>;

export interface Place {
    section: string;
    anchor: string; // heading inside the section, or ""
    values: Values;
}

export function read(hash: string = location.hash): Place {
    const [path, query] = hash.replace(/^#/, "").split("?");
    const [section, anchor] = path.split("/");
    const values: Values = {};
    for (const [k, v] of new URLSearchParams(query || "")) values[k] = v;
    return { section: section || "", anchor: anchor || "", values };
}

export function write(p: Place): string {
    const query = new URLSearchParams();
    for (const k of Object.keys(p.values).sort()) if (p.values[k] !== "") query.set(k, p.values[k]);
    const text = query.toString();
    return `#${p.section}${p.anchor ? "/" + p.anchor : ""}${text ? "?" + text : ""}`;
}

// Sets values of this place without a new entry in the history and without drawing the section again.
export function set(changes: Values): void {
    const p = read();
    Object.assign(p.values, changes);
    history.replaceState(null, "", write(p));
}

export function text(name: string, fallback: string): string {
    const v = read().values[name];
    return v === undefined ? fallback : v;
}

export function number(name: string, fallback: number, min: number, max: number): number {
    const v = Number(read().values[name] ?? NaN);
    return Number.isFinite(v) ? Math.min(max, Math.max(min, v)) : fallback;
}

export function choice<T extends string>(name: string, among: readonly T[], fallback: T): T {
    const v = read().values[name] as T;
    return among.includes(v) ? v : fallback;
}

// What should outlive the visit. A browser that refuses to store is no reason to fail.
export function keep(name: string, value: unknown): void {
    try {
        localStorage.setItem(`trine.${name}`, JSON.stringify(value));
    } catch {
        /* kept for this visit only */
    }
}

export function kept<T>(name: string, fallback: T): T {
    try {
        const v = localStorage.getItem(`trine.${name}`);
        return v === null ? fallback : (JSON.parse(v) as T);
    } catch {
        return fallback;
    }
}
