import { describe, expect, test, vi } from 'vitest'
import { ApiClient, ApiError, hasMovedOn, queryString } from './client'

interface Answer {
  status?: number
  body?: unknown
  text?: string
  headers?: Record<string, string>
}

/** A client whose server gives these answers in turn, and what it was asked. */
function clientOf(...answers: Answer[]) {
  const asked: { url: string; init: RequestInit }[] = []
  const onUnauthorized = vi.fn()
  const fetch = (async (url: string, init: RequestInit) => {
    asked.push({ url, init })
    const answer = answers.shift() ?? {}
    return new Response(answer.text ?? JSON.stringify(answer.body ?? null), { status: answer.status ?? 200, headers: answer.headers ?? {} })
  }) as typeof globalThis.fetch
  return { api: new ApiClient({ base: 'http://host/p', token: 'secret', fetch, onUnauthorized }), asked, onUnauthorized }
}

const header = (init: RequestInit | undefined, name: string) => new Headers(init?.headers).get(name)

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

test('queryString leaves out what is empty', () => {
  expect(queryString({ a: 1, b: '', c: undefined, d: null, e: 'x y', f: false })).toBe('?a=1&e=x+y&f=false')
  expect(queryString({})).toBe('')
})

describe('reading', () => {
  test('an enveloped answer is its data', async () => {
    const { api, asked } = clientOf({ body: { success: true, data: { id: 'x' }, meta: {} } })
    expect(await api.get('/api/v1/thing', { q: 1 })).toEqual({ id: 'x' })
    expect(asked[0]?.url).toBe('http://host/p/api/v1/thing?q=1')
    expect(header(asked[0]?.init, 'Authorization')).toBe('Bearer secret')
  })

  test('a plain answer is itself, even when it has a field "data"', async () => {
    const { api } = clientOf({ body: { data: 1, id: 'x' } })
    expect(await api.get('/v1/thing')).toEqual({ data: 1, id: 'x' })
  })

  test('lists of both mounts', async () => {
    const { api } = clientOf(
      { body: { success: true, data: [1], pagination: { hasMore: true, nextCursor: 'c', limit: 1 } } },
      { body: { count: 1, data: [2], has_more: true } },
      { body: { object: 'list', data: [3] } },
    )
    expect(await api.list('/api/v1/a')).toEqual({ items: [1], hasMore: true, nextCursor: 'c' })
    expect(await api.list('/v1/a')).toEqual({ items: [2], hasMore: true, nextCursor: '' })
    expect(await api.list('/openai/v1/models')).toEqual({ items: [3], hasMore: false, nextCursor: '' })
  })
})

describe('read your writes', () => {
  test('later reads carry the highest position a write answered', async () => {
    const { api, asked } = clientOf(
      { body: {} },
      { body: {}, headers: { 'Strata-Position': '42' } },
      { body: {}, headers: { 'Strata-Position': '7' } },
      { body: {} },
    )
    await api.get('/a')
    await api.post('/b')
    await api.put('/c', {})
    await api.get('/d')
    expect(asked.map(({ init }) => header(init, 'Strata-Min-Position'))).toEqual([null, null, null, '42'])
  })
})

test('a read by POST sees earlier writes, and so does one after an event was seen', async () => {
  const { api, asked } = clientOf({ body: {} }, { body: { data: [1] } }, { body: {} })
  api.saw(9)
  api.saw(3)
  await api.get('/a')
  expect(await api.query('/list', { limit: 1 })).toEqual({ data: [1] })
  await api.post('/b')
  expect(asked.map(({ init }) => header(init, 'Strata-Min-Position'))).toEqual(['9', '9', null])
})

