// The official OpenAI package for Node, unmodified, against a real Strata server.
//
//   BASE_URL   http://127.0.0.1:8000/openai/v1
//   API_KEY    a key that may call models
//   MODEL      a chat model "provider/model" of a server that answers
//              "Hello there." and bills 10 tokens in and a token per word out
//   QUOTA_KEY  a key whose budget is used up
//   RATE_KEY   a key that has used up its requests of this minute
//   STORE      a knowledge base with the texts "refunds" and "hours" in English
//              (lang en) and "parkplatz" in German; hours and parkplatz of 2026
import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai'

const { BASE_URL, API_KEY, MODEL, QUOTA_KEY, RATE_KEY, STORE } = process.env
const client = (apiKey = API_KEY) => new OpenAI({ baseURL: BASE_URL, apiKey, maxRetries: 0, timeout: 20_000 })
const openai = client()
const hello = [{ role: 'user', content: 'Say hello. The capital of France is Paris. What is the capital of France?' }]

/** failure returns what a promise is rejected with. */
const failure = (promise) =>
  promise.then(
    () => assert.fail('the call succeeded'),
    (error) => error,
  )

test('models: list and retrieve', async () => {
  const ids = []
  for await (const model of openai.models.list()) {
    assert.equal(model.object, 'model')
    assert.equal(typeof model.created, 'number')
    assert.ok(model.owned_by)
    ids.push(model.id)
  }
  for (const id of ['strata/extract-1', 'strata/embed-1', MODEL]) assert.ok(ids.includes(id), `${id} in ${ids}`)
  const one = await openai.models.retrieve(MODEL)
  assert.equal(one.id, MODEL)
})

for (const model of ['strata/extract-1', MODEL]) {
  test(`chat: ${model}`, async () => {
    const { data, response } = await openai.chat.completions.create({ model, messages: hello }).withResponse()
    assert.equal(data.object, 'chat.completion')
    assert.equal(data.choices[0].message.role, 'assistant')
    assert.match(data.choices[0].message.content, /Paris|Hello/)
    assert.equal(data.choices[0].finish_reason, 'stop')
    assert.ok(data.usage.prompt_tokens > 0)
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens)
    assert.ok(response.headers.get('x-request-id'))
    assert.equal(data._request_id, response.headers.get('x-request-id'))
  })

  test(`chat: ${model} streamed`, async () => {
    const whole = await openai.chat.completions.create({ model, messages: hello, temperature: 0 })
    const stream = await openai.chat.completions.create({ model, messages: hello, temperature: 0, stream: true })
    let text = ''
    let finish = null
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk')
      assert.equal(chunk.choices.length, 1, 'no usage frame unless it is asked for')
      text += chunk.choices[0].delta.content ?? ''
      finish = chunk.choices[0].finish_reason ?? finish
    }
    assert.equal(text, whole.choices[0].message.content)
    assert.equal(finish, 'stop')
  })

  test(`chat: ${model} streamed with usage`, async () => {
    const stream = await openai.chat.completions.create({
      model,
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    })
    let usage
    for await (const chunk of stream) usage = chunk.usage ?? usage
    assert.ok(usage.prompt_tokens > 0)
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
  })
}

test('chat: the stream helper', async () => {
  const runner = openai.chat.completions.stream({ model: 'strata/extract-1', messages: hello })
  const deltas = []
  runner.on('content', (delta) => deltas.push(delta))
  const final = await runner.finalChatCompletion()
  assert.match(final.choices[0].message.content, /Paris/)
  assert.equal(deltas.join(''), final.choices[0].message.content)
})

test('chat: usage is what the provider bills', async () => {
  const { usage } = await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [10, 2])
})

test('chat: leaving a stream early', async () => {
  const stream = await openai.chat.completions.create({ model: MODEL, messages: hello, stream: true })
  for await (const chunk of stream) {
    assert.ok(chunk.id)
    break // closes the connection
  }
  const again = await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.equal(again.choices[0].message.content, 'Hello there.')
})

test('embeddings: base64 by default, and floats, are the same', async () => {
  const input = ['the quick brown fox', 'der schnelle braune Fuchs', '日本語']
  const packed = await openai.embeddings.create({ model: 'strata/embed-1', input })
  const plain = await openai.embeddings.create({ model: 'strata/embed-1', input, encoding_format: 'float' })
  assert.equal(packed.data.length, 3)
  assert.ok(packed.usage.total_tokens > 0)
  for (const [i, { index, embedding }] of packed.data.entries()) {
    assert.equal(index, i)
    assert.ok(embedding.length >= 64)
    assert.equal(embedding.length, plain.data[i].embedding.length)
    embedding.forEach((x, j) => assert.ok(Math.abs(x - plain.data[i].embedding[j]) < 1e-6))
  }
  const one = await openai.embeddings.create({ model: 'strata/embed-1', input: input[0] })
  assert.deepEqual([...one.data[0].embedding], [...packed.data[0].embedding])
})

