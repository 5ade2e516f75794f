import { describe, expect, test } from 'vitest'
import { drawingOf, readDefinition } from './definition'

const text = `# Answers questions.
nodes:
  - id: start
    type: start
  - id: answer
    type: llm
    config:
      model: strata/extract-1
    retry: { max_attempts: 3 }
edges:
  - source: start
    target: answer
`

describe('a definition as YAML', () => {
  const { value, faults, lineOf } = readDefinition(text)

  test('is read', () => {
    expect(faults).toEqual([])
    expect(value?.edges).toEqual([{ source: 'start', target: 'answer' }])
  })

  test('knows the line of every path, and of as much as there is of one', () => {
    expect(['nodes[1]', 'nodes[1].config.model', 'nodes[1].config.prompt', 'edges[0].target', 'nodes[9].id', 'outputSchema'].map(lineOf)).toEqual([5, 8, 7, 12, 2, 1])
  })

  test('takes keys as the server spells them', () => {
    expect(lineOf('nodes[1].retry.maxAttempts')).toBe(9)
  })
})

test('JSON is read as well, with its lines', () => {
  const { value, lineOf } = readDefinition('{\n  "nodes": [\n    {"id": "start"}\n  ]\n}')
  expect(value).toEqual({ nodes: [{ id: 'start' }] })
  expect(lineOf('nodes[0].id')).toBe(3)
})

test('what cannot be read is named with its line', () => {
  const { value, faults } = readDefinition('nodes:\n  - id: start\n    type: [start\n')
  expect(value).toBeUndefined()
  expect(faults[0]?.line).toBeGreaterThanOrEqual(3)
})

test('anything but an object is refused', () => {
  for (const odd of ['', '- a', 'text', '42']) expect(readDefinition(odd).faults[0]?.message).toMatch(/nodes and edges/)
})

test('aliases do not explode', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...'bcdefgh'.split('').map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefg'[i]}`).join(', ')}]`)].join('\n')
  const { value, faults } = readDefinition(bomb)
  expect(value).toBeUndefined()
  expect(faults).toHaveLength(1)
})

test('what is drawn leaves out what is unfinished', () => {
  const drawing = drawingOf({
    nodes: [{ id: 'a', type: 'start' }, { id: 'a', type: 'end' }, { type: 'llm' }, null, 'x', { id: 'b', name: 'B' }],
    edges: [{ source: 'a', target: 'b', source_handle: 'error' }, { source: 'a', target: 'gone' }, { source: 'a' }, 7],
  })
  expect(drawing.nodes).toEqual([{ id: 'a', type: 'start' }, { id: 'b', type: '?', name: 'B' }])
  expect(drawing.edges).toEqual([{ source: 'a', target: 'b', sourceHandle: 'error' }])
  expect(drawingOf({ nodes: 'soon' })).toEqual({ nodes: [], edges: [] })
})
