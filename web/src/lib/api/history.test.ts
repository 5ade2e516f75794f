import { expect, test } from 'vitest'
import { ApiClient } from './client'
import { loadHistory, toEntry } from './history'

const change = { path: '/name', op: 'replace', before: 'a', after: 'b' }

test('an entry of either mount', () => {
  const want = { revision: 2, position: 9, type: 'app.updated.v1', actor: 'key_1', recordedAt: '2026-01-01T00:00:00Z', erased: false, changes: [change] }
  expect(toEntry({ ...want, eventId: 'evt_1', erased: undefined })).toEqual(want)
  const { recordedAt, ...rest } = want
  expect(toEntry({ ...rest, recorded_at: recordedAt, event_id: 'evt_1' })).toEqual(want)
})

function answering(...bodies: unknown[]) {
  const asked: string[] = []
  const api = new ApiClient({
    base: '',
    token: 't',
    fetch: async (input) => {
      asked.push(String(input))
      return new Response(JSON.stringify(bodies[asked.length - 1]))
    },
  })
  return { api, asked }
}

test('pages of the enveloped mount go by cursor', async () => {
  const { api, asked } = answering({ success: true, data: [{ revision: 5 }], pagination: { hasMore: true, nextCursor: 'c' } }, { success: true, data: [{ revision: 4 }] })
  const first = await loadHistory(api, '/api/v1/apps/app_1', '')
  expect(first.next).toBe('c')
  expect((await loadHistory(api, '/api/v1/apps/app_1', first.next)).next).toBe('')
  expect(asked).toEqual(['/api/v1/apps/app_1/history?limit=100', '/api/v1/apps/app_1/history?limit=100&cursor=c'])
})
