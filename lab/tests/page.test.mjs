// page.test.mjs - the page in a browser, on a running engine: each part in both languages, its numbers against the engine's, by
// mouse, by keyboard alone, at 360 px, in light and dark; and what it says when the engine goes away.
//
//   TRINE=build/trine BROWSER=/usr/bin/chromium node --test tests/page.test.mjs
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { address, ask, close as closeAll, home, open, read, sections, settled, setUp, startAgain, stopEngine, until, violations } from "./lab.mjs";
import { top } from "./load.mjs";

const SHOTS = process.env.LAB_SHOTS; // a folder: pictures of every part go there

before(setUp);
after(closeAll);

for (const section of sections)
    for (const lang of ["en", "zh"])
        test(`${section}, ${lang}: drawn whole, reachable, accessible, in light and dark and at 360 px`, async () => {
            const { page, faults, close } = await open(`#${section}?lang=${lang}`, { colorScheme: lang === "en" ? "light" : "dark" });
            assert.equal(await page.getAttribute("html", "lang"), lang === "en" ? "en" : "zh-CN");
            assert.equal(await page.locator("[aria-current=page]").count(), 1);
            const failed = await page.$$eval(".demo[data-state=failed]", (d) => d.map((x) => `${x.dataset.demo}: ${x.textContent}`));
            // summaries: no model of the tests makes any, and the page is to say so
            assert.deepEqual(failed, []);
            assert.deepEqual(await violations(page), []);
            for (const d of await page.$$("details.behind > summary")) await d.click();
            await until(page, () => [...document.querySelectorAll("figure.picture")].every((f) => f.querySelector("details table")), null, "a table behind every picture");
            if (SHOTS) {
                mkdirSync(SHOTS, { recursive: true });
                for (const d of await page.$$("details.behind > summary")) await d.click();
                await page.screenshot({ path: join(SHOTS, `${section}.${lang}.png`), fullPage: true });
            }
            await page.setViewportSize({ width: 360, height: 740 });
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(wide <= 360, `${wide} px wide on a screen of 360`);
            if (lang === "en") assert.deepEqual(await violations(page), []);
            assert.deepEqual(faults, []);
            await close();
        });

test("attention: the map, the factors and the tiles show the engine's numbers", async () => {
    const { page, faults, close } = await open("#attention?model=tiny-llama&layer=1&head=1&text=one two three&tmodel=tiny-llama&ttext=one two three&factor=dot");
    const t = await ask("/trace", { model: "tiny-llama", text: "one two three", attention: true, parts: true, layers: [1], heads: [1] });
    const a = t.attention.find((x) => x.kind === "self" && x.layer === 1), n = t.tokens.length;
    const demo = page.locator("[data-demo=factors]");
    // By the keyboard alone: to the first cell of the last row, and its words.
    const map = demo.locator(".heatmap");
    await map.focus();
    for (let i = 0; i < n; i++) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Home");
    const told = await demo.locator(".told").innerText();
    assert.ok(Math.abs(read(/([−\d.e-]+)$/.exec(told)[1]) - a.weights[0][n - 1][0]) < 6e-4, told);
    const part = (name) => t.parts.find((p) => p.kind === "self" && p.layer === 1 && p.part === name).values[0];
    const q = part("query")[n - 1], k = part("key")[0], product = q.reduce((s, x, i) => s + x * k[i], 0);
    const fact = (await demo.locator(".factor-text dd").first().innerText()).split("=").pop().trim();
    assert.ok(Math.abs(read(fact) - product) <= 6e-4 * Math.max(1, Math.abs(product)), `${fact} is not ${product}`);
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await demo.locator(".told").innerText(), told);
    // The scale: q . k / sqrt(d) is the engine's score.
    await demo.getByRole("radio", { name: /÷/ }).check();
    const scores = await demo.locator(".factor-text dd").allInnerTexts();
    assert.equal(scores[0].split("=").pop().trim(), scores[1]);
    assert.ok(page.url().includes("factor=scale"));
    // The tiles end at the engine's own result.
    const tiles = page.locator("[data-demo=tiles]");
    for (let i = 0; i < 12; i++) await tiles.getByRole("button", { name: "Next tile" }).click();
    assert.ok(Number(await tiles.locator("[data-worst]").getAttribute("data-worst")) < 1e-5);
    assert.equal(await tiles.getByRole("button", { name: "Play" }).count(), 0, "motion, though less of it was asked for");
    assert.deepEqual(faults, []);
    await close();
});

