// plan.ts - what the planner says of a model, by the routes that `trine plan` has.
import { ask } from "./engine";

export interface Choices {
    presets: string[];
    weights: string[];
    cache_types: string[];
    memory_available: number;
}

export interface Context {
    context: number;
    impossible?: string;
    kv_bytes_per_token: number;
    weights_bytes: number;
    kv_bytes: number;
    cross_kv_bytes: number;
    cache_bytes: number;
    activation_bytes: number;
    total_bytes: number;
    plain_attention_bytes: number;
    fits: boolean;
}

export interface Plan {
    model: string;
    paradigm: string;
    parameters: number;
    weights: string;
    layers: number;
    heads: number;
    kv_heads: number;
    d_head: number;
    max_tokens: number;
    memory_bytes: number;
    longest_context: number;
    contexts: Context[];
}

export const GIB = 1024 ** 3;

let choices: Promise<Choices> | null = null;
export const known = (): Promise<Choices> => (choices ??= ask<Choices>("/plan"));
