// texts.test.mjs - the two languages say the same things in the same order: anchors, demonstrations, formulas, sources, answers.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { top } from "./load.mjs";

const read = (language, file) => readFileSync(join(top, "text", language, file), "utf8");
const files = readdirSync(join(top, "text", "en"));
const all = (text, pattern) => [...text.matchAll(pattern)].map((m) => m[1]);

test("every text is there in both languages", () => assert.deepEqual(readdirSync(join(top, "text", "zh")), files));

for (const file of files.filter((f) => f.endsWith(".md")))
    test(`${file}: the same bones`, () => {
        const [en, zh] = [read("en", file), read("zh", file)];
        for (const [what, pattern] of [
            ["anchors", /\{#([a-z0-9-]+)\}/g],
            ["demonstrations", /^@(\w+)/gm],
            ["display formulas", /^\$\$(.*)\$\$$/gm],
            ["sources", /\]\(([^)\s]+)\)/g],
            ["headings", /^(#+) /gm],
        ])
            assert.deepEqual(all(zh, pattern), all(en, pattern), `${file}: ${what}`);
        // Sentence orders differ, so formulas in a line may come in another order.
        assert.deepEqual(all(zh, /(?<!\$)\$([^$\n]+)\$/g).sort(), all(en, /(?<!\$)\$([^$\n]+)\$/g).sort(), `${file}: formulas`);
        assert.match(zh, /[\u4e00-\u9fff]/);
    });

test("labels: the same names, the same places for values", () => {
    const [en, zh] = ["en", "zh"].map((l) => JSON.parse(read(l, "words.json")));
    assert.deepEqual(Object.keys(zh), Object.keys(en));
    for (const k of Object.keys(en)) assert.deepEqual(all(zh[k], /\{(\w+)\}/g).sort(), all(en[k], /\{(\w+)\}/g).sort(), k);
    const sources = readdirSync(join(top, "src"), { recursive: true }).filter((f) => String(f).endsWith(".ts"));
    const text = sources.map((f) => readFileSync(join(top, "src", String(f)), "utf8")).join("\n");
    for (const k of all(text, /say\("(\w+)"/g)) assert.ok(k in en, `there is no label "${k}"`);
});

test("quiz: the same questions, one right answer each, and every choice explained", () => {
    const [en, zh] = ["en", "zh"].map((l) => JSON.parse(read(l, "quiz.json")));
    assert.ok(en.length >= 10);
    const bones = (q) => q.map((x) => ({ id: x.id, see: x.see, right: x.choices.findIndex((c) => c.right), n: x.choices.length }));
    assert.deepEqual(bones(zh), bones(en));
    for (const q of [...en, ...zh]) {
        assert.equal(q.choices.filter((c) => c.right).length, 1, q.id);
        for (const c of q.choices) assert.ok(c.why && c.say, q.id);
    }
});
