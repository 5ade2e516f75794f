import { describe, expect, test } from 'vitest'
import { bucketsOf, intervalFor, parseRange, rangeQuery, resolve } from './time-range'

const query = (text: string) => new URLSearchParams(text)

describe('parseRange', () => {
  test('a preset', () => expect(parseRange(query('range=7d'), '24h')).toEqual({ preset: '7d' }))
  test('an unknown preset is the fallback', () => expect(parseRange(query('range=9y'), '24h')).toEqual({ preset: '24h' }))
  test('a span that ends before it starts is the fallback', () =>
    expect(parseRange(query('from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z'), '1h')).toEqual({ preset: '1h' }))
  test('a custom span survives the address', () => {
    const range = { preset: 'custom' as const, start: 1_700_000_000_000, end: 1_700_000_600_000 }
    expect(parseRange(query(new URLSearchParams(rangeQuery(range)).toString()), '1h')).toEqual(range)
  })
})

test('a preset moves with the clock, a custom span does not', () => {
  expect(resolve({ preset: '15m' }, 1_000_000)).toEqual({ start: 100_000, end: 1_000_000 })
  expect(resolve({ preset: 'custom', start: 1, end: 2 }, 1_000_000)).toEqual({ start: 1, end: 2 })
})

const hours = (n: number) => ({ start: 0, end: n * 3_600_000 })

test.each([
  [1, 'minute'],
  [24, 'hour'],
  [7 * 24, 'hour'],
  [30 * 24, 'day'],
])('%d hours are charted by %s', (length, interval) => expect(intervalFor(hours(length))).toBe(interval))

test('buckets cover the span without a hole', () => {
  const { times, floor } = bucketsOf({ start: 90_000, end: 240_001 }, 'minute')
  expect(times).toEqual([60_000, 120_000, 180_000, 240_000])
  expect(floor(119_999)).toBe(60_000)
})
