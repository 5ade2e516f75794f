import { expect, test } from 'vitest'
import { toCall } from './calls'

test('a row in the units of the API', () => {
  expect(toCall({ id: 'inf_1', timestamp: '2026-01-01T00:00:00Z', status: 'error', latency_ms: 12, cost_usd: 0.5, http_status: 503 })).toMatchObject({
    id: 'inf_1',
    time: '2026-01-01T00:00:00Z',
    status: 'error',
    latencyMs: 12,
    costUsd: 0.5,
    httpStatus: 503,
    firstTokenMs: undefined,
  })
})

test('a row in the units of storage', () => {
  expect(toCall({ started_at: 't', latency_us: 1500, cost_micro_usd: 250_000, ttft_us: 500 })).toMatchObject({
    time: 't',
    status: 'success',
    latencyMs: 1.5,
    costUsd: 0.25,
    firstTokenMs: 0.5,
  })
})

test('payloads may be JSON, text that holds JSON, or missing', () => {
  expect(toCall({ request: { a: 1 }, response: '{"b":2}' })).toMatchObject({ request: { a: 1 }, response: { b: 2 } })
  expect(toCall({ request: null, response: '' })).toMatchObject({ request: undefined, response: undefined })
  expect(toCall({ response: 'just text' }).response).toBe('just text')
})
