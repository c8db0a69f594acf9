// masking.test.mjs - words of a text, by tokens of any script; how a token reads; spans that are cut out. No engine, no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

globalThis.location ??= { hash: "" };
globalThis.navigator ??= { language: "en" };
const m = await load("src/sections/masking.ts"), b = await load("src/pictures/bars.ts"), c = await load("src/sections/corrupt.ts");

// Tokens of a text at its characters' places; `own` cuts it.
const size = (t) => new TextEncoder().encode(t).length;
const cut = (pieces) => {
    let at = 0;
    return pieces.map((p) => ({ start: at, end: (at += size(p)) }));
};
const texts = (pieces) => m.wordsOf(pieces.join(""), cut(pieces)).map((w) => w.text);

test("pieces of a word are one word, in any alphabet; signs stand alone and are none", () => {
    assert.deepEqual(texts(["Z", "ü", "rich", " is", " nice", "."]), ["Zürich", "is", "nice"]);
    assert.deepEqual(texts(["при", "вет", " мир", "!"]), ["привет", "мир"]);
    assert.deepEqual(texts(["नम", "स्ते"]), ["नमस्ते"]);
    assert.deepEqual(texts(["!", "!!"]), []);
    assert.deepEqual(texts(["don", "'", "t"]), ["don", "t"]);
    // Scripts without spaces: a token is a word.
    assert.deepEqual(texts(["你好", "世界"]), ["你好", "世界"]);
});

test("tokens that are bytes of the same characters are one word, and what hides it hides all of it", () => {
    const text = "a 你好 😀 b", bytes = [[1, 2], [2, 8], [2, 8], [2, 8], [2, 8], [8, 9], [9, 13], [9, 13], [13, 15]];
    const found = m.wordsOf(text, [{ start: 0, end: 1 }, ...bytes.map(([start, end]) => ({ start, end })), { start: 0, end: 0, special: true }]);
    assert.deepEqual(found.map((w) => w.text), ["a", "你好", "b"]);
    assert.equal(m.hide(text, found[1], "<mask>"), "a <mask> 😀 b");
    assert.equal(m.hide(text, found[2], "<mask>"), "a 你好 😀 <mask>");
});

test("gaps of a text: those it has, and one where there is neither gap nor word", () => {
    assert.equal(m.withGap("!!!", "[MASK]"), "!!! [MASK]");
    assert.equal(m.withGap("a [MASK]", "[MASK]"), "a [MASK]");
    assert.equal(m.gaps("[MASK] ü [MASK]", "[MASK]"), 2);
    assert.equal(m.gaps("[MASK] ü [MASK]", "[MASK]", size("[MASK] ü")), 1);
});

test("a token that is no text by itself reads as its bytes", () => {
    assert.equal(b.read({ token: "<0xE4>", text: "\ufffd" }), "<0xE4>");
    assert.equal(b.read({ token: "Ġä¸", text: " \ufffd" }), "␣<0xE4><0xB8>");
    assert.equal(b.read({ token: "▁the", text: " the" }), "␣the");
    assert.equal(b.read({ token: "▁the" }), "␣the");
    assert.equal(b.read({ token: "[MASK]", text: "[MASK]", special: true }), "[MASK]");
});

test("spans: as many tokens as wanted, never side by side, in the text; another draw changes even a single one", () => {
    for (const [n, share, mean] of [[11, 0.15, 3], [40, 0.15, 3], [40, 0.5, 1], [5, 0.5, 5]]) {
        const places = new Set();
        for (let seed = 1; seed <= 40; seed++) {
            const spans = c.spans(n, share, mean, c.generator(seed));
            assert.equal(spans.reduce((s, [from, to]) => s + to - from, 0), Math.min(n - 1, Math.max(1, Math.round(n * share))));
            spans.forEach(([from, to], i) => assert.ok(from >= 0 && to > from && to <= n && (!i || from > spans[i - 1][1])));
            places.add(spans.join());
        }
        assert.ok(places.size > 1, `${n} tokens: always the same`);
    }
});
