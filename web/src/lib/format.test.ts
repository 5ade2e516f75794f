import { describe, expect, test } from 'vitest'
import { ago, count, duration, humanise, integer, percent, timestamp, usd, usdShort } from './format'

describe('amounts', () => {
  test.each([
    [0, '0'],
    [9_999, '9,999'],
    [12_840, '12.8K'],
    [3_100_000, '3.1M'],
  ])('count %d → %s', (value, text) => expect(count(value)).toBe(text))

  test('integer keeps every digit', () => expect(integer(1_234_567)).toBe('1,234,567'))

  test.each([
    [0, '$0.00'],
    [1204.5, '$1,204.50'],
    [0.5, '$0.50'],
    [0.0123, '$0.0123'],
    [0.000004, '$0.000004'],
    [-0.25, '-$0.25'],
  ])('usd %d → %s', (value, text) => expect(usd(value)).toBe(text))

  test('usdShort', () => {
    expect(usdShort(12_400)).toBe('$12.4K')
    expect(usdShort(12.4)).toBe('$12.40')
  })

  test.each([
    [0, '0%'],
    [0.000001, '<0.01%'],
    [0.0004, '0.04%'],
    [0.017, '1.7%'],
    [0.5, '50%'],
    [1.04, '104%'],
  ])('percent %d → %s', (value, text) => expect(percent(value)).toBe(text))
})

describe('duration', () => {
  test.each([
    [0, '0 ms'],
    [0.25, '0.25 ms'],
    [5.5, '5.5 ms'],
    [412.4, '412 ms'],
    [1240, '1.24 s'],
    [3000, '3 s'],
    [125_000, '2 m 5 s'],
    [120_000, '2 m'],
  ])('%d → %s', (ms, text) => expect(duration(ms)).toBe(text))
})

describe('times', () => {
  const now = Date.parse('2026-11-22T12:00:00Z')
  test.each([
    ['2026-11-22T11:59:40Z', 'just now'],
    ['2026-11-22T11:56:00Z', '4 min ago'],
    ['2026-11-22T09:00:00Z', '3 h ago'],
    ['2026-11-02T12:00:00Z', 'Nov 2'],
    ['nonsense', ''],
  ])('ago %s → %j', (iso, text) => expect(ago(iso, now)).toBe(text))

  test('what is not a time is nothing', () => expect(timestamp('')).toBe(''))
})

test('humanise', () => {
  expect(humanise('api_key')).toBe('API key')
  expect(humanise('workspace')).toBe('Workspace')
})
