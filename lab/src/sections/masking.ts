// masking.ts - words of a text by the tokens they begin with, a text with one of them hidden, and what a model holds likely there.
import { task, tokenize, trace, type Model } from "../engine";
import { read } from "../pictures/bars";

export interface Word {
    text: string;
    start: number; // bytes of the text, as the engine counts
    end: number;
}

interface Span {
    start: number;
    end: number;
    special?: boolean;
}

const encoder = new TextEncoder(), decoder = new TextDecoder();
const size = (text: string): number => encoder.encode(text).length;

export function slice(text: string, start: number, end: number): string {
    return decoder.decode(encoder.encode(text).slice(start, end));
}

// What a word is made of; scripts without spaces have a word for each token instead.
const inWord = /[\p{L}\p{N}\p{M}_]/u, alone = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const joins = (c: string | undefined): boolean => !!c && inWord.test(c) && !alone.test(c);

// Tokens that follow one another without a gap are one word; signs stand alone. Bytes of one character share its place in the text.
export function wordsOf(text: string, tokens: Span[]): Word[] {
    const spans: Span[] = [];
    for (const { start, end } of tokens.filter((t) => !t.special && t.end > t.start)) {
        const last = spans[spans.length - 1];
        if (last && start < last.end) last.end = Math.max(last.end, end);
        else spans.push({ start, end });
    }
    const out: Word[] = [];
    for (const s of spans) {
        const own = slice(text, s.start, s.end), bare = own.trim();
        if (!bare) continue;
        const start = s.start + size(own.slice(0, own.length - own.trimStart().length)), end = start + size(bare), last = out[out.length - 1];
        if (last && last.end === start && joins([...last.text].pop()) && joins([...bare][0])) {
            last.end = end;
            last.text += bare;
        } else out.push({ text: bare, start, end });
    }
    return out.filter((w) => /[\p{L}\p{N}]/u.test(w.text));
}

export async function words(m: Model, text: string, signal?: AbortSignal): Promise<Word[]> {
    return wordsOf(text, (await tokenize(m.id, text, signal)).tokens);
}

export function hide(text: string, word: Word, mask: string): string {
    const all = encoder.encode(text);
    return decoder.decode(all.slice(0, word.start)) + mask + decoder.decode(all.slice(word.end));
}

export const maskOf = (m: Model): string => m.mask_token ?? "[MASK]";
// How many gaps a text has, before the byte `end` of it.
export const gaps = (text: string, mask: string, end = Infinity): number => slice(text, 0, Math.min(end, size(text))).split(mask).length - 1;
// A text with a gap at least: one that has neither a gap nor a word gets one at its end.
export const withGap = (text: string, mask: string): string => (gaps(text, mask) ? text : `${text.trimEnd()} ${mask}`);

export interface Guess {
    token: number;
    score: number;
    token_str: string;
}

// What could stand in each gap of a text. A byte that is no text by itself is told by its piece, which a trace knows.
export async function fill(m: Model, masked: string, n: number, signal?: AbortSignal): Promise<Guess[][]> {
    const said = await task<Guess[] | Guess[][]>("fill-mask", m.id, masked, { top_k: n }, signal);
    const all = Array.isArray(said[0]) ? (said as Guess[][]) : [said as Guess[]], odd = all.flat().filter((g) => g.token_str.includes("\ufffd"));
    if (odd.length) {
        const { tokens } = await trace({ model: m.id, tokens: odd.slice(0, 100).map((g) => g.token), top: 1 }, signal);
        tokens.forEach((t, i) => (odd[i].token_str = read(t)));
    }
    return all;
}
