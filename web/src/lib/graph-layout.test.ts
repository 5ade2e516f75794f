import { describe, expect, test } from 'vitest'
import type { GraphEdge } from './graph-layout'
import { crossings, curve, layoutGraph } from './graph-layout'

const sizes = { width: 100, height: 40, gapX: 20, gapY: 60, padding: 10 }
const edges = (...pairs: string[]): GraphEdge[] => pairs.map((pair) => ({ source: pair[0]!, target: pair[1]! }))
const layout = (ids: string, list: GraphEdge[]) => layoutGraph([...ids], list, sizes)

test('a chain stands one below the other', () => {
  const { nodes, width, height, edges: lines } = layout('abc', edges('ab', 'bc'))
  expect([...nodes.values()]).toEqual([
    { x: 10, y: 10 },
    { x: 10, y: 110 },
    { x: 10, y: 210 },
  ])
  expect({ width, height }).toEqual({ width: 120, height: 260 })
  expect(lines[0]).toEqual([
    { x: 60, y: 50 },
    { x: 60, y: 110 },
  ])
})

test('branches stand side by side, and the node they meet in stands in their middle', () => {
  const { nodes } = layout('abcd', edges('ab', 'ac', 'bd', 'cd'))
  const [a, b, c, d] = [...'abcd'].map((id) => nodes.get(id)!)
  expect(b!.y).toBe(c!.y)
  expect(Math.abs(b!.x - c!.x)).toBeGreaterThanOrEqual(sizes.width + sizes.gapX)
  expect(a!.x).toBeCloseTo((b!.x + c!.x) / 2)
  expect(d!.x).toBeCloseTo((b!.x + c!.x) / 2)
})

test('an edge that passes a layer goes around what stands there', () => {
  const { nodes, edges: lines } = layout('abc', edges('ab', 'bc', 'ac'))
  const b = nodes.get('b')!
  const passing = lines[2]!.filter((point) => point.y >= b.y && point.y <= b.y + sizes.height)
  expect(passing).toHaveLength(2)
  for (const point of passing) expect(point.x < b.x || point.x > b.x + sizes.width).toBe(true)
})

test('orders are chosen so that edges do not cross when they need not', () => {
  // As given, a→d and b→c cross.
  const { nodes } = layout('abcd', edges('ad', 'bc'))
  const inOrder = (left: string, right: string) => nodes.get(left)!.x < nodes.get(right)!.x
  expect(inOrder('a', 'b')).toBe(inOrder('d', 'c'))
})

test('crossings are counted', () => {
  const [x, y] = [{ below: [] }, { below: [] }]
  expect(crossings([[{ below: [y] }, { below: [x] }], [x, y]])).toBe(1)
  expect(crossings([[{ below: [x] }, { below: [y] }], [x, y]])).toBe(0)
})

describe('drafts', () => {
  test('a cycle is drawn, the edge that closes it from below to above', () => {
    const { nodes, edges: lines } = layout('abc', edges('ab', 'bc', 'ca'))
    expect(nodes.get('c')!.y).toBeGreaterThan(nodes.get('a')!.y)
    const back = lines[2]!
    expect(back[0]!.y).toBeGreaterThan(back.at(-1)!.y)
  })

  test('edges to nothing and to themselves have no line', () => {
    const { nodes, edges: lines } = layout('a', edges('ax', 'aa'))
    expect(nodes.size).toBe(1)
    expect(lines).toEqual([[], []])
  })

  test('nothing at all', () => {
    expect(layout('', [])).toMatchObject({ width: 20, height: 20, edges: [] })
  })
})

test('no two nodes overlap, however the graph is', () => {
  let seed = 3
  const random = () => ((seed = (seed * 48271) % 2147483647) / 2147483647)
  for (let round = 0; round < 60; round++) {
    const ids = Array.from({ length: 2 + Math.floor(random() * 14) }, (_, i) => `n${i}`)
    const list = Array.from({ length: Math.floor(random() * 24) }, () => ({
      source: ids[Math.floor(random() * ids.length)]!,
      target: ids[Math.floor(random() * ids.length)]!,
    }))
    const { nodes, width, height } = layoutGraph(ids, list, sizes)
    const placed = [...nodes.values()]
    expect(placed).toHaveLength(ids.length)
    placed.forEach((p, i) => {
      expect(p.x).toBeGreaterThanOrEqual(sizes.padding - 0.001)
      expect(p.x + sizes.width).toBeLessThanOrEqual(width - sizes.padding + 0.001)
      expect(p.y + sizes.height).toBeLessThanOrEqual(height - sizes.padding + 0.001)
      for (const other of placed.slice(i + 1)) {
        if (other.y === p.y) expect(Math.abs(other.x - p.x)).toBeGreaterThanOrEqual(sizes.width + sizes.gapX - 0.001)
      }
    })
  }
})

test('a curve leaves and arrives upright', () => {
  expect(curve([{ x: 0, y: 0 }, { x: 10, y: 20 }, { x: 10, y: 30 }])).toBe('M0 0C0 10 10 10 10 20L10 30')
})
