// main.ts - the frame around the lesson: its parts, the language, the theme, and what is said when the engine is away.
import "../styles/lab.css";
import { el, replace } from "./dom";
import { ask, models, onPresence } from "./engine";
import { choice } from "./controls";
import { archComparison } from "./sections/run";
import { attention } from "./sections/attention";
import { challenge } from "./sections/challenge";
import { dominance } from "./sections/dominance";
import { memory } from "./sections/memory";
import { oneModel } from "./sections/one_model";
import { paradigms } from "./sections/paradigms";
import { playground } from "./sections/playground";
import { quiz } from "./sections/quiz";
import type { Section } from "./sections/section";
import * as state from "./state";
import { lesson } from "./text";
import { about, language, refreshLanguage, say, type Language } from "./words";

const sections: Section[] = [oneModel, attention, paradigms, dominance, memory, archComparison, quiz, challenge, playground];

const page = document.getElementById("page")!;
const main = el("main", { id: "main", tabindex: "-1" });
const gone = el("div", { class: "gone", role: "alert", hidden: true });
const side = el("header", { class: "side", "data-open": "no" });

type Theme = "light" | "dark" | "auto";
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint(): void {
    const theme = state.kept<Theme>("theme", "auto");
    document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
}

const title = (s: Section): string => /^# (.*)$/m.exec(s.texts[language()])?.[1].replace(/\*\*?|\$/g, "") ?? s.id;

// A section's own address keeps the language when it was set there.
function address(id: string): string {
    const lang = state.read().values.lang;
    return state.write({ section: id, anchor: "", values: lang ? { lang } : {} });
}

async function engineLine(node: HTMLElement): Promise<void> {
    try {
        const [health, list] = await Promise.all([ask<{ version: string }>("/health"), models()]);
        node.textContent = say("engine", { version: health.version, n: list.length, parameters: about(list.reduce((s, m) => s + m.parameters, 0)) });
    } catch {
        node.textContent = "";
    }
}

function frame(now: Section): void {
    const open = el("button", { type: "button", class: "menu", "aria-expanded": "false", "aria-controls": "parts" }, say("parts"));
    open.addEventListener("click", () => {
        const opened = side.dataset.open !== "yes";
        side.dataset.open = opened ? "yes" : "no";
        open.setAttribute("aria-expanded", String(opened));
    });
    side.dataset.open = "no";
    const engine = el("p", { class: "engine" });
    void engineLine(engine);
    const lang = choice<Language>({
        name: say("language"),
        among: [
            ["en", "English"],
            ["zh", "中文"],
        ],
        value: language(),
        changed: (l) => {
            state.keep("language", l);
            state.set({ lang: l });
            draw(false);
            side.querySelector<HTMLElement>(`input[value="${l}"]`)?.focus();
        },
    });
    const theme = choice<Theme>({
        name: say("theme"),
        among: [
            ["auto", say("theme_auto")],
            ["light", say("theme_light")],
            ["dark", say("theme_dark")],
        ],
        value: state.kept<Theme>("theme", "auto"),
        changed: (t) => {
            state.keep("theme", t);
            paint();
        },
    });
    replace(
        side,
        el("div", { class: "top" }, el("p", { class: "brand" }, el("a", { href: address(sections[0].id) }, "trine lab")), open),
        el(
            "div",
            { class: "fold", id: "parts" },
            engine,
            el("nav", { "aria-label": say("parts") }, el("ol", { class: "parts" }, ...sections.map((s, i) => el("li", {}, el("a", { href: address(s.id), "aria-current": s === now ? "page" : false }, el("span", { class: "n" }, String(i + 1)), title(s)))))),
            el("div", { class: "settings" }, lang.node, theme.node),
        ),
    );
}

let drawn = "";
function draw(arrived: boolean): void {
    refreshLanguage();
    document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
    const place = state.read();
    const now = sections.find((s) => s.id === place.section) ?? sections[0];
    const at = sections.indexOf(now);
    document.title = `${title(now)} · trine lab`;
    gone.replaceChildren(say("gone"), " ", el("code", {}, location.port ? `trine lab --port ${location.port}` : "trine lab"));
    frame(now);
    const article = el("article", { class: "lesson", "data-section": now.id });
    lesson(article, now.texts[language()], now.id, now.demos);
    const [before, after] = [sections[at - 1], sections[at + 1]];
    article.append(el("nav", { class: "next", "aria-label": say("go_on") }, before ? el("a", { href: address(before.id) }, `← ${title(before)}`) : el("span"), after ? el("a", { href: address(after.id) }, `${title(after)} →`) : el("span")));
    replace(main, article);
    drawn = `${now.id} ${language()}`;
    const heading = place.anchor ? document.getElementById(place.anchor) : null;
    if (heading) {
        heading.scrollIntoView();
        heading.focus({ preventScroll: true });
    } else if (arrived) {
        scrollTo(0, 0);
        article.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    }
}

paint();
dark.addEventListener("change", paint);
replace(page, el("a", { class: "skip", href: "#main", onclick: (e: Event) => (e.preventDefault(), main.focus()) }, say("skip")), gone, el("div", { class: "frame-grid" }, side, main));
onPresence((away) => {
    gone.hidden = !away;
    if (!away) draw(false); // what failed meanwhile is asked again
});
addEventListener("hashchange", () => {
    const place = state.read(), now = sections.find((s) => s.id === place.section) ?? sections[0];
    const heading = place.anchor ? document.getElementById(place.anchor) : null;
    // A heading of the part that is shown, and nothing set: no need to draw it again.
    if (`${now.id} ${refreshLanguage()}` === drawn && heading && !Object.keys(place.values).length) {
        heading.scrollIntoView();
        heading.focus({ preventScroll: true });
    } else draw(true);
});
draw(false);