test("attention: masks and the scale change what the engine computes", async () => {
    const { page, faults, close } = await open("#attention?mmodel=tiny-llama&mtext=one two three four&mask=window&size=2&smodel=tiny-llama&stext=one two three");
    const masks = page.locator("[data-demo=masks]");
    const n = (await ask("/tokenize", { model: "tiny-llama", text: "one two three four" })).tokens.length;
    assert.match(await masks.locator(".fact dd").first().innerText(), new RegExp(`^${2 * n - 1} / ${n * n}$`));
    const windowed = await ask("/trace", { model: "tiny-llama", text: "one two three four", attention: true, mask: "window:2" });
    assert.equal(windowed.attention[0].weights[0][n - 1][0], 0);
    const maps = masks.locator(".heatmap");
    assert.equal(await maps.nth(1).locator(".blocked").count(), n * n - (2 * n - 1));
    await masks.getByRole("radio", { name: "cross", exact: true }).check();
    await settled(page);
    assert.match(await masks.locator(".note").innerText(), /encoder-decoder/);
    const scale = page.locator("[data-demo=scale]");
    const [on, off] = [await scale.locator("tbody tr").nth(2).locator("td").nth(0).innerText(), await scale.locator("tbody tr").nth(2).locator("td").nth(1).innerText()];
    const d = (await ask("/v1/models")).data.find((m) => m.id === "tiny-llama").d_head;
    assert.ok(Math.abs(read(off) / read(on) - Math.sqrt(d)) < 0.05 * Math.sqrt(d) || read(off) > read(on));
    assert.deepEqual(faults, []);
    await close();
});

test("attention: two quick moves, and the answer to the second is shown", async () => {
    const { page, faults, close } = await open("#attention?tmodel=tiny-llama&ttext=one two three four");
    // Each answer takes a while: the second move comes before the first one's is there, and asks the same of the engine.
    await page.route("**/trace", async (r) => {
        await new Promise((done) => setTimeout(done, 500));
        await r.continue().catch(() => {});
    });
    const tiles = page.locator("[data-demo=tiles]");
    await tiles.getByLabel("Head", { exact: true }).focus();
    await page.keyboard.press("ArrowRight");
    await tiles.getByLabel("Keys in a tile").focus();
    await page.keyboard.press("ArrowLeft");
    await settled(page);
    assert.equal(await tiles.getAttribute("data-state"), "done", await tiles.innerText());
    const { tokens } = await ask("/tokenize", { model: "tiny-llama", text: "one two three four", add_special: true });
    assert.equal(await tiles.locator(".fact dd").first().innerText(), `1 / ${Math.ceil(tokens.length / 3)}`);
    assert.deepEqual(faults, []);
    await close();
});

test("texts without letters, with gaps of their own, and none at all", async () => {
    const gap = (await ask("/v1/models")).data.find((m) => m.id === "tiny-bert").mask_token;
    for (const [text, gaps] of [["!!!", 1], ["😀", 1], [`one ${gap} two ${gap}`, 2], [`${gap}`, 1]]) {
        const { page, faults, close } = await open(`#one_model?text=${encodeURIComponent(text)}`);
        assert.equal(await page.locator("[data-demo=side_by_side]").getAttribute("data-state"), "done");
        assert.equal(await page.locator(".column.encoder .bars").count(), gaps, text);
        await page.goto(`${address}/#paradigms?masked=${encodeURIComponent(text)}`);
        await settled(page);
        assert.equal(await page.locator("[data-demo=mask]").getAttribute("data-state"), "done");
        assert.ok((await page.locator("[data-demo=mask] .bars li").count()) > 1, text);
        assert.deepEqual(faults, []);
        await close();
    }
    // What is refused is told in the page's words, and what was shown before is told apart.
    const { page, close } = await open("#paradigms?lang=zh");
    const demo = page.locator("[data-demo=sentiment]"), text = demo.locator("input[type=text]");
    for (const [now, said] of [["", /没有文本/], ["word ".repeat(48), /文本太长：有 \d+ 个词元，这里最多 \d+ 个/]]) {
        await text.fill(now);
        await text.press("Enter");
        await until(page, () => document.querySelector("[data-demo=sentiment]").dataset.state === "failed", null, "the refusal");
        assert.match(await demo.locator(".status").innerText(), said);
        assert.equal(await demo.locator(".output.of-before").count(), 1);
        await text.fill("a cat");
        await text.press("Enter");
        await until(page, () => document.querySelector("[data-demo=sentiment]").dataset.state === "done", null, "the answer");
        assert.equal(await demo.locator(".output.of-before").count(), 0);
    }
    await close();
});

