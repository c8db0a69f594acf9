// section.ts - what a part of the lesson is: a text in each language, and its demonstrations by name.
import type { Demos } from "../text";
import type { Language } from "../words";

export interface Section {
    id: string;
    texts: Record<Language, string>;
    demos: Demos;
}
