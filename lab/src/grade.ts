// grade.ts - the challenge's arithmetic: a reader's predictions against what was measured, and what the measurements say of each claim of
// the model solution. Nothing here decides beforehand who is right: a claim may be contradicted, and then it is told so.

import { valueBytes } from "./sums";

export type Side = "decoder" | "encoder-decoder";
export type Place = "beginning" | "middle" | "end";
export const places: readonly Place[] = ["beginning", "middle", "end"];
export type Mark = "right" | "near" | "wrong";
export type Weight = "supports" | "contradicts" | "open";

// What `compare long-document` measured of a model before a document.
export interface Cost {
    tokens: number;
    first_token_ms: number;
    token_ms: number;
    arriving_ms: number;
    self_cache_bytes: number;
    cross_cache_bytes: number;
    activation_bytes: number;
    recall: Record<Place, number>;
    first_document: Record<Place, { planted: string; said: string }>;
}
interface LongModel {
    parameters: number;
    lengths: Cost[];
    cache_types: Record<string, Cost>;
}
export type Long = { train_tokens: number; lengths: number[]; attention: { tokens: number; tiled_bytes: number; plain_bytes: number }[] } & Record<Side, LongModel>;

export interface Setup {
    paradigm: Side;
    context: number; // tokens
    cache: string;
    budget: number; // GiB
}

export interface Row {
    id: string;
    yours: string | number;
    measured: string | number;
    mark: Mark;
}
export interface Claim {
    id: string;
    weight: Weight;
    values: Record<string, number | string>;
}
export interface Lost {
    side: Side;
    place: Place;
    planted: string;
    said: string;
}

// Nearer than this two costs are called equal, as the command's own verdict calls them.
const NEAR = 1.1;
export const less = (decoder: number, pair: number): Side | "equal" => (Math.max(decoder, pair) / Math.min(decoder, pair) < NEAR ? "equal" : decoder < pair ? "decoder" : "encoder-decoder");

// How near a factor or a size is: within `right` of the measured, within `near` of it, or neither.
export function nearness(yours: number, measured: number, right: number, near: number): Mark {
    const off = yours > 0 && measured > 0 ? Math.max(yours / measured, measured / yours) : Infinity;
    return off <= right ? "right" : off <= near ? "near" : "wrong";
}

// The length at which types of cache were measured: where both models are compared.
export function measuredAt(d: Long): number {
    const at = d.decoder.lengths.findIndex((c) => c.tokens === d.decoder.cache_types.f32.tokens);
    return at < 0 ? d.lengths.length - 1 : at;
}
const there = (d: Long, s: Side): Cost => d[s].lengths[measuredAt(d)];

export const caches = (c: Cost): number => c.self_cache_bytes + c.cross_cache_bytes;

// Numbers that the models which are measured keep of a token of the document: keys and values, layers, 2 key heads of 32.
const NUMBERS: Record<Side, number> = { decoder: 2 * 4 * 2 * 32, "encoder-decoder": 2 * 2 * 2 * 32 }; // the latter for cross-attention
const PAGE = 64, MORE = 256, SUMMARY = 24; // tokens: caches come in pages, and have room for what arrives and what is written
// What the document alone takes of a session's cache.
export function documentCache(side: Side, type: string, c: Cost): number {
    const token = NUMBERS[side] * valueBytes[type], held = side === "decoder" ? c.self_cache_bytes : c.cross_cache_bytes;
    const room = PAGE * Math.ceil((c.tokens + MORE + (side === "decoder" ? SUMMARY : 0)) / PAGE);
    // Documents differ by some tokens, so that room may be a page off; a model of another size is told by its bytes a token.
    return c.tokens * (Math.abs(held / (room * token) - 1) < 0.2 ? token : held / room);
}
const all = (c: Cost): number => caches(c) + c.activation_bytes;
const mean = (c: Cost): number => places.reduce((s, p) => s + c.recall[p] / places.length, 0);
const last = <T>(list: T[]): T => list[list.length - 1];
export const MIB = 2 ** 20;
// A fact is kept when nine words of ten of it come back, over the documents.
const KEPT = 0.9;