test("paradigms: what is shown after the settings is what the sampler draws from", async () => {
    const { page, faults, close } = await open("#paradigms?begin=one two&temp=2&k=0&p=0.6");
    const steps = page.locator("[data-demo=steps]");
    const { tokens } = await ask("/tokenize", { model: "tiny-llama", text: "one two", add_special: true }), ids = tokens.map((t) => t.id);
    const { logits, spread } = await ask("/trace", { model: "tiny-llama", tokens: ids, top: 100, spread: true });
    // softmax(z / 2) over those that reach 0.6 at temperature 1.
    const e = spread.map((z) => Math.exp(z - spread[0])), all = e.reduce((a, b) => a + b);
    let kept = 0;
    for (let sum = 0; sum < Math.fround(0.6) * all; kept++) sum += e[kept];
    assert.ok(kept > 1 && kept < spread.length);
    const hot = spread.slice(0, kept).map((z) => Math.exp((z - spread[0]) / 2)), share = hot[0] / hot.reduce((a, b) => a + b);
    assert.equal((await steps.locator(".fact dd").first().innerText()).replace(/,/g, ""), String(kept));
    assert.ok(Math.abs(parseFloat(await steps.locator(".bars .value").first().innerText()) - 100 * share) < 0.051);
    // The engine draws from the same, and from nothing else.
    const names = logits[logits.length - 1].slice(0, kept).flatMap((t) => [t.text, t.token]), drawn = new Set();
    for (let seed = 1; seed <= 40; seed++) {
        const { choices } = await ask("/v1/completions", { model: "tiny-llama", prompt: ids, max_tokens: 1, temperature: 2, top_k: 0, top_p: 0.6, min_p: 0, seed, logprobs: 1 });
        drawn.add(choices[0].logprobs.tokens[0]);
    }
    for (const t of drawn) assert.ok(t === undefined || kept > 100 || names.includes(t), `'${t}' was drawn`);
    // Over the whole vocabulary a hot temperature leaves the likeliest less than it has among a hundred.
    await page.goto(`${address}/#paradigms?begin=one two&temp=2&k=0&p=1`);
    await settled(page);
    const whole = 1 / spread.reduce((s, z) => s + Math.exp((z - spread[0]) / 2), 0);
    assert.ok(Math.abs(parseFloat(await steps.locator(".bars .value").first().innerText()) - 100 * whole) < 0.051);
    // A second press before the answer takes nothing from what was shown for the text before.
    await page.route("**/trace", async (r) => {
        await new Promise((done) => setTimeout(done, 300));
        await r.continue().catch(() => {});
    });
    const n = await steps.locator(".tokens li").count();
    await steps.getByRole("button", { name: "Take the likeliest" }).dblclick({ force: true });
    await until(page, (k) => document.querySelectorAll("[data-demo=steps] .tokens li").length === k, n + 1, "the token");
    await settled(page);
    assert.equal(await steps.locator(".tokens li").count(), n + 1);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Take the likeliest");
    assert.deepEqual(faults, []);
    await close();
});

test("paradigms: a word hidden, a token taken, a sentence translated", async () => {
    const { page, faults, close } = await open("#paradigms");
    const mask = page.locator("[data-demo=mask]");
    await mask.locator(".tokens button").first().focus();
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await mask.locator(".tokens button").first().getAttribute("aria-pressed"), "true");
    assert.ok(page.url().includes("word=0"));
    const steps = page.locator("[data-demo=steps]"), chips = steps.locator(".tokens li");
    const before_ = await chips.count();
    await steps.getByRole("button", { name: "Take the likeliest" }).click();
    await settled(page);
    await steps.getByRole("button", { name: "Draw", exact: true }).click();
    await until(page, (n) => document.querySelectorAll("[data-demo=steps] .tokens li").length === n, before_ + 2, "the token drawn");
    await settled(page);
    await steps.getByRole("button", { name: "Take one back" }).click();
    await until(page, (n) => document.querySelectorAll("[data-demo=steps] .tokens li").length === n, before_ + 1, "a token less");
    // The cache is the formula's, with the model's own sizes.
    const m = (await ask("/v1/models")).data.find((x) => x.id === "tiny-llama");
    const each = 2 * m.layers * m.kv_heads * m.d_head * 2;
    assert.match(await steps.locator(".fact dd").nth(1).innerText(), new RegExp(`^${before_ + 1} × ${each < 1024 ? each : ""}`));
    // The page's tree and the engine's own beam search.
    const [said] = await ask("/tasks/translation", { model: "translator", inputs: "I have no time today.", parameters: { src_lang: "en", tgt_lang: "de", num_beams: 3 } });
    assert.equal(await page.locator("[data-demo=beams] .fact dd").nth(1).innerText(), said.translation_text);
    const best = await page.locator("[data-demo=beams] .fact dd").first().innerText();
    assert.ok(best.startsWith(said.translation_text), `${best} is not ${said.translation_text}`);
    assert.deepEqual(faults, []);
    await close();
});

