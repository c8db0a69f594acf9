// masking.ts - words of a text by the tokens they begin with, and a text with one of them hidden.
import { tokenize, type Model } from "../engine";

export interface Word {
    text: string;
    start: number; // bytes of the text, as the engine counts
    end: number;
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

export function slice(text: string, start: number, end: number): string {
    return decoder.decode(encoder.encode(text).slice(start, end));
}

// Tokens that follow one another without a gap are one word; signs stand alone.
export async function words(m: Model, text: string, signal?: AbortSignal): Promise<Word[]> {
    const { tokens } = await tokenize(m.id, text, signal);
    const out: Word[] = [];
    for (const t of tokens) {
        if (t.special || t.end <= t.start) continue;
        const own = slice(text, t.start, t.end), start = t.start + (own.length - own.trimStart().length);
        const last = out[out.length - 1];
        if (last && last.end === start && /\w$/u.test(last.text) && /^\w/u.test(own.trimStart())) {
            last.end = t.end;
            last.text = slice(text, last.start, last.end);
        } else if (own.trim()) out.push({ text: own.trim(), start, end: t.end });
    }
    return out.filter((w) => /[\p{L}\p{N}]/u.test(w.text));
}

export function hide(text: string, word: Word, mask: string): string {
    const all = encoder.encode(text);
    return decoder.decode(all.slice(0, word.start)) + mask + decoder.decode(all.slice(word.end));
}
