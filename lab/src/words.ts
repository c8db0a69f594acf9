// words.ts - the words of the page in the reader's language. Lessons are lab/text/LANGUAGE/*.md, labels words.json beside them.
import en from "../text/en/words.json";
import zh from "../text/zh/words.json";
import * as state from "./state";

export const languages = ["en", "zh"] as const;
export type Language = (typeof languages)[number];
export type Word = keyof typeof en;

const all: Record<Language, Record<Word, string>> = { en, zh };

function wanted(): Language {
    const asked = state.read().values.lang as Language;
    if (languages.includes(asked)) return asked;
    const kept = state.kept<string>("language", "");
    if (languages.includes(kept as Language)) return kept as Language;
    return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let now: Language = wanted();
export const language = (): Language => now;
export function refreshLanguage(): Language {
    now = wanted();
    return now;
}

// A label, with {name} replaced by values.name.
export function say(word: Word, values: Record<string, string | number> = {}): string {
    return all[now][word].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const percent = (p: number): string => (p >= 0.9995 ? "100%" : p === 0 ? "0%" : p < 0.0005 ? "<0.1%" : `${(100 * p).toFixed(1)}%`);
// Enough digits to tell two scores apart, never more than the picture has room for.
export const short = (x: number): string => {
    const a = Math.abs(x);
    const text = a !== 0 && a < 0.0005 ? x.toExponential(1) : a < 10 ? x.toFixed(3) : a < 1000 ? x.toFixed(1) : x.toFixed(0);
    return text.replace("-", "−");
};
export const whole = (x: number): string => x.toLocaleString(now === "zh" ? "zh-CN" : "en-US", { maximumFractionDigits: 0 });
// So many things, as people say it: 11.7M, 1170万.
export const about = (x: number): string => x.toLocaleString(now === "zh" ? "zh-CN" : "en-US", { notation: "compact", maximumSignificantDigits: 3 });
// Names one after the other.
export const listed = (names: string[]): string => names.join(now === "zh" ? "、" : ", ");
export function bytes(x: number): string {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    for (; x >= 1024 && i < units.length - 1; i++) x /= 1024;
    return `${i === 0 || x >= 100 ? x.toFixed(0) : x.toPrecision(3)} ${units[i]}`;
}