test("memory: the cache and the curve are the planner's, and it opens no path", async () => {
    const { page, faults, close } = await open("#memory?gn=8192&fx=24&fc=100");
    const dd = async (demo, i) => (await page.locator(`[data-demo=${demo}] .fact dd`).nth(i).innerText()).trim();
    assert.deepEqual([await dd("growth", 0), await dd("growth", 1), await dd("growth", 2)], ["128 KiB", "8,192", "1.00 GiB"]);
    const p = await ask("/plan", { model: "llama-3-8b", contexts: [8192, 100000], cache_type: "f16", memory: 24 * 2 ** 30 });
    assert.equal(p.contexts[0].kv_bytes, 2 ** 30); // 2 x 32 x 8 x 128 x 2 bytes, 8,192 times
    assert.equal(p.contexts[1].kv_bytes, 2 * 32 * 8 * 128 * 2 * 100000);
    assert.equal(await page.locator("[data-demo=fits] .verdict").getAttribute("data-fits"), p.contexts[1].fits ? "yes" : "no");
    assert.ok((await page.locator("[data-demo=fits] .verdict").innerText()).includes(p.longest_context.toLocaleString("en-US")));
    // What the model was made for is said beside what memory has room for.
    assert.equal(await page.locator("[data-demo=fits] [data-made]").getAttribute("data-made"), String(p.max_tokens));
    assert.ok(p.longest_context > p.max_tokens);
    assert.match(await page.locator("[data-demo=growth] .formula").first().getAttribute("aria-label"), /128 \\cdot 2 = 131/);
    await page.locator("[data-demo=growth]").getByLabel("Cache type").selectOption("q8_0");
    await until(page, () => /tfrac\{34\}\{32\} = 69\{,\}632/.test(document.querySelector("[data-demo=growth] .formula").getAttribute("aria-label")), null, "the exact formula");
    await page.locator("[data-demo=growth]").getByLabel("Cache type").selectOption("f16");
    await settled(page);
    // The bands and the memory's line stand where the axis says.
    const ticks = await page.$$eval("[data-demo=fits] svg .axis:nth-of-type(1) .tick", (all) => all.map((t) => [Number(t.textContent), Number(/,([\d.]+)\)/.exec(t.getAttribute("transform"))[1])]));
    const [low, high] = [ticks[0], ticks[ticks.length - 1]], at = (gib) => low[1] + ((gib - low[0]) / (high[0] - low[0])) * (high[1] - low[1]);
    const line = await page.locator("[data-demo=fits] svg > line").getAttribute("y1"), band = await page.locator("[data-demo=fits] svg > path").nth(2).getAttribute("d");
    const shortest = (await ask("/plan", { model: "llama-3-8b", contexts: [1024], cache_type: "f16" })).contexts[0];
    assert.ok(Math.abs(Number(line) - at(24)) < 1, `the memory's line is at ${line}, not ${at(24)}`);
    assert.ok(Math.abs(Number(/^M[\d.]+,([\d.]+)/.exec(band)[1]) - at(shortest.total_bytes / 2 ** 30)) < 1, band);
    // Half the key heads, half the cache: by the keyboard.
    await page.locator("[data-demo=growth]").getByLabel("Key heads of query heads").focus();
    await page.keyboard.press("ArrowLeft");
    assert.equal(await dd("growth", 0), "64.0 KiB");
    for (const model of ["/etc/passwd", "../models/translator", ""]) {
        const r = await fetch(address + "/plan", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ model }) });
        assert.equal(r.status, 404);
        assert.equal((await r.json()).error.code, "model_not_found");
    }
    assert.deepEqual(faults, []);
    await close();
});

test("runs: the real command streams into the terminal, is stopped, and its state is told", async () => {
    const { page, faults, close } = await open("#arch_comparison?experiment=scaling");
    const demo = page.locator("[data-demo=arch_comparison]");
    await until(page, () => /Ready\. Click "Run" to execute\./.test(document.querySelector(".xterm-accessibility-tree")?.textContent ?? document.querySelector(".xterm")?.textContent ?? ""), null, "the terminal's first line");
    await demo.getByRole("button", { name: "Run", exact: true }).click();
    await until(page, () => /Running, \d+ s/.test(document.querySelector("[data-demo=arch_comparison] .status").textContent), null, "the run");
    // One at a time.
    const second = await fetch(address + "/runs", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ experiment: "scaling" }) });
    assert.equal(second.status, 409);
    await until(page, async () => (await (await fetch("/runs/0", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })).json()).text.length > 0, null, "something written");
    await demo.getByRole("button", { name: "Stop" }).click();
    await until(page, () => /Stopped after \d+ s, exit status \d+/.test(document.querySelector("[data-demo=arch_comparison] .status").textContent), null, "the end");
    assert.equal((await ask("/runs")).runs[0].report, undefined, "what was stopped has found nothing");
    assert.deepEqual(await violations(page), []);
    for (const [body, status] of [[{ experiment: "; rm -rf /" }, 400], [{ experiment: 3 }, 400]]) {
        const r = await fetch(address + "/runs", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        assert.equal(r.status, status);
    }
    assert.equal((await fetch(address + "/runs/99", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })).status, 404);
    assert.deepEqual(faults, []);
    await close();
});

