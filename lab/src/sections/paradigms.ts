// paradigms.ts - part 3: encoder-only, decoder-only, encoder-decoder, each alive, and one sentence corrupted three ways.
import { three_ways } from "./corrupt";
import { steps } from "./decoder";
import { entities, mask, sentiment } from "./encoder";
import { beams, cross, text_to_text } from "./pair";
import type { Section } from "./section";
import en from "../../text/en/paradigms.md?raw";
import zh from "../../text/zh/paradigms.md?raw";

export const paradigms: Section = { id: "paradigms", texts: { en, zh }, demos: { mask, sentiment, entities, steps, text_to_text, cross, beams, three_ways } };
