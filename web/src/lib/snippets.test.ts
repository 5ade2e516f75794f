import { expect, test } from 'vitest'
import { compactJson, curlBudget, curlWorkflow } from './snippets'

test('JSON in lines, where a value that fits on one stands on one', () => {
  const value = { name: 'answer', nodes: [{ id: 'start', type: 'start' }, { id: 'answer', type: 'llm', config: { prompt: 'Something that is rather long, so that it wraps' } }], none: [] }
  const text = compactJson(value)
  expect(JSON.parse(text)).toEqual(value)
  expect(text.split('\n')).toContain('    {"id": "start", "type": "start"},')
  expect(compactJson({ a: [1, null, 'x'] })).toBe('{"a": [1, null, "x"]}')
})

test('what is to be pasted into a shell is one argument of it', () => {
  for (const command of [curlBudget('http://localhost:8000'), curlWorkflow('http://localhost:8000')]) {
    const body = /-d '([^']*)'$/.exec(command)?.[1]
    expect(() => JSON.parse(body ?? '')).not.toThrow()
  }
})
