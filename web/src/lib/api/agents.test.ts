import { expect, test } from 'vitest'
import { messageOf, toolCallsOf } from './agents'

test('the message of what goes in and comes out', () => {
  expect(messageOf({ message: 'hello' })).toBe('hello')
  expect(messageOf({ content: '42' })).toBe('42')
  expect(messageOf({ messages: [{ role: 'user', content: 'first' }, { role: 'user', content: 'last' }] })).toBe('last')
  expect(messageOf({ total: 3 })).toBe('{"total":3}')
  expect([messageOf(null), messageOf(undefined), messageOf('text')]).toEqual(['', '', 'text'])
})

test('the tools that a model asked for, whichever way they are spelled', () => {
  expect(toolCallsOf({ toolCalls: [{ name: 'calculator', arguments: { expression: '6 * 7' } }] })).toEqual([{ name: 'calculator', arguments: '{"expression":"6 * 7"}' }])
  expect(toolCallsOf({ tool_calls: [{ function: { name: 'now', arguments: '{}' } }] })).toEqual([{ name: 'now', arguments: '{}' }])
  expect([toolCallsOf({ content: 'no' }), toolCallsOf(null), toolCallsOf('x')]).toEqual([[], [], []])
})
