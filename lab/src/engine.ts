// engine.ts - the one door to the engine: requests, streams, and what is told when it does not answer.

export type Paradigm = "encoder-only" | "decoder-only" | "encoder-decoder";
export type Task =
    | "fill-mask"
    | "text-classification"
    | "token-classification"
    | "translation"
    | "summarization"
    | "text-generation"
    | "feature-extraction";

export interface Model {
    id: string;
    family: string;
    paradigm: Paradigm;
    tasks: Task[];
    parameters: number;
    layers: number;
    decoder_layers: number;
    heads: number;
    kv_heads: number;
    d_model: number;
    d_head: number;
    vocab: number;
    context: number;
    labels: string[] | null;
    mask_token: string | null;
    chats: boolean; // takes a conversation, by a form of its own or a plain one
}

export interface Token {
    id: number;
    token: string;
    text?: string;
    special?: boolean;
    start: number;
    end: number;
}

export interface Chance {
    id: number;
    token: string; // the vocabulary's piece
    text?: string; // what it reads as
    logit: number;
    probability: number;
}

type Matrix = number[][];

export interface Attention {
    kind: "self" | "encoder" | "cross";
    layer: number;
    heads: number[];
    weights: Matrix[];
    query?: Matrix[];
    key?: Matrix[];
    value?: Matrix[];
    scores?: Matrix[];
    mixed?: Matrix[];
}

export interface Trace {
    model: string;
    paradigm: Paradigm;
    n_layers: number;
    n_heads: number;
    tokens: Token[];
    decoder_tokens: Token[] | null;
    attention?: Attention[];
    parts?: { kind: Attention["kind"]; layer: number; part: "query" | "key" | "value" | "scores" | "mixed"; heads: number[]; values: Matrix[] }[];
    lens?: { layer: number; positions: Chance[][] }[];
    logits?: Chance[][];
    spread?: number[]; // every logit of the last position, largest first
}

export interface TraceRequest {
    model?: string;
    text?: string;
    tokens?: number[];
    decoder_text?: string;
    decoder_tokens?: number[];
    mask?: string;
    attention?: boolean;
    parts?: boolean;
    unscaled?: boolean;
    lens?: boolean;
    spread?: boolean;
    layers?: number[];
    heads?: number[];
    top?: number;
}

export class EngineError extends Error {
    constructor(
        message: string,
        readonly status: number,
        readonly code: string | null = null,
    ) {
        super(message);
    }
}

// The server is not there: not a fault of the request, and every request would say so.
export class Gone extends Error {}

type Listener = (gone: boolean) => void;
const listeners: Listener[] = [];
let gone = false;

export function onPresence(f: Listener): void {
    listeners.push(f);
}

function tell(now: boolean): void {
    if (now === gone) return;
    gone = now;
    for (const f of listeners) f(now);
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

// Asks until it answers again; one watcher at a time.
let watching = false;
async function watch(): Promise<void> {
    if (watching) return;
    watching = true;
    while (gone) {
        await pause(1000);
        try {
            if ((await fetch("/health", { cache: "no-store" })).ok) tell(false);
        } catch {
            /* still away */
        }
    }
    watching = false;
}

async function send(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    let answer: Response;
    try {
        answer = await fetch(path, {
            method: body === undefined ? "GET" : "POST",
            headers: body === undefined ? undefined : { "Content-Type": "application/json" },
            body: body === undefined ? undefined : JSON.stringify(body),
            signal,
            cache: "no-store",
        });
    } catch (e) {
        if (signal?.aborted) throw e;
        tell(true);
        void watch();
        throw new Gone();
    }
    if (answer.ok) return answer;
    let message = `${answer.status}`, code: string | null = null;
    try {
        const said = await answer.json();
        message = said.error?.message ?? message;
        code = said.error?.code ?? null;
    } catch {
        /* not JSON: the number says it */
    }
    throw new EngineError(message, answer.status, code);
}

export async function ask<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    return (await send(path, body, signal)).json() as Promise<T>;
}

