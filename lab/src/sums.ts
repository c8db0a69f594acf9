// sums.ts - the formula's own arithmetic, where the page shows it step by step beside what the engine gave.

export const dot = (a: number[], b: number[]): number => a.reduce((s, x, i) => s + x * b[i], 0);
export const length = (a: number[]): number => Math.sqrt(dot(a, a));
export const distance = (a: number[], b: number[]): number => length(a.map((x, i) => x - b[i]));

export function softmax(scores: number[], visible: (i: number) => boolean = () => true): number[] {
    const max = Math.max(...scores.filter((_, i) => visible(i)));
    const e = scores.map((s, i) => (visible(i) ? Math.exp(s - max) : 0));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((x) => x / sum);
}

// Shannon's entropy, in bits.
export const entropy = (p: number[]): number => -p.reduce((s, x) => s + (x > 0 ? x * Math.log2(x) : 0), 0);

export type Mask = "bidirectional" | "causal" | "prefix" | "window" | "cross";
export function sees(mask: Mask, n: number, query: number, key: number): boolean {
    switch (mask) {
        case "causal":
            return key <= query;
        case "prefix":
            return key <= query || key < n;
        case "window":
            return key <= query && key > query - n;
        default:
            return true;
    }
}

// Bytes of a number in the cache: quantised blocks of 32 carry their scale with them.
export const valueBytes: Record<string, number> = { f32: 4, f16: 2, bf16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };

// One query's softmax(scores) V over tiles of keys (Milakov & Gimelshein 2018): after each tile the largest score so far, the sum of
// exponentials beside it, and the mixed values, which are right when divided by the sum.
export interface Running {
    first: number; // keys [first, last) of this tile
    last: number;
    max: number;
    rescale: number; // what was there before is multiplied by this
    sum: number;
    mixed: number[];
}

export function tiled(scores: number[], values: number[][], size: number): Running[] {
    const out: Running[] = [];
    let max = -Infinity, sum = 0, mixed = new Array<number>(values[0]?.length ?? 0).fill(0);
    for (let first = 0; first < scores.length; first += size) {
        const last = Math.min(first + size, scores.length);
        const higher = Math.max(max, ...scores.slice(first, last));
        const rescale = max === -Infinity ? 0 : Math.exp(max - higher);
        sum *= rescale;
        mixed = mixed.map((x) => x * rescale);
        for (let j = first; j < last; j++) {
            const e = Math.exp(scores[j] - higher);
            sum += e;
            mixed = mixed.map((x, c) => x + e * values[j][c]);
        }
        max = higher;
        out.push({ first, last, max, rescale, sum, mixed });
    }
    return out;
}

// Elements that pass between memory and processor for one head, n tokens, d a head. Plain: Q, K in, S out, S in, P out, P, V in, O out.
// Tiled by `rows` queries: Q in, O out, and K and V once for each tile of queries (Dao et al. 2022, algorithm 1, loops exchanged).
export const movedPlain = (n: number, d: number): number => 4 * n * n + 4 * n * d;
export const movedTiled = (n: number, d: number, rows: number): number => 2 * n * d + 2 * n * d * Math.ceil(n / rows);

// What is drawn from, in the sampler's own order: the k likeliest; of these the fewest that reach p of their sum (Holtzman et al. 2020); then
// the temperature. Filters look at the probabilities before the temperature, so that a high one cannot let the tail back in.
export interface Drawn {
    kept: number; // tokens that can be drawn
    share: (rank: number) => number; // softmax(logits / T) over those; 0 of what was cut off
    beside: (rank: number) => number; // on the same scale, also of what was cut off
}
// logits: of the whole vocabulary, from the likeliest down.
export function drawn(logits: number[], temperature: number, k: number, p: number): Drawn {
    const e = (rank: number, t: number) => Math.exp((logits[rank] - logits[0]) / t);
    const sum = (n: number, t: number) => {
        let all = 0;
        for (let i = 0; i < n; i++) all += e(i, t);
        return all;
    };
    let kept = k > 0 ? Math.min(k, logits.length) : logits.length;
    if (p < 1) {
        const wanted = Math.fround(p) * sum(kept, 1); // the engine's p is a float
        let n = 0;
        for (let reached = 0; n < kept && reached < wanted; n++) reached += e(n, 1);
        kept = Math.max(1, n);
    }
    if (temperature <= 0) return { kept: 1, share: (rank) => (rank ? 0 : 1), beside: (rank) => (rank ? 0 : 1) };
    const total = sum(kept, temperature), beside = (rank: number) => e(rank, temperature) / total;
    return { kept, share: (rank) => (rank < kept ? beside(rank) : 0), beside };
}
