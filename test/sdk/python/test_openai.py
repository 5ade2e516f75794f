"""The official OpenAI package for Python, unmodified, against a real Strata server.

BASE_URL   http://127.0.0.1:8000/openai/v1
API_KEY    a key that may call models
MODEL      a chat model "provider/model" of a server that answers "Hello there."
           and bills 10 tokens in and a token per word out
QUOTA_KEY  a key whose budget is used up
RATE_KEY   a key that has used up its requests of this minute
STORE      a knowledge base with the texts "refunds" and "hours" in English (lang en)
           and "parkplatz" in German; hours and parkplatz of 2026
"""

import asyncio
import os
import unittest

import openai

MODEL = os.environ["MODEL"]
HELLO = [
    {
        "role": "user",
        "content": "Say hello. The capital of France is Paris. What is the capital of France?",
    }
]


def options(key):
    return {"base_url": os.environ["BASE_URL"], "api_key": key, "max_retries": 0, "timeout": 20}


def client(key=None):
    return openai.OpenAI(**options(key or os.environ["API_KEY"]))


class Models(unittest.TestCase):
    def test_list_and_retrieve(self):
        with client() as c:
            ids = [m.id for m in c.models.list()]
            for want in ("strata/extract-1", "strata/embed-1", MODEL):
                self.assertIn(want, ids)
            self.assertEqual(c.models.retrieve(MODEL).id, MODEL)


class Chat(unittest.TestCase):
    def setUp(self):
        self.client = client()
        self.addCleanup(self.client.close)

    def create(self, **extra):
        return self.client.chat.completions.create(**{"model": MODEL, "messages": HELLO, **extra})

    def test_plain(self):
        for model in ("strata/extract-1", MODEL):
            with self.subTest(model):
                answer = self.create(model=model)
                self.assertEqual(answer.object, "chat.completion")
                self.assertRegex(answer.choices[0].message.content, "Paris|Hello")
                self.assertEqual(answer.choices[0].finish_reason, "stop")
                usage = answer.usage
                self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
                self.assertTrue(answer._request_id)

    def test_streamed(self):
        for model in ("strata/extract-1", MODEL):
            with self.subTest(model):
                whole = self.create(model=model, temperature=0).choices[0].message.content
                chunks = list(self.create(model=model, temperature=0, stream=True))
                text = "".join(c.choices[0].delta.content or "" for c in chunks)
                self.assertEqual(text, whole)
                self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    def test_streamed_with_usage(self):
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual((chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens), (10, 2))

    def test_usage_is_what_the_provider_bills(self):
        usage = self.create().usage
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens), (10, 2))

    def test_leaving_a_stream_early(self):
        with self.create(stream=True) as stream:
            next(iter(stream))
        self.assertEqual(self.create().choices[0].message.content, "Hello there.")

    def test_raw_response_carries_the_request_id(self):
        raw = self.client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
        self.assertTrue(raw.headers["x-request-id"])
        self.assertEqual(raw.parse().choices[0].message.content, "Hello there.")

    def test_many_at_once(self):
        async def main():
            async with openai.AsyncOpenAI(**options(os.environ["API_KEY"])) as c:
                calls = (c.chat.completions.create(model=MODEL, messages=HELLO) for _ in range(20))
                return [a.choices[0].message.content for a in await asyncio.gather(*calls)]

        self.assertEqual(asyncio.run(main()), ["Hello there."] * 20)


class Embeddings(unittest.TestCase):
    def test_base64_by_default_and_floats_are_the_same(self):
        texts = ["the quick brown fox", "der schnelle braune Fuchs", "日本語"]
        with client() as c:
            packed = c.embeddings.create(model="strata/embed-1", input=texts)
            plain = c.embeddings.create(model="strata/embed-1", input=texts, encoding_format="float")
        self.assertEqual([d.index for d in packed.data], [0, 1, 2])
        self.assertGreater(packed.usage.total_tokens, 0)
        for a, b in zip(packed.data, plain.data):
            self.assertGreaterEqual(len(a.embedding), 64)
            for x, y in zip(a.embedding, b.embedding, strict=True):
                self.assertAlmostEqual(x, y, places=6)


class VectorStores(unittest.TestCase):
    def search(self, **body):
        with client() as c:
            return list(c.vector_stores.search(os.environ["STORE"], **body))

    def test_search(self):
        best, *rest = self.search(query="How long does a refund take?")
        self.assertEqual(best.filename, "refunds")
        self.assertEqual(best.attributes, {"lang": "en", "year": 2025})
        self.assertEqual(
            [(part.type, part.text) for part in best.content],
            [("text", "A refund takes five working days. Nobody pays for it.")],
        )
        self.assertTrue(0 < best.score <= 1)
        for other in rest:
            self.assertLessEqual(other.score, best.score)

    def test_filters(self):
        year = {"type": "gte", "key": "year", "value": 2026}
        english = {"type": "eq", "key": "lang", "value": "en"}
        for filters, want in (
            (year, ["hours", "parkplatz"]),
            (english, ["hours", "refunds"]),
            ({"type": "and", "filters": [year, english]}, ["hours"]),
        ):
            with self.subTest(filters):
                found = self.search(query=["refund", "parken", "Sundays"], filters=filters)
                self.assertEqual(sorted(f.filename for f in found), want)

    def test_unknown(self):
        with client() as c, self.assertRaises(openai.NotFoundError):
            c.vector_stores.search("vs_none", query="x")


class Errors(unittest.TestCase):
    def fails(self, error, key=None, **body):
        with client(key) as c, self.assertRaises(error) as caught:
            c.chat.completions.create(**{"model": MODEL, "messages": HELLO, **body})
        return caught.exception

    def test_bad_key(self):
        e = self.fails(openai.AuthenticationError, key="sk-nobody")
        self.assertEqual((e.status_code, e.code), (401, "invalid_api_key"))
        self.assertTrue(e.request_id)

    def test_unknown_model(self):
        for model in ("nobody/nothing", "strata/nothing", "flotorch/nothing", "nothing"):
            for stream in (False, True):
                with self.subTest(model, stream=stream):
                    e = self.fails(openai.NotFoundError, model=model, stream=stream)
                    self.assertEqual((e.code, e.param), ("model_not_found", "model"))

    def test_budget_used_up(self):
        e = self.fails(openai.RateLimitError, key=os.environ["QUOTA_KEY"])
        self.assertEqual(e.code, "insufficient_quota")

    def test_too_many_requests(self):
        e = self.fails(openai.RateLimitError, key=os.environ["RATE_KEY"])
        self.assertEqual(e.code, "rate_limit_exceeded")
        self.assertGreater(int(e.response.headers["retry-after"]), 0)

    def test_request_that_makes_no_sense(self):
        e = self.fails(openai.BadRequestError, messages=[])
        self.assertEqual(e.type, "invalid_request_error")


if __name__ == "__main__":
    unittest.main()