test('vector stores: search', async () => {
  const page = await openai.vectorStores.search(STORE, { query: 'How long does a refund take?' })
  assert.equal(page.object, 'vector_store.search_results.page')
  assert.equal(page.hasNextPage(), false)
  const [best, ...rest] = page.data
  assert.equal(best.filename, 'refunds')
  assert.deepEqual(best.attributes, { lang: 'en', year: 2025 })
  assert.deepEqual(best.content, [{ type: 'text', text: 'A refund takes five working days. Nobody pays for it.' }])
  assert.ok(best.file_id && best.score > 0 && best.score <= 1)
  for (const other of rest) assert.ok(other.score <= best.score)
})

test('vector stores: search with filters, limits and a list of queries', async () => {
  const names = async (body) => {
    const found = []
    for await (const { filename } of openai.vectorStores.search(STORE, body)) found.push(filename)
    return found.sort()
  }
  const query = ['When does the shop open?', 'refund', 'parken']
  const year = (type, value) => ({ type, key: 'year', value })
  const english = { type: 'eq', key: 'lang', value: 'en' }
  assert.deepEqual(await names({ query, filters: english }), ['hours', 'refunds'])
  assert.deepEqual(await names({ query, filters: { type: 'and', filters: [english, year('gte', 2026)] } }), ['hours'])
  assert.deepEqual(await names({ query, filters: { type: 'or', filters: [year('lt', 2026), { ...english, value: 'de' }] } }), [
    'parkplatz',
    'refunds',
  ])
  assert.deepEqual(await names({ query, filters: year('gt', 2026) }), [])
  assert.equal((await names({ query, max_num_results: 1 })).length, 1)
  assert.deepEqual(await names({ query: 'On Sundays it is closed', max_num_results: 1, ranking_options: { ranker: 'none' } }), ['hours'])
  assert.deepEqual(await names({ query, ranking_options: { score_threshold: 1 } }), [])
})

test('vector stores: errors', async () => {
  const missing = await failure(openai.vectorStores.search('vs_none', { query: 'x' }))
  assert.ok(missing instanceof NotFoundError, String(missing))
  for (const body of [{ query: '' }, { query: 'x', filters: { type: 'nearly', key: 'year', value: 1 } }, { query: 'x', max_num_results: 51 }]) {
    const error = await failure(openai.vectorStores.search(STORE, body))
    assert.ok(error instanceof BadRequestError, `${JSON.stringify(body)}: ${error}`)
    assert.equal(error.type, 'invalid_request_error')
  }
})

test('errors: a bad key', async () => {
  const error = await failure(client('sk-nobody').chat.completions.create({ model: MODEL, messages: hello }))
  assert.ok(error instanceof AuthenticationError, String(error))
  assert.equal(error.status, 401)
  assert.equal(error.code, 'invalid_api_key')
  assert.ok(error.requestID)
})

test('errors: an unknown model', async () => {
  for (const model of ['nobody/nothing', 'strata/nothing', 'flotorch/nothing', 'nothing']) {
    for (const stream of [false, true]) {
      const error = await failure(openai.chat.completions.create({ model, messages: hello, stream }))
      assert.ok(error instanceof NotFoundError, `${model}: ${error}`)
      assert.equal(error.code, 'model_not_found')
      assert.equal(error.param, 'model')
      assert.equal(error.type, 'invalid_request_error')
    }
    const error = await failure(openai.models.retrieve(model))
    assert.ok(error instanceof NotFoundError, `${model}: ${error}`)
  }
})

test('errors: a budget that is used up', async () => {
  for (const stream of [false, true]) {
    const error = await failure(client(QUOTA_KEY).chat.completions.create({ model: MODEL, messages: hello, stream }))
    assert.ok(error instanceof RateLimitError, String(error))
    assert.equal(error.code, 'insufficient_quota')
    assert.equal(error.type, 'insufficient_quota')
  }
})

test('errors: too many requests', async () => {
  const error = await failure(client(RATE_KEY).chat.completions.create({ model: MODEL, messages: hello }))
  assert.ok(error instanceof RateLimitError, String(error))
  assert.equal(error.code, 'rate_limit_exceeded')
  assert.ok(Number(error.headers.get('retry-after')) > 0)
})

test('errors: a request that makes no sense', async () => {
  for (const body of [{ model: MODEL }, { model: MODEL, messages: [] }, { messages: hello }, { model: MODEL, messages: 'hi' }]) {
    const error = await failure(openai.chat.completions.create(body))
    assert.ok(error instanceof BadRequestError, `${JSON.stringify(body)}: ${error}`)
    assert.equal(error.type, 'invalid_request_error')
    assert.ok(error.param)
  }
})
