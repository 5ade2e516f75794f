import { expect, test } from 'vitest'
import { readablePath, shortValue } from './pointer'

test.each([
  ['', 'everything'],
  ['/name', 'name'],
  ['/config/stop/0', 'config.stop[0]'],
  ['/versions/-', 'versions[+]'],
  ['/labels/a~1b', 'labels["a/b"]'],
  ['/labels/til~0de', 'labels["til~de"]'],
  ['/labels/two words', 'labels["two words"]'],
  ['/größe', 'größe'],
])('%s reads as %s', (pointer, want) => expect(readablePath(pointer)).toBe(want))

test.each([
  [undefined, ''],
  ['plain', 'plain'],
  [{ a: [1] }, '{"a":[1]}'],
  [null, 'null'],
  [false, 'false'],
])('%j on one line is %s', (value, want) => expect(shortValue(value)).toBe(want))