// The places whose fact is lost most; none when all are kept.
export function lostMost(c: Cost): Place[] {
    const least = Math.min(...places.map((p) => c.recall[p]));
    return least >= KEPT ? [] : places.filter((p) => c.recall[p] < least + 1e-9);
}

export interface LongPrediction {
    first: Side | "equal";
    again: number; // the encoder-decoder's time over the decoder's, when text has arrived
    cache: number; // MiB, of the document
    lost: Place | "none";
    fits: "yes" | "no";
}

export function gradeLong(d: Long, s: Setup, p: LongPrediction, planFits: boolean): Row[] {
    const decoder = there(d, "decoder"), pair = there(d, "encoder-decoder"), mine = d[s.paradigm].cache_types[s.cache];
    const first = less(decoder.first_token_ms, pair.first_token_ms), again = pair.arriving_ms / decoder.arriving_ms, lost = lostMost(mine), cache = documentCache(s.paradigm, s.cache, mine) / MIB;
    return [
        { id: "first", yours: p.first, measured: first, mark: p.first === first ? "right" : first === "equal" || p.first === "equal" ? "near" : "wrong" },
        { id: "again", yours: p.again, measured: again, mark: nearness(p.again, again, 1.5, 3) },
        { id: "cache", yours: p.cache, measured: cache, mark: nearness(p.cache, cache, 1.15, 2) },
        { id: "lost", yours: p.lost, measured: lost.length ? lost.join("+") : "none", mark: (lost.length ? (lost as string[]).includes(p.lost) : p.lost === "none") ? "right" : "wrong" },
        { id: "fits", yours: p.fits, measured: planFits ? "yes" : "no", mark: (p.fits === "yes") === planFits ? "right" : "wrong" },
    ];
}

// Facts of the first document that did not come back whole, of either model with the cache that was chosen.
export function lostFacts(d: Long, cache: string): Lost[] {
    return (["decoder", "encoder-decoder"] as const).flatMap((side) => {
        const told = d[side].cache_types[cache].first_document;
        return places.filter((p) => told[p].planted !== told[p].said).map((place) => ({ side, place, ...told[place] }));
    });
}

const by = (supports: boolean, contradicts: boolean): Weight => (supports ? "supports" : contradicts ? "contradicts" : "open");

// What the run says of the solution of step 1.
export function claimsLong(d: Long, s: Setup): Claim[] {
    const decoder = there(d, "decoder"), pair = there(d, "encoder-decoder"), plain = last(d.attention);
    const cost = (id: string, a: number, b: number, values: Record<string, number | string> = {}): Claim => {
        const who = less(a, b);
        return { id, weight: by(who === "decoder", who === "encoder-decoder"), values: { n: decoder.tokens, decoder: a, pair: b, ratio: Math.max(a, b) / Math.min(a, b), ...values } };
    };
    const f32 = d.decoder.cache_types.f32, mine = d.decoder.cache_types[s.cache];
    return [
        cost("whole", decoder.first_token_ms, pair.first_token_ms),
        cost("again", decoder.arriving_ms, pair.arriving_ms),
        cost("cross", decoder.token_ms, pair.token_ms),
        cost("memory", all(decoder), all(pair)),
        { id: "tiles", weight: by(plain.plain_bytes > NEAR * plain.tiled_bytes, plain.plain_bytes * NEAR < plain.tiled_bytes), values: { n: plain.tokens, plain: plain.plain_bytes, tiled: plain.tiled_bytes, ratio: plain.plain_bytes / plain.tiled_bytes } },
        {
            id: "type",
            weight: s.cache === "f32" || mean(f32) < 0.1 ? "open" : by(mean(mine) > mean(f32) - 0.05, mean(mine) < mean(f32) - 0.1),
            values: { n: mine.tokens, type: s.cache, bytes: caches(mine), of: caches(f32), recall: mean(mine), before: mean(f32) },
        },
    ];
}

/* ---- step 2: scaling ---- */

export type Law = "encoder" | Side;
export interface Estimate {
    value: number;
    low: number;
    high: number;
    determined: "determined" | "loosely" | "undetermined";
    why?: string;
}
export interface Rung {
    parameters: number;
    tokens: number;
    loss: number;
    flops: number;
}
export interface Fitted {
    alpha: Estimate;
    beta: Estimate;
    floor: number | null;
    runs: Rung[];
    recall: { tokens: number; accuracy: number }[];
}
export interface Scaling {
    quick: boolean;
    paradigms: Record<Law, Fitted>;
}

