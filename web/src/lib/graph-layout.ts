/**
 * Lays a directed graph out in layers, from the top down, as Sugiyama's method
 * does: what leads to a node stands above it, edges that pass a layer are given
 * room in it, and the order within layers is the one found with fewest crossings.
 */

export interface GraphEdge {
  source: string
  target: string
}

export interface Sizes {
  width: number
  height: number
  /** Between neighbours of a layer, and between layers. */
  gapX: number
  gapY: number
  padding: number
}

export interface Point {
  x: number
  y: number
}

export interface Layout {
  width: number
  height: number
  /** Top left corners of the nodes. */
  nodes: Map<string, Point>
  /** Of each edge that was given, where its line passes; empty when one of its ends is no node. */
  edges: Point[][]
}

/** A node, or the place where an edge passes a layer. */
interface Slot {
  id: string
  layer: number
  width: number
  x: number
  above: Slot[]
  below: Slot[]
}

const passage = 20

export function layoutGraph(ids: string[], edges: GraphEdge[], sizes: Sizes): Layout {
  const forward = withoutCycles(ids, edges)
  const layers = layersOf(ids, forward)
  const { rows, chains } = slotsOf(ids, forward, layers, sizes)
  order(rows)
  place(rows, sizes)
  return measure(rows, chains, edges, forward, sizes)
}

/** An edge by its index in what was given; turned when it closed a cycle. */
interface Arc {
  index: number
  from: string
  to: string
  turned: boolean
}

/** A definition that is a draft may have cycles, and edges to nothing: neither may break the picture. */
function withoutCycles(ids: string[], edges: GraphEdge[]): Arc[] {
  const known = new Set(ids)
  const leaving = new Map<string, { index: number; target: string }[]>(ids.map((id) => [id, []]))
  edges.forEach(({ source, target }, index) => {
    if (known.has(source) && known.has(target) && source !== target) leaving.get(source)?.push({ index, target })
  })
  const arcs: Arc[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (id: string) => {
    state.set(id, 'open')
    for (const { index, target } of leaving.get(id) ?? []) {
      const turned = state.get(target) === 'open'
      arcs.push(turned ? { index, from: target, to: id, turned } : { index, from: id, to: target, turned })
      if (!state.has(target)) visit(target)
    }
    state.set(id, 'done')
  }
  for (const id of ids) if (!state.has(id)) visit(id)
  return arcs
}

/** Each node one layer below the lowest that leads to it. */
function layersOf(ids: string[], arcs: Arc[]): Map<string, number> {
  const layers = new Map(ids.map((id) => [id, 0]))
  const open = new Map(ids.map((id) => [id, 0]))
  const leaving = new Map<string, string[]>(ids.map((id) => [id, []]))
  for (const { from, to } of arcs) {
    open.set(to, (open.get(to) ?? 0) + 1)
    leaving.get(from)?.push(to)
  }
  const ready = ids.filter((id) => open.get(id) === 0)
  for (let id = ready.shift(); id !== undefined; id = ready.shift()) {
    for (const to of leaving.get(id) ?? []) {
      layers.set(to, Math.max(layers.get(to) ?? 0, (layers.get(id) ?? 0) + 1))
      const left = (open.get(to) ?? 0) - 1
      open.set(to, left)
      if (left === 0) ready.push(to)
    }
  }
  return layers
}

function slotsOf(ids: string[], arcs: Arc[], layers: Map<string, number>, sizes: Sizes) {
  const rows: Slot[][] = []
  const add = (id: string, layer: number, width: number): Slot => {
    const slot: Slot = { id, layer, width, x: 0, above: [], below: [] }
    ;(rows[layer] ??= []).push(slot)
    return slot
  }
  for (let layer = 0; layer <= Math.max(0, ...layers.values()); layer++) rows[layer] = []
  const slots = new Map(ids.map((id) => [id, add(id, layers.get(id) ?? 0, sizes.width)]))
  const chains = new Map<number, Slot[]>()
  for (const { index, from, to } of arcs) {
    const [top, bottom] = [slots.get(from), slots.get(to)]
    if (!top || !bottom) continue
    const chain = [top]
    for (let layer = top.layer + 1; layer < bottom.layer; layer++) chain.push(add('', layer, passage))
    chain.push(bottom)
    chain.slice(1).forEach((slot, i) => {
      chain[i]?.below.push(slot)
      slot.above.push(chain[i] as Slot)
    })
    chains.set(index, chain)
  }
  return { rows, chains }
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Sweeps down and up, each time ordering a layer by the middle of what it hangs on, and keeps the best order. */
function order(rows: Slot[][]): void {
  let best = rows.map((row) => [...row])
  let fewest = crossings(rows)
  for (let sweep = 0; sweep < 12 && fewest > 0; sweep++) {
    const down = sweep % 2 === 0
    const sequence = down ? rows : rows.toReversed()
    for (const row of sequence) {
      const at = new Map<Slot, number>()
      for (const [index, slot] of row.entries()) at.set(slot, index)
      const key = new Map(row.map((slot) => [slot, middle(down ? slot.above : slot.below, rows) ?? at.get(slot) ?? 0]))
      row.sort((a, b) => (key.get(a) ?? 0) - (key.get(b) ?? 0) || (at.get(a) ?? 0) - (at.get(b) ?? 0))
    }
    const found = crossings(rows)
    if (found < fewest) {
      fewest = found
      best = rows.map((row) => [...row])
    }
  }
  best.forEach((row, layer) => (rows[layer] = row))
}

function middle(slots: Slot[], rows: Slot[][]): number | undefined {
  if (slots.length === 0) return undefined
  return mean(slots.map((slot) => rows[slot.layer]?.indexOf(slot) ?? 0))
}

/** How many pairs of edges between neighbouring layers cross. */
export function crossings(rows: { below: unknown[] }[][]): number {
  let count = 0
  rows.forEach((row, layer) => {
    const next = rows[layer + 1] ?? []
    const ends = row.flatMap((slot, from) => slot.below.map((to) => [from, next.indexOf(to as (typeof next)[number])] as const))
    for (const [i, [from, to]] of ends.entries()) {
      for (const [otherFrom, otherTo] of ends.slice(i + 1)) if ((from - otherFrom) * (to - otherTo) < 0) count++
    }
  })
  return count
}

/** Pulls each slot to the middle of its neighbours, as near as the others of its layer allow. */
function place(rows: Slot[][], sizes: Sizes): void {
  for (const row of rows) settle(row, row.map((_slot, index) => index * (sizes.width + sizes.gapX)), sizes.gapX)
  for (let round = 0; round < 12; round++) {
    const down = round % 2 === 0
    for (const row of down ? rows : rows.toReversed()) {
      const wanted = row.map((slot) => {
        const hangsOn = down ? slot.above : slot.below
        return hangsOn.length ? mean(hangsOn.map((other) => other.x)) : slot.x
      })
      settle(row, wanted, sizes.gapX)
    }
  }
}

/**
 * The places nearest to those that are wanted which keep order and distance:
 * with the distances taken away it is isotonic regression, by pooling neighbours.
 */
function settle(row: Slot[], wanted: number[], gap: number): void {
  const offsets: number[] = []
  row.forEach((slot, i) => {
    const before = row[i - 1]
    offsets.push(before ? (offsets[i - 1] ?? 0) + (before.width + slot.width) / 2 + gap : 0)
  })
  const pools: { sum: number; count: number }[] = []
  wanted.forEach((x, i) => {
    pools.push({ sum: x - (offsets[i] ?? 0), count: 1 })
    for (;;) {
      const last = pools.at(-1)
      const before = pools.at(-2)
      if (!last || !before || before.sum / before.count <= last.sum / last.count) break
      pools.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count })
    }
  })
  let at = 0
  for (const { sum, count } of pools) {
    for (let i = 0; i < count; i++, at++) {
      const slot = row[at]
      if (slot) slot.x = sum / count + (offsets[at] ?? 0)
    }
  }
}