test("runs of the record: those of the command too, opened again and compared", async () => {
    const sizes = ["--lengths", "100", "--train-tokens", "20000", "-t", "1", "-q"];
    for (const seed of ["1", "2"]) {
        const command = spawn(process.env.TRINE, ["compare", "long-document", ...sizes, "--seed", seed], { stdio: "ignore", env: { ...process.env, HOME: home, XDG_DATA_HOME: "" } });
        assert.deepEqual(await once(command, "exit"), [0, null]);
    }
    const { record } = await ask("/runs");
    assert.deepEqual(record.slice(0, 2).map((r) => r.experiment), ["long-document", "long-document"]);
    assert.ok(record[0].id > record[1].id && record[0].seconds > 0 && record[0].machine.includes("core"));
    const { page, faults, close } = await open("#arch_comparison");
    const past = page.locator(".past-runs");
    await until(page, () => document.querySelectorAll("[data-past]").length >= 2, null, "the list");
    await past.locator(`[data-past="${record[1].id}"]`).focus();
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelector(".past-runs").dataset.opened === "1", null, "the report");
    assert.match(await past.frameLocator("iframe").locator("h1").innerText(), /Long documents/);
    await past.locator(`[data-past="${record[0].id}"]`).click();
    await until(page, () => document.querySelector(".past-runs").dataset.opened === "2", null, "both reports");
    await past.locator("details.behind summary").click();
    const { html } = await ask(`/runs/record/${record[1].id}`);
    const numbers = JSON.parse(/id="numbers">(.*?)<\/script>/s.exec(html)[1]);
    const row = past.locator("tr", { hasText: "decoder · train seconds" }).first();
    assert.ok(Math.abs(read(await row.locator("td").first().innerText()) - numbers.decoder.train_seconds) < 6e-4);
    assert.match(page.url(), new RegExp(`experiment_past=${record[1].id}%2C${record[0].id}`));
    assert.deepEqual(await violations(page), []);
    assert.equal((await fetch(address + "/runs/record/99999")).status, 404);
    assert.equal((await fetch(address + "/runs/record/..%2Fx")).status, 404);
    for (const settings of [{ lengths: [5] }, { lengths: "150; ls" }, { report: "/tmp/x" }, { train_tokens: 1.5 }, { sizes: [20000] }]) {
        const r = await fetch(address + "/runs", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ experiment: "long-document", settings }) });
        assert.equal(r.status, 400, JSON.stringify(settings));
    }
    assert.deepEqual(faults, []);
    await close();
});

test("quiz: every choice is explained, and the answers are there after a reload", async () => {
    const { page, faults, close } = await open("#quiz?lang=en");
    const questions = JSON.parse(readFileSync(join(top, "text/en/quiz.json"), "utf8"));
    for (const q of questions) {
        const box = page.locator(`[data-question=${q.id}]`);
        const wrong = q.choices.findIndex((c) => !c.right), right = q.choices.findIndex((c) => c.right);
        await box.locator("input").nth(wrong).check();
        assert.match(await box.locator("[role=status]").innerText(), /Not this one/);
        assert.equal(await box.locator(".explain:visible").count(), q.choices.length);
        await box.locator("input").nth(right).check();
        assert.match(await box.locator("[role=status]").innerText(), /Right/);
    }
    const all = `${questions.length} of ${questions.length} answered, ${questions.length} right`;
    assert.equal(await page.locator(".progress").innerText(), all);
    await page.reload();
    await settled(page);
    assert.equal(await page.locator(".progress").innerText(), all);
    // Two tabs: what the other has answered stays.
    const other = await page.context().newPage(), nth = (p, i) => p.locator("[data-question]").nth(i);
    await page.evaluate(() => localStorage.removeItem("trine.quiz"));
    await page.reload();
    await other.goto(`${address}/#quiz?lang=en`);
    await nth(page, 0).locator("input").first().check();
    await nth(other, 1).locator("input").first().check();
    assert.match(await other.locator(".progress").innerText(), /^2 of/);
    assert.equal(await nth(other, 0).locator("input:checked").count(), 1);
    await page.reload();
    assert.match(await page.locator(".progress").innerText(), /^2 of/);
    await other.close();
    await nth(page, 0).locator("input").nth(questions[0].choices.findIndex((c) => c.right)).check();
    // By the keyboard: an arrow moves the answer of the first question.
    await page.locator("[data-question=why-decoders] input:checked").focus();
    await page.keyboard.press("ArrowDown");
    assert.match(await page.locator("[data-question=why-decoders] [role=status]").innerText(), /Not this one/);
    // Each link leads to a demonstration that is there.
    for (const q of questions) {
        await page.goto(`${address}/${q.see}`);
        await page.waitForSelector("article.lesson");
        const [, id] = q.see.slice(1).split("?")[0].split("/");
        if (id) assert.equal(await page.locator(`#${id}`).count(), 1, q.see);
    }
    await settled(page);
    assert.deepEqual(faults, []);
    await close();
});