export const largest = (f: Fitted): Rung => f.runs.reduce((a, b) => (b.flops > a.flops ? b : a));
export const smallest = (f: Fitted): Rung => f.runs.reduce((a, b) => (b.flops < a.flops ? b : a));
// All but the run that is to be foretold.
export const heldOut = (f: Fitted): Rung[] => f.runs.filter((r) => r !== largest(f));

const GUESS = 0.25; // of the four places that a text names
const HALFWAY = (1 + GUESS) / 2;
export const recalled = (f: Fitted): number => (f.recall.length ? last(f.recall).accuracy : 0);

export interface ScalingPrediction {
    size: string; // the largest published model that fits
    loss: number; // nats, of the largest run
    miss: "near" | "some" | "far";
    recall: number; // per cent
    told: Estimate["determined"];
}

export const missOf = (share: number): ScalingPrediction["miss"] => (share < 0.03 ? "near" : share < 0.1 ? "some" : "far");

// `foretold`: the loss that a law through all but the largest run expects of it; `size`: the planner's.
export function gradeScaling(d: Scaling, s: Setup, p: ScalingPrediction, foretold: number, size: string): Row[] {
    const mine = d.paradigms[s.paradigm], loss = largest(mine).loss, miss = missOf(Math.abs(foretold / loss - 1)), share = 100 * recalled(mine);
    const steps = ["near", "some", "far"], off = Math.abs(p.recall - share);
    return [
        { id: "size", yours: p.size, measured: size, mark: p.size === size ? "right" : "wrong" },
        { id: "loss", yours: p.loss, measured: loss, mark: nearness(p.loss, loss, 1.1, 1.3) },
        { id: "miss", yours: p.miss, measured: miss, mark: p.miss === miss ? "right" : Math.abs(steps.indexOf(p.miss) - steps.indexOf(miss)) === 1 ? "near" : "wrong" },
        { id: "recall", yours: p.recall, measured: share, mark: off <= 8 ? "right" : off <= 20 ? "near" : "wrong" },
        { id: "told", yours: p.told, measured: mine.alpha.determined, mark: p.told === mine.alpha.determined ? "right" : "wrong" },
    ];
}

export function claimsScaling(d: Scaling, foretold: number): Claim[] {
    const decoder = d.paradigms.decoder, pair = d.paradigms["encoder-decoder"], top = largest(decoder), miss = Math.abs(foretold / top.loss - 1);
    const steeper = (key: "alpha" | "beta"): Claim => {
        const a = decoder[key], b = pair[key], known = a.determined !== "undetermined" && b.determined !== "undetermined";
        return {
            id: key,
            weight: known ? by(a.low > b.high, a.high < b.low) : "open",
            values: { decoder: a.value, decoder_low: a.low, decoder_high: a.high, pair: b.value, pair_low: b.low, pair_high: b.high, known: known ? "yes" : "no" },
        };
    };
    const mine = recalled(decoder), theirs = recalled(pair);
    return [
        { id: "foretold", weight: by(miss < 0.03, miss >= 0.1), values: { n: heldOut(decoder).length, parameters: top.parameters, tokens: top.tokens, foretold, loss: top.loss, miss } },
        { id: "falls", weight: by(top.loss < smallest(decoder).loss / NEAR, top.loss > smallest(decoder).loss), values: { from: smallest(decoder).loss, to: top.loss, times: top.flops / smallest(decoder).flops, floor: decoder.floor ?? 0 } },
        steeper("alpha"),
        steeper("beta"),
        { id: "ability", weight: by(mine > HALFWAY, mine < GUESS + 0.08), values: { decoder: mine, pair: theirs, guess: GUESS, tokens: decoder.recall.length ? last(decoder.recall).tokens : 0 } },
        { id: "zero_shot", weight: "open", values: {} },
    ];
}

// How the solution stands: claims that the numbers support, contradict and leave open.
export function verdict(claims: Claim[]): Record<Weight, number> {
    const count = (w: Weight) => claims.filter((c) => c.weight === w).length;
    return { supports: count("supports"), contradicts: count("contradicts"), open: count("open") };
}
