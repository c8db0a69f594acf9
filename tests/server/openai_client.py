#!/usr/bin/env python3
"""The official openai package against `trine serve`: chat, completions streamed, embeddings, errors.

    python tests/server/openai_client.py build/trine tests/fixtures

It is no part of `make test`, which needs no Python; tests/house/test_openai.sh runs it where the package is there."""
import subprocess
import sys

import openai


def main(trine, fixtures):
    models = fixtures + "/command/"
    server = subprocess.Popen([trine, "serve", "-q", "--port", "0", "-m", "chat=" + models + "llama-chat", "-m", models + "bert-mlm"],
                              stdout=subprocess.PIPE, text=True)
    try:
        check(openai.OpenAI(base_url=server.stdout.readline().strip() + "/v1", api_key="none", max_retries=0))
    finally:
        server.terminate()
        status = server.wait(60)
    assert status == 0, status
    print("openai", openai.__version__, "chat, completions, embeddings: as expected")


def check(client):
    assert [m.id for m in client.models.list()] == ["chat", "bert-mlm"]
    assert client.models.retrieve("chat").owned_by == "trine"

    messages = [{"role": "system", "content": "a cat"}, {"role": "user", "content": "hello"}]
    asked = dict(model="chat", messages=messages, temperature=0, max_tokens=24, seed=1)
    whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
    text = whole.choices[0].message.content
    assert text and whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert len(whole.choices[0].logprobs.content[0].top_logprobs) == 2
    parts, usage = "", None
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        if chunk.choices:
            parts += chunk.choices[0].delta.content or ""
    assert parts == text and usage == whole.usage, (parts, text, usage)

    asked = dict(model="chat", prompt="hello", temperature=0.7, seed=5, max_tokens=24)
    whole = client.completions.create(**asked, n=2)
    assert len(whole.choices) == 2
    parts = "".join(c.choices[0].text for c in client.completions.create(**asked, stream=True))
    assert parts == whole.choices[0].text

    # the package asks for base64 by itself
    vectors = client.embeddings.create(model="bert-mlm", input=["a cat sat", "a dog"])
    floats = client.embeddings.create(model="bert-mlm", input="a cat sat", encoding_format="float")
    assert len(vectors.data) == 2
    assert max(abs(a - b) for a, b in zip(vectors.data[0].embedding, floats.data[0].embedding)) < 1e-5

    for wrong, error in ((dict(model="nobody", prompt="a"), openai.NotFoundError),
                         (dict(model="chat", prompt="a", max_tokens=0), openai.BadRequestError)):
        try:
            client.completions.create(**wrong)
        except error as e:
            assert e.param in ("model", "max_tokens"), e.param
        else:
            raise AssertionError(wrong)


main(*sys.argv[1:])
