import { describe, expect, test } from 'vitest'
import type { Step } from './workflows'
import { humanChoice, nodesOfRun, wasTaken } from './workflows'

const step = (id: string, status: Step['status'], more: Partial<Step> = {}): Step => ({
  id,
  nodeId: id.replace(/\[\d+\]$/, ''),
  nodeType: 'transform',
  status,
  attempt: 1,
  durationMs: 10,
  ...more,
})

const states = (steps: Step[], runStatus: Parameters<typeof nodesOfRun>[2]) =>
  Object.fromEntries([...nodesOfRun(['a', 'b', 'c'], steps, runStatus)].map(([id, node]) => [id, node.state]))

describe('the state of a node', () => {
  test('is that of its step; a node that was not come to is idle', () => {
    expect(states([step('a', 'completed'), step('b', 'running')], 'running')).toEqual({ a: 'completed', b: 'running', c: 'idle' })
    expect(states([step('a', 'skipped'), step('b', 'failed'), step('c', 'queued')], 'running')).toEqual({ a: 'skipped', b: 'failed', c: 'queued' })
  })

  test('is waiting when it waits for a person or a time, not when for its own items', () => {
    const waits = (waitsFor: Step['waitsFor']) => states([step('a', 'running', { ...(waitsFor && { waitsFor }) })], 'paused').a
    expect([waits('human'), waits('time'), waits('items'), waits('child')]).toEqual(['waiting', 'waiting', 'running', 'running'])
  })

  test('is cancelled when the run ended without it', () => {
    expect(states([step('a', 'completed'), step('b', 'running', { waitsFor: 'human' })], 'cancelled')).toEqual({ a: 'completed', b: 'cancelled', c: 'idle' })
    const error = (code: string) => ({ error: { code, message: 'why' } })
    expect(states([step('a', 'failed', error('VALIDATION_ERROR')), step('b', 'failed', error('CANCELLED'))], 'failed')).toEqual({ a: 'failed', b: 'cancelled', c: 'idle' })
  })
})

test('the items of a loop are counted beside its own step', () => {
  const nodes = nodesOfRun(['a'], [step('a', 'running', { waitsFor: 'items', durationMs: 70 }), step('a[0]', 'completed'), step('a[1]', 'failed'), step('a[2]', 'running')], 'running')
  expect(nodes.get('a')).toMatchObject({ state: 'running', itemsDone: 2, durationMs: 70, step: { id: 'a' } })
  expect(nodes.get('a')?.items.map((item) => item.id)).toEqual(['a[0]', 'a[1]', 'a[2]'])
})

test('a step of a node that is no longer in the definition is left out', () => {
  expect(nodesOfRun(['a'], [step('gone', 'completed')], 'completed').size).toBe(1)
})

test('what a person may decide', () => {
  expect(humanChoice({ id: 'h', type: 'human', config: { prompt: 'Send?', decisions: ['send', 'drop'] } })).toEqual({ prompt: 'Send?', decisions: ['send', 'drop'] })
  expect(humanChoice({ id: 'h', type: 'human' })).toEqual({ prompt: '', decisions: ['approved', 'rejected'] })
})

test('the edges that a run went along', () => {
  const steps = [step('a', 'completed', { output: { branch: 'yes' } }), step('b', 'completed'), step('c', 'skipped')]
  const nodes = nodesOfRun(['a', 'b', 'c', 'd'], steps, 'running')
  const taken = (source: string, target: string, sourceHandle?: string) => wasTaken({ source, target, ...(sourceHandle && { sourceHandle }) }, nodes)
  expect([taken('a', 'b', 'yes'), taken('a', 'b', 'default'), taken('a', 'c', 'yes'), taken('b', 'd'), taken('a', 'b')]).toEqual([true, false, false, false, true])
  const failed = nodesOfRun(['a', 'b'], [step('a', 'failed'), step('b', 'running')], 'running')
  expect([wasTaken({ source: 'a', target: 'b', sourceHandle: 'error' }, failed), wasTaken({ source: 'a', target: 'b' }, failed)]).toEqual([true, false])
})
