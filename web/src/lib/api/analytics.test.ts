import { expect, test } from 'vitest'
import { toOverview } from './analytics'

const minute = 60_000
const span = { start: 0, end: 3 * minute }
const at = (t: number) => new Date(t).toISOString()

test('the three answers become one picture', () => {
  const overview = toOverview(
    span,
    'minute',
    {
      totalCalls: 10,
      inputTokens: 100,
      outputTokens: 50,
      uniqueUsers: 2,
      byModel: [
        { model: 'a', calls: 8, inputTokens: 80, outputTokens: 40 },
        { model: 'b', calls: 2, inputTokens: 20, outputTokens: 10 },
      ],
      series: [{ timestamp: at(minute), calls: 10, errors: 1, inputTokens: 100, outputTokens: 50 }],
    },
    { errorRate: 0.1, p50LatencyMs: 5, p95LatencyMs: 9, p99LatencyMs: 12, series: [{ timestamp: at(minute), calls: 10, p50LatencyMs: 5, p95LatencyMs: 9, p99LatencyMs: 12 }] },
    { totalUsd: 0.3, byModel: [{ model: 'b', costUsd: 0.2 }, { model: 'a', costUsd: 0.1 }], series: [{ timestamp: at(minute + 1), model: 'b', costUsd: 0.2 }, { timestamp: at(minute + 1), model: 'a', costUsd: 0.1 }] },
  )
  expect(overview).toMatchObject({ calls: 10, errorRate: 0.1, costUsd: 0.3, p99: 12, users: 2 })
  expect(overview.points).toEqual([
    { time: 0, calls: 0, errors: 0, tokens: 0, costUsd: 0, p50: null, p95: null, p99: null },
    { time: minute, calls: 10, errors: 1, tokens: 150, costUsd: expect.closeTo(0.3), p50: 5, p95: 9, p99: 12 },
    { time: 2 * minute, calls: 0, errors: 0, tokens: 0, costUsd: 0, p50: null, p95: null, p99: null },
  ])
  expect(overview.models.map((m) => [m.model, m.calls, m.costUsd])).toEqual([
    ['b', 2, 0.2],
    ['a', 8, 0.1],
  ])
})

test('costs are split by model, the costliest first, the rest together', () => {
  const models = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((model, i) => ({ model, costUsd: 7 - i }))
  const series = models.map(({ model, costUsd }) => ({ timestamp: at(0), model, costUsd }))
  const { costs } = toOverview(span, 'minute', {}, {}, { byModel: models, series })
  expect(costs.map(({ model, values }) => [model, ...values])).toEqual([
    ['a', 7, 0, 0],
    ['b', 6, 0, 0],
    ['c', 5, 0, 0],
    ['d', 4, 0, 0],
    ['e', 3, 0, 0],
    ['Other', 3, 0, 0],
  ])
})

test('nothing recorded is all zeros, and no rate is made up', () => {
  const overview = toOverview(span, 'minute', {}, { errorRate: Number.NaN, successRate: 0 }, { byModel: null, series: null })
  expect(overview).toMatchObject({ calls: 0, errorRate: 0, costUsd: 0, models: [] })
  expect(overview.points).toHaveLength(3)
})

test('an error rate is derived where only the success rate is told', () => {
  expect(toOverview(span, 'minute', { totalCalls: 4 }, { successRate: 0.75 }, {}).errorRate).toBe(0.25)
})