describe('what somebody else may change meanwhile', () => {
  test('is read with the tag of its revision, and written only while it is there', async () => {
    const { api, asked } = clientOf({ body: { success: true, data: { id: 'x' } }, headers: { ETag: '"7"' } }, { body: {} }, { body: {} })
    expect(await api.getTagged('/a')).toEqual({ id: 'x', etag: '"7"' })
    await api.patch('/a', {}, '"7"')
    await api.patch('/a', {})
    expect(asked.map(({ init }) => header(init, 'If-Match'))).toEqual([null, '"7"', null])
  })

  test('a write that came too late is told from other conflicts', async () => {
    const late = { code: 'CONFLICT', message: 'agent "a" is at revision 8, not 7', params: { revision: 8 } }
    const { api } = clientOf({ status: 409, body: { success: false, error: late } }, { status: 409, body: { error: 'taken', code: 'CONFLICT' } }, { status: 412, body: null })
    const cameLate = async () => hasMovedOn(await failure(api.patch('/a', {}, '"7"')))
    expect([await cameLate(), await cameLate(), await cameLate()]).toEqual([true, false, true])
  })
})

test('files are sent as a form whose type the browser writes', async () => {
  const { api, asked } = clientOf({ body: { success: true, data: { accepted: 1 } } })
  const form = new FormData()
  form.append('files', new Blob(['text']), 'a.txt')
  expect(await api.upload('/u', form)).toEqual({ accepted: 1 })
  expect(asked[0]?.init.body).toBe(form)
  expect(header(asked[0]?.init, 'Content-Type')).toBe(null)
})

describe('failures', () => {
  test('of the enveloped mount', async () => {
    const details = [{ field: 'name', message: 'is required' }]
    const { api } = clientOf({
      status: 400,
      body: { success: false, error: { code: 'VALIDATION_ERROR', message: 'invalid input data', details }, meta: { requestId: 'req_1' } },
    })
    const error = await failure(api.post('/api/v1/a'))
    expect(error).toMatchObject({ status: 400, code: 'VALIDATION_ERROR', message: 'invalid input data', details, requestId: 'req_1' })
  })

  test('of the plain mount', async () => {
    const { api } = clientOf({ status: 404, body: { error: 'not here', code: 'NOT_FOUND' }, headers: { 'X-Request-Id': 'req_2' } })
    expect(await failure(api.get('/v1/a'))).toMatchObject({ status: 404, code: 'NOT_FOUND', message: 'not here', requestId: 'req_2' })
  })

  test('of the OpenAI mount', async () => {
    const { api } = clientOf({ status: 404, body: { error: { message: 'no model', type: 'invalid_request_error', code: 'model_not_found' } } })
    expect(await failure(api.get('/openai/v1/a'))).toMatchObject({ code: 'model_not_found', message: 'no model' })
  })

  test('of something in between', async () => {
    const { api } = clientOf({ status: 502, text: '<html>Bad gateway</html>' }, { text: '<html>Hello</html>' })
    expect(await failure(api.get('/a'))).toMatchObject({ status: 502, code: 'HTTP_502' })
    expect(await failure(api.get('/a'))).toMatchObject({ status: 200, code: 'UNEXPECTED_ANSWER' })
  })

  test('a key that is not valid is told', async () => {
    const { api, onUnauthorized } = clientOf({ status: 401, body: { success: false, error: { code: 'UNAUTHORIZED', message: 'no' } } })
    await failure(api.get('/a'))
    expect(onUnauthorized).toHaveBeenCalledOnce()
  })

  test('an unreachable server', async () => {
    const fetch = (() => Promise.reject(new TypeError('refused'))) as typeof globalThis.fetch
    const error = await failure(new ApiClient({ base: '', token: '', fetch }).get('/a'))
    expect(error).toMatchObject({ status: 0, code: 'UNREACHABLE' })
  })

  test('an aborted request stays an abort', async () => {
    const abort = new DOMException('stop', 'AbortError')
    const fetch = (() => Promise.reject(abort)) as typeof globalThis.fetch
    await expect(new ApiClient({ base: '', token: '', fetch }).get('/a')).rejects.toBe(abort)
  })
})
