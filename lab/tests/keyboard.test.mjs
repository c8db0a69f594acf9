// keyboard.test.mjs - every part of the lesson by the keyboard alone: Tab reaches each control and leaves it again, what has the focus
// shows it, and each control is moved by the keys that are its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { close, open, sections, settled, setUp } from "./lab.mjs";

before(setUp);
after(close);

// What has the focus, as the test sees it. A group of radio buttons is one stop.
const focused = (page) =>
    page.evaluate(() => {
        const x = document.activeElement;
        if (!x || x === document.body) return null;
        const rings = [x, x.type === "radio" ? x.nextElementSibling : null].filter(Boolean).map((e) => getComputedStyle(e)); // a segment is its label
        window.stops ??= new WeakMap();
        const seen = window.stops.has(x);
        window.stops.set(x, true);
        return {
            seen,
            inMain: !!x.closest("main"),
            tag: x.tagName.toLowerCase(),
            name: x.getAttribute("aria-label") ?? x.labels?.[0]?.textContent ?? x.textContent.trim().slice(0, 40),
            shown: rings.some((r) => r.outlineStyle !== "none" || r.boxShadow !== "none") || x.tagName === "IFRAME" || !!x.closest(".xterm"),
        };
    });

// What Tab ought to reach: everything that can be set or pressed, radio buttons by their groups.
const expected = (page) =>
    page.evaluate(() => {
        const all = [...document.querySelectorAll("main :is(a[href], button, input, select, textarea, summary, [tabindex='0'])")].filter((x) => !x.disabled && x.getClientRects().length && !x.closest("iframe, .xterm"));
        return new Set(all.map((x) => (x.type === "radio" ? `radio ${x.name}` : x.tagName + all.indexOf(x)))).size;
    });

for (const section of sections)
    test(`${section}: by the keyboard alone`, async () => {
        const { page, faults, close: leave } = await open(`#${section}?lang=en`);
        const stops = await expected(page);
        let reached = 0;
        for (let i = 0; i < 400; i++) {
            await page.keyboard.press("Tab");
            const x = await focused(page);
            if (!x) continue; // the browser's own frame
            if (x.seen) break;
            if (!x.inMain) continue;
            reached++;
            assert.ok(x.shown, `${x.tag} '${x.name}' does not show that it has the focus`);
        }
        assert.ok(reached >= stops, `Tab stops ${reached} times, and there are ${stops} controls`);

        // Each kind by its keys: one step towards where there is room. What is set may draw what is beside it anew, so controls are found
        // again each time. null: there is nothing to choose.
        const act = async (selector, keys, read) => {
            const n = await page.locator(selector).count();
            for (let i = 0; i < Math.min(n, 12); i++) {
                const x = page.locator(selector).nth(i);
                if (!(await x.count()) || !(await x.isVisible()) || (await x.isDisabled())) continue;
                const was = await x.evaluate(read);
                if (was === null) continue;
                await x.focus();
                await page.keyboard.press(keys(was));
                if (await x.count()) assert.notDeepEqual(await x.evaluate(read), was, `${selector} ${i} does not move`);
                await settled(page);
            }
        };
        await act("main input[type=range]", ([, last]) => (last ? "ArrowLeft" : "ArrowRight"), (x) => (x.min === x.max ? null : [x.value, x.value === x.max]));
        await act("main select", ([, last]) => (last ? "ArrowUp" : "ArrowDown"), (x) => (x.options.length < 2 ? null : [x.selectedIndex, x.selectedIndex === x.options.length - 1]));
        await act("main input[type=checkbox]", () => "Space", (x) => [x.checked]);
        await act("main .choice input[type=radio]:checked", () => "ArrowRight", (x) => {
            const all = [...x.closest("fieldset").querySelectorAll("input")];
            return all.length < 2 ? null : [all.findIndex((i) => i.checked)];
        });
        await act("main details.behind > summary", () => "Enter", (x) => [x.parentElement.open]);
        // A sentence may be too long for the smallest of the models that are chosen: the engine says so, and the page tells it.
        assert.deepEqual(faults.filter((f) => !f.includes("context_length_exceeded")), []);
        await leave();
    });
