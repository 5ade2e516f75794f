import { expect, test } from 'vitest'
import { linePath, ticks } from './scale'

test('ticks are round and within the span', () => {
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
  expect(ticks(0.31, 0.74, 4)).toEqual([0.4, 0.6])
  expect(ticks(1, 50, 5)).toEqual([10, 20, 30, 40, 50])
  expect(ticks(3, 3, 5)).toEqual([3])
})

test('a line has gaps where nothing is known', () => {
  expect(linePath([{ x: 0, y: 1 }, { x: 1, y: 2 }, null, { x: 3, y: 4 }])).toBe('M0.0 1.0L1.0 2.0M3.0 4.0')
})