test("challenge, step 1: predicted, run, graded by what was measured, the lost fact named, the solution beside it", async () => {
    // What a run costs is the engine's to say: a first one is measured, predicted from, and graded again from the record.
    const { page, faults, close } = await open("#challenge?an=300000&ac=1000&at=q8_0&am=24&lang=en");
    const demo = page.locator("[data-demo=bottleneck]"), run = demo.getByRole("button", { name: "Run", exact: true });
    assert.ok(await run.isDisabled(), "nothing is run before it is predicted");
    // By the keyboard alone.
    const press = async (name, keys) => {
        await demo.getByRole("group", { name }).getByRole("radio").first().focus();
        for (const k of keys) await page.keyboard.press(k);
    };
    await press(/first word/, ["Space", "ArrowRight"]);
    for (const [label, number] of [["256 tokens are added", "8"], ["What the document alone takes", "0.52"]]) {
        await demo.getByLabel(new RegExp(label)).focus();
        await page.keyboard.type(number);
    }
    await press(/Three facts/, ["Space"]);
    assert.match(await demo.locator("p[role=status]").first().innerText(), /1 of 5/);
    await press(/fit into 24 GiB with 1,000 tokens/, ["Space"]);
    await run.focus();
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelector("[data-demo=bottleneck]").dataset.graded === "yes", null, "the grade");
    const { runs, record } = await ask("/runs"), newest = record.find((r) => r.experiment === "long-document");
    assert.equal(runs[runs.length - 1].report, newest.id);
    const d = JSON.parse(/id="numbers">(.*?)<\/script>/s.exec((await ask(`/runs/record/${newest.id}`)).html)[1]);
    const mine = d.decoder.cache_types.q8_0, f32 = ["decoder", "encoder-decoder"].map((m) => d[m].lengths[1]);
    // The grade is arithmetic on the measured numbers.
    const row = (id) => demo.locator(`tr[data-row=${id}]`);
    assert.equal(await row("cache").getAttribute("data-mark"), "right");
    // Asked is what the document takes: 544 bytes a token in q8_0, of a session that holds more, in whole pages.
    assert.ok(Math.abs(parseFloat(await row("cache").locator("td").nth(1).innerText()) - (544 * mine.tokens) / 2 ** 20) < 0.01);
    for (const [bytes, token] of [[mine.self_cache_bytes, 544], [d["encoder-decoder"].cache_types.q8_0.cross_cache_bytes, 272]]) {
        assert.ok(bytes % (token * 64) < 4096, "the models that are measured have other sizes than grade.ts says"); // pages and a little bookkeeping
        assert.ok(bytes > token * (mine.tokens + 256) && bytes < token * (mine.tokens + 256 + 3 * 64));
    }
    const ratio = f32[1].arriving_ms / f32[0].arriving_ms;
    assert.ok(Math.abs(parseFloat(await row("again").locator("td").nth(1).innerText()) / ratio - 1) < 0.01);
    assert.equal(await row("fits").getAttribute("data-mark"), (await ask("/plan", { model: "llama-3.1-8b", weights: "q8_0", cache_type: "q8_0", memory: 24 * 2 ** 30, contexts: [1256] })).contexts[0].fits ? "right" : "wrong");
    // Facts by their words, lost or not.
    for (const m of ["decoder", "encoder-decoder"])
        for (const place of ["beginning", "middle", "end"]) {
            const { planted, said } = d[m].cache_types.q8_0.first_document[place], told = demo.locator(`[data-lost=${m}-${place}]`);
            assert.equal(await told.count(), planted === said ? 0 : 1);
            if (planted !== said) assert.ok((await told.innerText()).includes(planted) && (await told.innerText()).includes(said));
        }
    // The verdict is what the numbers say, be it against the lesson.
    const weight = (a, b) => (Math.max(a, b) / Math.min(a, b) < 1.1 ? "open" : a < b ? "supports" : "contradicts");
    for (const [claim, key] of [["whole", "first_token_ms"], ["again", "arriving_ms"], ["cross", "token_ms"]]) assert.equal(await demo.locator(`[data-claim=${claim}]`).getAttribute("data-weight"), weight(f32[0][key], f32[1][key]));
    assert.deepEqual(await violations(page), []);
    // All of it is in the address; a run of the record is graded without being run again.
    await demo.locator(".past-choice button").first().click();
    await until(page, (id) => location.hash.includes(`ar=${id}`), newest.id, "the run in the address");
    const second = await open(page.url().split("/").pop().replace("lang=en", "lang=zh"));
    await until(second.page, () => document.querySelector("[data-demo=bottleneck]").dataset.graded === "yes", null, "the grade again");
    assert.equal(await second.page.locator("[data-demo=bottleneck] tr[data-row=cache]").getAttribute("data-mark"), "right");
    await second.page.setViewportSize({ width: 360, height: 740 });
    assert.ok((await second.page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    assert.deepEqual(await violations(second.page), []);
    assert.deepEqual(second.faults, []);
    await second.close();
    assert.deepEqual(faults, []);
    await close();
});

test("challenge: a run is graded by what was predicted when it began, also from another page, and stopped there", async () => {
    const given = "ap=decoder&ac=1000&at=f16&am=16&an=24000000&a1=decoder&a2=8&a3=1&a4=none&a5=yes";
    const { page, faults, close } = await open(`#challenge?${given}`);
    const demo = page.locator("[data-demo=bottleneck]"), inputs = () => demo.locator(".controls input, .controls select, .predictions input");
    await demo.getByRole("button", { name: "Run", exact: true }).click();
    await until(page, () => /Running, \d+ s/.test(document.querySelector("[data-demo=bottleneck]").innerText), null, "the run");
    assert.ok((await inputs().evaluateAll((x) => x.every((i) => i.disabled))) && (await inputs().count()) > 8, "predictions can be changed while the answers are seen");
    // Another page of the same browser, with nothing in its address: the run is there, with its predictions.
    const second = await page.context().newPage();
    await second.goto(`${address}/#challenge`);
    const other = second.locator("[data-demo=bottleneck]");
    await until(second, () => /Running, \d+ s/.test(document.querySelector("[data-demo=bottleneck]").innerText), null, "the run in another page");
    assert.equal(await other.getByLabel(/256 tokens are added/).inputValue(), "8");
    assert.ok(await other.getByLabel(/256 tokens are added/).isDisabled());
    await other.getByRole("button", { name: "Stop" }).click();
    for (const p of [page, second]) await until(p, () => !document.querySelector("[data-demo=bottleneck] .predictions input").disabled, null, "the end");
    assert.match(await other.locator(".status").last().innerText(), /no report|left no/);
    // A run that ends is graded in the page that came later, too.
    await demo.getByLabel("Training of the two models").selectOption("300000");
    await demo.getByRole("button", { name: "Run", exact: true }).click();
    await until(page, () => /Running, \d+ s/.test(document.querySelector("[data-demo=bottleneck]").innerText), null, "the second run");
    await second.reload();
    await until(second, () => document.querySelector("[data-demo=bottleneck]").dataset.graded === "yes", null, "the grade");
    assert.match(await other.locator("tr[data-row=again] td").first().innerText(), /^8 times$/);
    await until(page, () => document.querySelector("[data-demo=bottleneck]").dataset.graded === "yes", null, "the grade of the first");
    assert.deepEqual(faults, []);
    await close();
});

test("challenge, step 2: the largest run is held back, foretold by the engine's fit, and graded", async () => {
    const { page, faults, close } = await open("#challenge?bn=glance&bp=decoder&bc=16000&bt=f16&bm=8&b1=llama-3.2-1b&b2=2&b3=near&b4=20&b5=undetermined");
    const demo = page.locator("[data-demo=scaling]");
    await demo.getByRole("button", { name: "Run", exact: true }).click();
    await until(page, () => document.querySelector("[data-demo=scaling]").dataset.graded === "yes", null, "the grade");
    const { record } = await ask("/runs"), newest = record.find((r) => r.experiment === "scaling");
    const d = JSON.parse(/id="numbers">(.*?)<\/script>/s.exec((await ask(`/runs/record/${newest.id}`)).html)[1]).paradigms.decoder;
    assert.equal(d.runs.length, 10);
    const top = d.runs.reduce((a, b) => (b.flops > a.flops ? b : a));
    const { predicted } = await ask("/fit", { runs: d.runs.filter((r) => r !== top), parameters: top.parameters, tokens: top.tokens });
    const miss = Math.abs(predicted / top.loss - 1), cell = (id) => demo.locator(`tr[data-row=${id}] td`).nth(1).innerText();
    assert.equal(await cell("loss"), `${top.loss.toFixed(3)} nats a token`);
    assert.equal(await cell("miss"), miss < 0.03 ? "under 3%" : miss < 0.1 ? "3 to 10%" : "more than 10%");
    assert.equal(await cell("recall"), `${(100 * d.recall[d.recall.length - 1].accuracy).toFixed(0)}%`);
    assert.equal(await demo.locator("[data-claim=foretold]").getAttribute("data-weight"), miss < 0.03 ? "supports" : miss < 0.1 ? "open" : "contradicts");
    assert.equal(await demo.locator("[data-claim=zero_shot]").getAttribute("data-weight"), "open");
    assert.deepEqual(await violations(page), []);
    assert.deepEqual(faults, []);
    await close();
});

test("playground: every task of every model answers, the chat streams", async () => {
    const { page, faults, close } = await open("#playground");
    const tasks = page.locator("[data-demo=tasks]");
    const choose = async (name, value) => {
        await tasks.getByLabel(name, { exact: true }).selectOption(value);
        await settled(page);
        assert.equal(await tasks.getAttribute("data-state"), "done", await tasks.innerText());
        JSON.parse((await tasks.locator("pre").first().innerText()).replace(/"… \d+"/g, '""'));
        assert.match(await tasks.locator("pre").nth(1).innerText(), /^curl http/);
    };
    for (const m of (await ask("/v1/models")).data) {
        await choose("Model", m.id);
        const offered = await tasks.getByLabel("Task", { exact: true }).locator("option").evaluateAll((o) => o.map((x) => x.value));
        // A summary by the tiny model would only be long.
        for (const t of offered.filter((x) => x !== "summarization")) await choose("Task", t);
    }
    await page.locator("#chat-say").fill("hello");
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelectorAll(".turn").length === 2 && !document.querySelector("[data-demo=chat] button.main").disabled, null, "the chat's answer");
    // The lens says what it shows: an encoder has no next token.
    const lens = page.locator("[data-demo=lens]");
    await lens.getByLabel("Model").selectOption("tiny-bert");
    await until(page, () => /An encoder says what stands there/.test(document.querySelector("[data-demo=lens] caption").textContent), null, "the encoder's caption");
    await lens.getByLabel("Model").selectOption("tiny-llama");
    await until(page, () => /next token/.test(document.querySelector("[data-demo=lens] caption").textContent), null, "the decoder's caption");
    const heads = page.locator(".heads button");
    await heads.nth(1).click();
    assert.equal(await heads.nth(1).getAttribute("aria-pressed"), "true");
    assert.deepEqual(faults, []);
    await close();
});

