import { describe, expect, test } from 'vitest'
import { basePath, baseUrl, socketUrl } from './base'

describe('basePath', () => {
  test.each([
    ['/console/', ''],
    ['/console', ''],
    ['/console/logs', ''],
    ['/strata/console/logs', '/strata'],
    ['/a/b/console/', '/a/b'],
    ['/console/console/', '/console'],
    ['/elsewhere', ''],
  ])('%s → %j', (path, base) => expect(basePath(path)).toBe(base))
})

test('addresses of the server', () => {
  const base = baseUrl({ origin: 'https://host:8443', pathname: '/p/console/chat' })
  expect(base).toBe('https://host:8443/p')
  expect(socketUrl(base)).toBe('wss://host:8443/p')
  expect(socketUrl('http://host')).toBe('ws://host')
})
