import { expect, test } from 'vitest'
import { ApiError } from './api/client'
import { formFaults } from './faults'

const refused = (...fields: string[]) => new ApiError({ status: 400, code: 'VALIDATION_ERROR', message: 'invalid', details: fields.map((field) => ({ field, message: `bad ${field}` })) })

test('a fault is said at its field, and one of a part at the whole', () => {
  const { at, rest } = formFaults(refused('name', 'tools[2]', 'body.max_tokens'), ['name', 'tools', 'maxTokens'])
  expect([at('name'), at('tools'), at('maxTokens'), at('model')]).toEqual(['bad name', 'bad tools[2]', 'bad body.max_tokens', undefined])
  expect(rest).toBe(false)
})

test('a part with a field of its own is not said at the whole', () => {
  const { at } = formFaults(refused('configuration.epochs'), ['configuration', 'configuration.epochs'])
  expect([at('configuration'), at('configuration.epochs')]).toEqual([undefined, 'bad configuration.epochs'])
})

test('what no field shows is left to be said apart', () => {
  expect(formFaults(refused('name', 'quota'), ['name']).rest).toBe(true)
  expect(formFaults(new Error('broken'), ['name']).rest).toBe(true)
  expect(formFaults(null, ['name']).rest).toBe(false)
})