test("a state is an address: what is set comes back, in either language", async () => {
    const { page, close } = await open("#attention");
    const demo = page.locator("[data-demo=factors]");
    await demo.getByLabel("Head", { exact: true }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("radio", { name: "中文" }).check();
    await settled(page);
    assert.match(page.url(), /head=1/);
    assert.match(page.url(), /lang=zh/);
    const second = await open(page.url().split("/").pop());
    assert.equal(await second.page.locator("[data-demo=factors] output").nth(1).innerText().then((t) => t.split(" ")[0]), "2");
    await second.close();
    await close();
});

test("a stopped engine is told plainly, and when it is back the page goes on", async () => {
    const { page, close } = await open("#attention"), { page: play, close: leave } = await open("#playground");
    const request = play.locator("[data-demo=tasks] textarea");
    await request.fill('{"model":"tiny-llama","inputs":"an edit"}');
    await request.blur();
    await settled(play);
    await stopEngine();
    await request.fill('{"model":"tiny-llama","inputs":"an edit that is kept"}');
    await request.blur();
    await play.waitForSelector(".gone:not([hidden])");
    const text = page.locator("[data-demo=factors] input[type=text]");
    await text.fill("one two");
    await text.press("Enter");
    await page.waitForSelector(".gone:not([hidden])");
    assert.match(await page.locator(".gone").innerText(), new RegExp(`trine lab --port ${new URL(address).port}`));
    await startAgain();
    await page.waitForSelector(".gone", { state: "hidden" });
    await settled(page);
    assert.equal(await page.locator("[data-demo=factors]").getAttribute("data-state"), "done");
    await play.waitForSelector(".gone", { state: "hidden" });
    await settled(play);
    assert.match(await request.inputValue(), /an edit that is kept/);
    await leave();
    await close();
});
