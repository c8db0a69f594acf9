// quiz.ts - part 7: questions whose every choice is explained. What was answered is kept in the browser.
import { button } from "../controls";
import { el, replace, unique } from "../dom";
import * as state from "../state";
import { inline } from "../text";
import { language, say, type Language } from "../words";
import type { Section } from "./section";
import questionsEn from "../../text/en/quiz.json";
import questionsZh from "../../text/zh/quiz.json";
import en from "../../text/en/quiz.md?raw";
import zh from "../../text/zh/quiz.md?raw";

interface Question {
    id: string;
    ask: string;
    see: string; // an address that sets up the demonstration
    choices: { say: string; right?: boolean; why: string }[];
}

const all: Record<Language, Question[]> = { en: questionsEn, zh: questionsZh };
type Answers = Record<string, number>;

// `answer` keeps what was chosen; `mark` shows what the answers now are.
function question(q: Question, number: number, answers: Answers, answer: (choice: number) => void): { node: HTMLElement; mark: () => void } {
    const group = unique("question");
    const box = el("fieldset", { class: "question", "data-question": q.id }, el("legend", {}, `${number}. `, ...inline(q.ask)));
    const told = el("p", { class: "status", role: "status" });
    const mark = () => {
        const given = answers[q.id];
        q.choices.forEach((c, i) => {
            const option = box.querySelectorAll<HTMLElement>(".option")[i];
            // Before an answer nothing is told; after it every choice is explained, the others too.
            option.className = given === undefined ? "option" : c.right ? "option right" : i === given ? "option wrong" : "option";
            option.querySelector<HTMLElement>(".explain")!.hidden = given === undefined;
            option.querySelector("input")!.checked = given === i;
        });
        told.textContent = given === undefined ? "" : q.choices[given].right ? say("right") : say("wrong");
        see.hidden = given === undefined;
    };
    q.choices.forEach((c, i) => {
        const id = unique("option");
        const input = el("input", { type: "radio", name: group, id, value: i });
        input.addEventListener("change", () => answer(i));
        const why = el("p", { class: "explain", hidden: true }, el("b", {}, c.right ? say("is_right") : say("is_wrong")), " ", ...inline(c.why));
        box.append(el("div", { class: "option" }, input, el("label", { for: id }, ...inline(c.say)), why));
    });
    const see = el("p", { hidden: true }, el("a", { href: q.see }, say("see_it")));
    box.append(told, see);
    mark();
    return { node: box, mark };
}

function questions(place: HTMLElement): void {
    place.classList.remove("demo");
    const draw = () => {
        const answers = state.kept<Answers>("quiz", {}), asked = all[language()];
        const progress = el("p", { role: "status", class: "progress" });
        const count = () => {
            const given = asked.filter((q) => answers[q.id] !== undefined);
            progress.textContent = say("progress", { given: given.length, all: asked.length, right: given.filter((q) => q.choices[answers[q.id]]?.right).length });
        };
        // Another tab may have answered meanwhile: what it has kept stays.
        const answer = (q: Question, choice: number) => {
            const kept = state.kept<Answers>("quiz", {});
            for (const id of Object.keys(answers)) delete answers[id];
            Object.assign(answers, kept, { [q.id]: choice });
            state.keep("quiz", answers);
            drawn.forEach((x) => x.mark());
            count();
        };
        const drawn = asked.map((q, i) => question(q, i + 1, answers, (choice) => answer(q, choice)));
        replace(
            place,
            progress,
            ...drawn.map((x) => x.node),
            button(say("begin_again"), () => {
                state.keep("quiz", {});
                draw();
                place.querySelector<HTMLElement>("input")?.focus();
            }),
        );
        count();
    };
    draw();
}

export const quiz: Section = { id: "quiz", texts: { en, zh }, demos: { questions } };