function measure(rows: Slot[][], chains: Map<number, Slot[]>, edges: GraphEdge[], arcs: Arc[], sizes: Sizes): Layout {
  const all = rows.flat()
  const left = Math.min(...all.map((slot) => slot.x - slot.width / 2), Infinity)
  const right = Math.max(...all.map((slot) => slot.x + slot.width / 2), -Infinity)
  const shift = all.length ? sizes.padding - left : 0
  const top = (layer: number) => sizes.padding + layer * (sizes.height + sizes.gapY)
  const nodes = new Map<string, Point>()
  for (const slot of all) if (slot.id) nodes.set(slot.id, { x: slot.x + shift - slot.width / 2, y: top(slot.layer) })
  const turned = new Set(arcs.filter((arc) => arc.turned).map((arc) => arc.index))
  const lines = edges.map((_edge, index) => {
    const points = (chains.get(index) ?? []).flatMap((slot, i, chain): Point[] => {
      const x = slot.x + shift
      const [above, below] = [{ x, y: top(slot.layer) }, { x, y: top(slot.layer) + sizes.height }]
      if (i === 0) return [below]
      return i === chain.length - 1 ? [above] : [above, below]
    })
    return turned.has(index) ? points.reverse() : points
  })
  return {
    width: all.length ? right - left + 2 * sizes.padding : 2 * sizes.padding,
    height: all.length ? top(rows.length - 1) + sizes.height + sizes.padding : 2 * sizes.padding,
    nodes,
    edges: lines,
  }
}

/** The points as an SVG path that leaves and arrives upright. */
export function curve(points: Point[]): string {
  return points
    .map((point, i) => {
      const before = points[i - 1]
      if (!before) return `M${point.x} ${point.y}`
      const half = (before.y + point.y) / 2
      return before.x === point.x ? `L${point.x} ${point.y}` : `C${before.x} ${half} ${point.x} ${half} ${point.x} ${point.y}`
    })
    .join('')
}