// Events of a stream as they come, until it ends, [DONE] or not.
export async function* stream<T>(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<T> {
    const answer = await send(path, body, signal);
    const reader = answer.body!.getReader();
    const decoder = new TextDecoder();
    let waiting = "";
    for (;;) {
        let part: ReadableStreamReadResult<Uint8Array>;
        try {
            part = await reader.read();
        } catch (e) {
            if (signal?.aborted) throw e;
            tell(true);
            void watch();
            throw new Gone();
        }
        if (part.done) return;
        waiting += decoder.decode(part.value, { stream: true });
        for (let end; (end = waiting.indexOf("\n\n")) >= 0; waiting = waiting.slice(end + 2)) {
            const data = waiting
                .slice(0, end)
                .split("\n")
                .filter((l) => l.startsWith("data:"))
                .map((l) => l.slice(5).trimStart())
                .join("\n");
            if (!data) continue;
            if (data === "[DONE]") return;
            const said = JSON.parse(data);
            if (said.error) throw new EngineError(said.error.message, 500, said.error.code ?? null);
            yield said as T;
        }
    }
}

// The engine says "encoder" and "decoder"; the lesson's words are longer, as everyone's.
function understood(m: Model): Model {
    const said = m.paradigm as string;
    return { ...m, paradigm: said === "encoder" || said === "decoder" ? `${said}-only` : m.paradigm, tasks: m.tasks.filter((t) => taskNames.includes(t)), chats: (m.tasks as string[]).includes("chat") };
}

const taskNames: readonly Task[] = ["fill-mask", "text-classification", "token-classification", "translation", "summarization", "text-generation", "feature-extraction"];

let listed: Promise<Model[]> | null = null;
export function models(): Promise<Model[]> {
    listed ??= ask<{ data: Model[] }>("/v1/models").then(
        (list) => list.data.map(understood),
        (e) => {
            listed = null;
            throw e;
        },
    );
    return listed;
}

export async function able(task: Task): Promise<Model[]> {
    return (await models()).filter((m) => m.tasks.includes(task));
}

export async function of(paradigm: Paradigm): Promise<Model[]> {
    return (await models()).filter((m) => m.paradigm === paradigm);
}

// What attention is made of, beside its weights: keys and values are those of the head that several share.
function joined(t: Trace): Trace {
    if (t.spread) t.spread = t.spread.map((z) => z ?? -Infinity); // JSON has no infinity
    for (const a of t.attention ?? [])
        for (const p of t.parts ?? [])
            if (p.kind === a.kind && p.layer === a.layer) a[p.part] = a.heads.map((_, i) => p.values[Math.floor((i * p.values.length) / a.heads.length)]);
    return t;
}

// The same question twice has the same answer: traces that were asked are kept, the last few. Several may wait for one that is still on
// its way; who leaves takes only himself away, and the last to leave ends it.
interface Asked {
    answer: Promise<Trace>;
    waiting: number;
    here: boolean;
    stop: AbortController;
}
const traced = new Map<string, Asked>();

function begin(key: string, request: TraceRequest): Asked {
    const stop = new AbortController();
    const asked: Asked = { answer: ask<Trace>("/trace", request, stop.signal).then(joined), waiting: 0, here: false, stop };
    traced.set(key, asked);
    if (traced.size > 48) traced.delete(traced.keys().next().value as string);
    asked.answer.then(
        () => (asked.here = true),
        () => traced.get(key) === asked && traced.delete(key),
    );
    return asked;
}

export function trace(request: TraceRequest, signal?: AbortSignal): Promise<Trace> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const key = JSON.stringify(request), asked = traced.get(key) ?? begin(key, request);
    asked.waiting++;
    return new Promise((done, fail) => {
        const leave = () => {
            fail(signal!.reason);
            if (--asked.waiting || asked.here) return;
            if (traced.get(key) === asked) traced.delete(key);
            asked.stop.abort();
        };
        signal?.addEventListener("abort", leave, { once: true });
        asked.answer.then(done, fail).finally(() => signal?.removeEventListener("abort", leave));
    });
}

export function tokenize(model: string, text: string, signal?: AbortSignal): Promise<{ tokens: Token[] }> {
    return ask("/tokenize", { model, text, add_special: true }, signal);
}

export async function detokenize(model: string, tokens: number[], signal?: AbortSignal): Promise<string> {
    return tokens.length ? (await ask<{ text: string }>("/detokenize", { model, tokens }, signal)).text : "";
}

// A task by its Hugging Face route.
export function task<T>(name: Task, model: string, inputs: unknown, parameters: Record<string, unknown> = {}, signal?: AbortSignal): Promise<T> {
    return ask(`/tasks/${name}`, { model, inputs, parameters }, signal);
}
